"""The evaluation, moment by moment: what the monitor finds, what people do, who is told, all of it written down.

Crash-only: all that is kept is in the journal, written in one transaction (event time reached, alerts, messages to
send), so that starting is the same as going on. Event time goes on tick by tick, and telling with it: what is said
does not depend on how much of a backlog is worked off at once.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.journal import Journal, Watching
from alerts.lifecycle import acknowledge, end_is_untold, hold, resolve
from alerts.monitor import Notice, watches_whole_posts
from alerts.rules import RuleSet
from alerts.tell import FOR_WHO_WAS_TOLD, Held, address, hold_back
from bearometer.alert import Acknowledgement, Alert, Delivery, Evidence, NotificationReason, Silence
from bearometer.clock import Clock
from bearometer.settings import AlertSettings
from bearometer.terminal import plain

__all__ = ["END_KEPT", "Evaluator", "FindEvidence", "Policy", "WatchReport"]

TICKS_PER_COMMIT = 1_000
SECONDS_PER_COMMIT = 0.5
"""A backlog is worked off in steps of this size, each committed: what a crash can cost is a fraction of a second."""
CAP_PERIOD = timedelta(hours=1)
TICK = timedelta(minutes=5)
"""Of the monitor."""
WORDS_PERIOD = timedelta(days=1)
END_KEPT = timedelta(days=7)
"""An end that could not be told for so long is not told any more."""

FindEvidence = Callable[[Alert, bool], Evidence]
"""An alert, and whether there is time to find the words that made its top post negative."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is an alert, and who is told how."""

    settings: AlertSettings
    rules: RuleSet
    notifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WatchReport:
    """What one poll found and did."""

    watermark: datetime | None
    """How far event time has come in the stores; None when nothing was stored yet."""
    as_of: datetime | None
    """How far it was evaluated: the last tick up to the watermark; None while that is None."""
    mentions: int
    """Those that were new."""
    fired: int
    resolved: int


class Evaluator:
    """One lease's worth of evaluation: goes on from what was stored when it is made.

    `monitor` goes on at the journal's event time with its alerts. `ended` are alerts that are over, of the last days:
    what is untold of them is told when it may be. `since` is when the monitor must know the mentions from.
    """

    def __init__(
        self,
        journal: Journal,
        monitor: Watching,
        policy: Policy,
        clock: Clock,
        find_evidence: FindEvidence,
        *,
        since: datetime,
        ended: Iterable[Alert] = (),
    ) -> None:
        settings = policy.settings
        self._journal = journal
        self._monitor = monitor
        self._since = since
        self._settings = settings
        self._rules = policy.rules
        self._notifiers = policy.notifiers
        self._clock = clock
        self._find_evidence = find_evidence
        self._whole_posts = watches_whole_posts(policy.rules)
        self._silences: Sequence[Silence] = ()
        self._ends = {alert.id: alert for alert in ended if end_is_untold(alert)} if settings.notify_resolved else {}
        """Alerts that are over and whose end was held back so far."""
        self._changed: dict[str, Alert] = {}
        self._applied: list[int] = []
        self._committed = (monitor.as_of, clock.monotonic())
        self._ticks = 0
        self._words: tuple[datetime, float] | None = None
        """The event time and the moment since and until when there is time to find words."""
        self._logged: set[tuple[str, NotificationReason, str]] = set()

    def poll(self, stop: threading.Event) -> WatchReport:
        """Take in what is new and what people did, and evaluate up to the watermark or until `stop` is set."""
        self._words = None
        poll = self._journal.poll(self._since, self._settings.idle_partition_seconds, whole_posts=self._whole_posts)
        self._silences = self._journal.silences()
        self._monitor.add(poll.mentions)
        found = self._act()
        # A tick at the watermark is of what was before it: posts of that very moment, which may still come, are not.
        until = poll.watermark
        while until is not None and not stop.is_set():
            notices = self._go_on(until)
            if notices is None:
                break
            found += notices
            if self._ticks >= TICKS_PER_COMMIT or self._clock.monotonic() - self._committed[1] > SECONDS_PER_COMMIT:
                self._commit()
        self._commit()
        return WatchReport(
            watermark=poll.watermark,
            as_of=self._monitor.as_of,
            mentions=len(poll.mentions),
            fired=sum(n.reason is NotificationReason.FIRING and n.alert.fired_at == n.alert.told_at for n in found),
            resolved=sum(n.reason is NotificationReason.RESOLVED for n in found),
        )

    def _act(self) -> list[Notice]:
        """Apply what people asked for, each in a commit of its own, at the event time reached."""
        at = self._monitor.as_of
        if at is None:
            return []
        notices = []
        for action in self._journal.waiting_actions():
            alert = next((alert for alert in self._monitor.open_alerts() if alert.id == action.alert_id), None)
            self._applied.append(action.number)
            if alert is None:
                log.info("%s asked to %s %s, which is over", plain(action.who), action.action, plain(action.alert_id))
                continue
            change = acknowledge if action.action == "acknowledge" else resolve
            after, reason = change(alert, Acknowledgement(action.who, at, action.comment))
            log.info("%s by %s: %s", action.action, plain(action.who), plain(alert.id))
            self._monitor.put(after)
            self._changed[after.id] = after
            if reason is not None:
                notices.append(Notice(after, reason))
                self._tell(at, notices[-1:], {alert.id: alert})
        return notices

    def _go_on(self, until: datetime) -> Sequence[Notice] | None:
        """One tick further, or past ticks on which there was nothing to look at; None when nothing is left to do."""
        before = {alert.id: alert for alert in self._monitor.open_alerts()}
        reached = self._monitor.as_of
        if reached is None:
            self._monitor.advance(until, 0)
            return None if self._monitor.as_of is None else ()
        # An open alert is looked at on every tick; ends that wait to be told must be brought up as often.
        advance = self._monitor.advance(min(until, reached + TICK) if self._ends else until, 1)
        at = self._monitor.as_of
        if at is None or at == reached:
            return None
        self._ticks += 1
        self._changed.update((alert.id, alert) for alert in advance.alerts)
        self._ends = {id_: end for id_, end in self._ends.items() if at - (end.resolved_at or at) <= END_KEPT}
        if self._ends or advance.notices:
            # All notices are of one tick; where nothing else is to be looked at, event time has gone on past it.
            tick = (advance.notices[0].alert.told_at if advance.notices else None) or at
            late = [Notice(replace(end, told_at=tick), NotificationReason.RESOLVED) for end in self._ends.values()]
            self._tell(tick, [*late, *advance.notices], before)
        return advance.notices

    def _tell(self, at: datetime, notices: Sequence[Notice], before: Mapping[str, Alert]) -> None:
        """Have messages queued for what can be said, and put the alerts right about the rest."""
        if not self._settings.notify_resolved:
            notices = [notice for notice in notices if notice.reason is not NotificationReason.RESOLVED]
        said, held = hold_back(notices, at, self._rules, self._silences, self._monitor.open_alerts())
        now = self._clock.now()
        if self._settings.max_age_hours is not None and now - at > timedelta(hours=self._settings.max_age_hours):
            held += [Held(notice, "its age") for notice in said]
            said = []
        for each in held:
            self._hold(each, before.get(each.notice.alert.id))
        if said:
            self._say(at, now, self._with_evidence(at, said))

    def _hold(self, held: Held, before: Alert | None) -> None:
        alert, reason = held.notice.alert, held.notice.reason
        if (alert.id, reason, held.by) not in self._logged:
            self._logged.add((alert.id, reason, held.by))
            _log(held.notice, f"; not told now: {plain(held.by)}")
        if reason is NotificationReason.ACKNOWLEDGED or alert.id in self._ends:
            return
        alert = hold(alert, reason, before)
        if alert.evidence is None and reason is NotificationReason.FIRING:
            alert = replace(alert, evidence=self._find_evidence(alert, False))
        self._monitor.put(alert)
        self._changed[alert.id] = alert
        if reason is NotificationReason.RESOLVED:
            self._ends[alert.id] = alert

    def _with_evidence(self, at: datetime, said: Sequence[Notice]) -> list[Notice]:
        complete = []
        for notice in said:
            alert = notice.alert
            if notice.reason in (NotificationReason.FIRING, NotificationReason.ESCALATED):
                evidence = self._find_evidence(alert, self._has_time(at))
                self._monitor.attach(alert, evidence)
                alert = replace(alert, evidence=evidence)
                self._changed[alert.id] = alert
            complete.append(Notice(alert, notice.reason))
        return complete

    def _has_time(self, at: datetime) -> bool:
        # The alerts of a poll share the time, and those of a day in a backlog: none may wait long for others' words.
        if self._words is None or at - self._words[0] >= WORDS_PERIOD:
            self._words = (at, self._clock.monotonic() + self._settings.explain_seconds)
        return self._clock.monotonic() < self._words[1]

    def _say(self, at: datetime, now: datetime, said: Sequence[Notice]) -> None:
        for notice in said:
            if self._ends.pop(notice.alert.id, None):
                self._changed[notice.alert.id] = notice.alert
        messages = address(
            said,
            at,
            self._rules,
            self._notifiers,
            sent=self._journal.sent_since(at - CAP_PERIOD),
            told=self._journal.told_to([n.alert.id for n in said if n.reason in FOR_WHO_WAS_TOLD]),
            now=now,
        )
        self._commit(messages.deliveries, messages.dropped)
        for notice in said:
            _log(notice)
        for delivery in messages.dropped:
            log.warning(
                "%s has had its messages of this hour; dropped: %s", plain(delivery.notifier), plain(delivery.id)
            )

    def _commit(self, deliveries: Sequence[Delivery] = (), dropped: Sequence[Delivery] = ()) -> None:
        as_of = self._monitor.as_of
        if as_of is None or not (self._changed or self._applied or deliveries or as_of != self._committed[0]):
            return
        alerts = sorted(self._changed.values(), key=lambda alert: alert.started_at)
        self._journal.commit(as_of, alerts, deliveries, self._applied, dropped)
        self._changed, self._applied, self._ticks = {}, [], 0
        self._committed = (as_of, self._clock.monotonic())


def _log(notice: Notice, remark: str = "") -> None:
    peak = notice.alert.peak
    log.warning(
        "alert %s for %s: %d negative against %.2g expected up to %s%s",
        notice.reason,
        plain(notice.alert.symbol),
        peak.negative,
        peak.expected,
        peak.end.isoformat(),
        remark,
    )
