"""The evaluation, moment by moment: what the monitor finds, what people do, who is told, all of it written down.

Crash-only: all that is kept is in the journal, written in one transaction (event time reached, alerts, messages to
send), so that starting is the same as going on. Event time goes on tick by tick, and telling with it: what is said
does not depend on how much of a backlog is worked off at once. Beside it goes the clock, by which is judged whether
posts still come (alerts/supply.py).
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.bins import TICK
from alerts.journal import Journal, Watching
from alerts.lifecycle import acknowledge, end_is_untold, hold, resolve
from alerts.monitor import Notice, watches_whole_posts
from alerts.rules import RuleSet
from alerts.supply import Supply, in_short, is_of_supply
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
        supply: Supply | None = None,
    ) -> None:
        settings = policy.settings
        self._journal = journal
        self._monitor = monitor
        self._supply = supply or Supply()
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
        poll = self._journal.poll(
            self._since, self._settings.idle_partition_seconds, self._monitor.add, whole_posts=self._whole_posts
        )
        self._silences = self._journal.silences()
        found = self._act() + self._look_at_supply(self._monitor.as_of or poll.watermark)
        # A tick at the watermark is of what was before it: posts of that very moment, which may still come, are not.
        until = poll.watermark
        while until is not None and not stop.is_set():
            notices = self._go_on(until)
            if notices is None:
                break
            found += notices
            if self._ticks >= TICKS_PER_COMMIT or self._clock.monotonic() - self._committed[1] > SECONDS_PER_COMMIT:
                self._commit()
                found += self._look_at_supply(self._monitor.as_of)  # a backlog may take hours
        self._commit()
        return WatchReport(
            watermark=poll.watermark,
            as_of=self._monitor.as_of,
            mentions=poll.mentions,
            fired=sum(n.reason is NotificationReason.FIRING and n.alert.fired_at == n.alert.told_at for n in found),
            resolved=sum(n.reason is NotificationReason.RESOLVED for n in found),
        )

    def _act(self) -> list[Notice]:
        """Apply what people asked for, each in a commit of its own, at the event time reached, or by the clock."""
        if self._monitor.as_of is None and not self._supply.open_alerts():
            return []
        notices = []
        for action in self._journal.waiting_actions():
            alert = next((alert for alert in self._open_alerts() if alert.id == action.alert_id), None)
            at = self._clock.now() if alert is not None and is_of_supply(alert) else self._monitor.as_of
            self._applied.append(action.number)
            if alert is None or at is None:
                log.info("%s asked to %s %s, which is over", plain(action.who), action.action, plain(action.alert_id))
                continue
            change = acknowledge if action.action == "acknowledge" else resolve
            after, reason = change(alert, Acknowledgement(action.who, at, action.comment))
            log.info("%s by %s: %s", action.action, plain(action.who), plain(alert.id))
            self._keeper(after).put(after)
            self._changed[after.id] = after
            if reason is not None:
                notices.append(Notice(after, reason))
                self._tell(at, notices[-1:], {alert.id: alert})
        return notices

    def _look_at_supply(self, watermark: datetime | None) -> list[Notice]:
        """Whether posts still come: first of all, since that may hold back what is found in them."""
        now = self._clock.now()
        if not self._supply.is_due(now):
            return []
        before = {alert.id: alert for alert in self._supply.open_alerts()}
        advance = self._supply.look(now, watermark)
        self._changed.update((alert.id, alert) for alert in advance.alerts)
        notices = [*self._late_ends(now, of_supply=True), *advance.notices]
        if notices:
            self._tell(now, notices, before)
        return list(advance.notices)

    def _go_on(self, until: datetime) -> Sequence[Notice] | None:
        """One tick further, or past ticks on which there was nothing to look at; None when nothing is left to do."""
        before = {alert.id: alert for alert in self._monitor.open_alerts()}
        reached = self._monitor.as_of
        if reached is None:
            self._monitor.advance(until, 0)
            return None if self._monitor.as_of is None else ()
        # An open alert is looked at on every tick; ends that wait to be told must be brought up as often.
        advance = self._monitor.advance(min(until, reached + TICK) if self._late_ends(reached) else until, 1)
        at = self._monitor.as_of
        if at is None or at == reached:
            return None
        self._ticks += 1
        self._changed.update((alert.id, alert) for alert in advance.alerts)
        kept = {*before, *self._ends, *(alert.id for alert in self._supply.open_alerts())}
        self._logged = {each for each in self._logged if each[0] in kept}
        # All notices are of one tick; where nothing else is to be looked at, event time has gone on past it.
        tick = (advance.notices[0].alert.told_at if advance.notices else None) or at
        late = self._late_ends(tick)
        if late or advance.notices:
            self._tell(tick, [*late, *advance.notices], before)
        return advance.notices

    def _late_ends(self, at: datetime, of_supply: bool = False) -> list[Notice]:
        """The ends that were held back so far, to be told at `at`; those that are too old are forgotten."""
        ends = [end for end in self._ends.values() if is_of_supply(end) == of_supply]
        for end in ends:
            if at - (end.resolved_at or at) > END_KEPT:
                del self._ends[end.id]
                log.warning("the end of %s was held back for %d days: nobody is told", plain(end.id), END_KEPT.days)
        return [Notice(replace(end, told_at=at), NotificationReason.RESOLVED) for end in ends if end.id in self._ends]

    def _open_alerts(self) -> list[Alert]:
        return [*self._supply.open_alerts(), *self._monitor.open_alerts()]

    def _keeper(self, alert: Alert) -> Watching | Supply:
        return self._supply if is_of_supply(alert) else self._monitor

    def _tell(self, at: datetime, notices: Sequence[Notice], before: Mapping[str, Alert]) -> None:
        """Have messages queued for what can be said, and put the alerts right about the rest."""
        if not self._settings.notify_resolved:
            notices = [notice for notice in notices if notice.reason is not NotificationReason.RESOLVED]
        said, held = hold_back(notices, at, self._rules, self._silences, self._open_alerts())
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
        self._keeper(alert).put(alert)
        self._changed[alert.id] = alert
        if reason is NotificationReason.RESOLVED:
            self._ends[alert.id] = alert

    def _with_evidence(self, at: datetime, said: Sequence[Notice]) -> list[Notice]:
        complete = []
        for notice in said:
            alert = notice.alert
            if notice.reason in (NotificationReason.FIRING, NotificationReason.ESCALATED):
                evidence = self._find_evidence(alert, self._has_time(at))
                self._keeper(alert).attach(alert, evidence)
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
            sent=self._journal.sent_since(at - CAP_PERIOD, at),
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
        if not (self._changed or self._applied or deliveries or as_of != self._committed[0]):
            return
        alerts = sorted(self._changed.values(), key=lambda alert: alert.started_at)
        self._journal.commit(as_of, alerts, deliveries, self._applied, dropped)
        self._changed, self._applied, self._ticks = {}, [], 0
        self._committed = (as_of, self._clock.monotonic())


def _log(notice: Notice, remark: str = "") -> None:
    alert, peak = notice.alert, notice.alert.peak
    if is_of_supply(alert):
        log.warning("alert %s for %s%s", notice.reason, in_short(alert), remark)
        return
    log.warning(
        "alert %s for %s: %d negative against %.2g expected up to %s%s",
        notice.reason,
        plain(alert.symbol),
        peak.negative,
        peak.expected,
        peak.end.isoformat(),
        remark,
    )
