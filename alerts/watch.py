"""The evaluator's loop: what is new in the stores, the monitor, what came of it back into the stores.

Crash-only: all that is kept is in Postgres, written in one transaction per step (event time reached, alerts,
messages to send), so that starting is the same as going on. One process evaluates at a time; the others wait.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from alerts.monitor import Advance, Monitor, Notice, first_needed
from bearometer.alert import Alert, Delivery, Evidence, NotificationReason
from bearometer.clock import Clock
from bearometer.errors import Transient
from bearometer.settings import AlertSettings
from bearometer.terminal import plain
from storage.alerts import AlertStore
from storage.lease import EvaluatorLease

__all__ = ["WatchReport", "run_watch"]

TOP_POSTS = 5
LOOKS_PER_COMMIT = 1_000
"""A backlog is worked off in steps of this size, each committed: what a crash can cost is a fraction of a second."""
LONGEST_WAIT_SECONDS = 15.0
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

FindWords = Callable[[str, str], tuple[str, ...]]
"""A text and a symbol to the words for which the text speaks badly of the symbol, the strongest first."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchReport:
    """What one poll found and did."""

    watermark: datetime | None
    """How far event time has come in the stores; None when nothing was stored yet."""
    as_of: datetime | None
    """How far it was evaluated: the last tick before the watermark; None while that is None."""
    negatives: int
    """Negative mentions that were new."""
    fired: int
    resolved: int


def run_watch(
    store: AlertStore,
    settings: AlertSettings,
    notifier_names: Sequence[str],
    clock: Clock,
    stop: threading.Event,
    on_poll: Callable[[WatchReport], None] | None = None,
    *,
    find_words: FindWords | None = None,
) -> None:
    """Evaluate until `stop` is set. Blocks; `on_poll` is called from this thread after each poll.

    `find_words` is asked of the top post of an alert that fires, for at most about twice `explain_seconds` a step; it
    must not raise.
    Every alert is queued once for each of `notifier_names`. When another process has the lease it waits for it;
    when Postgres is away it starts over from what is stored, with back-off. Raises nothing but defects.
    """
    failures = 0
    waiting = False
    while not stop.is_set():
        try:
            lease = store.acquire_lease()
            if lease is None:
                if not waiting:
                    log.info("another process evaluates; this one waits to take over")
                waiting = True
                stop.wait(settings.poll_seconds)
                continue
            waiting = False
            try:
                evaluator = _Evaluator(lease, settings, notifier_names, clock, find_words)
                while not stop.is_set():
                    report = evaluator.poll(stop)
                    failures = 0
                    if on_poll is not None:
                        on_poll(report)
                    stop.wait(settings.poll_seconds)
            finally:
                lease.release()
        except Transient as error:
            wait = min(LONGEST_WAIT_SECONDS, settings.poll_seconds * 2**failures)
            failures = min(failures + 1, 10)
            log.warning("the evaluation stopped and starts over in %.1f s: %s", wait, error)
            stop.wait(wait)


class _Evaluator:
    """One lease's worth of evaluation: goes on from what is stored when it is made."""

    def __init__(
        self,
        lease: EvaluatorLease,
        settings: AlertSettings,
        notifier_names: Sequence[str],
        clock: Clock,
        find_words: FindWords | None,
    ) -> None:
        self._lease = lease
        self._settings = settings
        self._notifier_names = notifier_names
        self._clock = clock
        self._find_words = find_words
        as_of = lease.as_of()
        if as_of is None:
            self._since = BEGINNING
            self._monitor = Monitor(settings)
        else:
            self._since = first_needed(as_of, settings)
            ended_since = as_of - timedelta(seconds=settings.cooldown_seconds)
            self._monitor = Monitor(settings, as_of, lease.recent_alerts(ended_since))
        log.info("evaluating from %s on", "the first negative mention" if as_of is None else as_of.isoformat())

    def poll(self, stop: threading.Event) -> WatchReport:
        """Take in what is new and evaluate up to the watermark, step by step, or until `stop` is set."""
        poll = self._lease.poll(self._since, self._settings.idle_partition_seconds)
        self._monitor.add(poll.negatives)
        told: list[NotificationReason] = []
        while poll.watermark is not None and not stop.is_set():
            before = self._monitor.as_of
            # Posts of the watermark's very moment may still come: many data sets have dates and no times.
            advance = self._monitor.advance(poll.watermark - timedelta(microseconds=1), LOOKS_PER_COMMIT)
            as_of = self._monitor.as_of
            if as_of is None or as_of == before:
                break
            self._commit(as_of, advance)
            told += [notice.reason for notice in advance.notices]
        return WatchReport(
            watermark=poll.watermark,
            as_of=self._monitor.as_of,
            negatives=len(poll.negatives),
            fired=told.count(NotificationReason.FIRING),
            resolved=told.count(NotificationReason.RESOLVED),
        )

    def _commit(self, as_of: datetime, advance: Advance) -> None:
        """Write one step."""
        evidence: dict[str, Evidence] = {}
        now = self._clock.now()
        # Many alerts of one step share the time: none may wait long for the words of the others.
        enough = self._clock.monotonic() + self._settings.explain_seconds
        for notice in advance.notices:
            if notice.reason is NotificationReason.FIRING:
                has_time = self._clock.monotonic() < enough and not _is_too_old(notice, now, self._settings)
                find_words = self._find_words if has_time else None
                evidence[notice.alert.id] = _gather(self._lease, self._monitor, notice.alert, find_words)
                self._monitor.attach(notice.alert, evidence[notice.alert.id])

        def complete(alert: Alert) -> Alert:
            return replace(alert, evidence=evidence[alert.id]) if alert.id in evidence else alert

        due = [
            Notice(complete(notice.alert), notice.reason)
            for notice in advance.notices
            if not _is_too_old(notice, now, self._settings)
        ]
        deliveries = [
            Delivery(
                id=f"{notice.alert.id}:{notice.reason}:{name}",
                alert=notice.alert,
                reason=notice.reason,
                notifier=name,
                attempts=0,
                next_attempt_at=now,
            )
            for notice in due
            for name in self._notifier_names
        ]
        self._lease.commit(as_of, [complete(alert) for alert in advance.alerts], deliveries)
        for notice in advance.notices:
            _log(notice, queued=not _is_too_old(notice, now, self._settings))


def _gather(lease: EvaluatorLease, monitor: Monitor, alert: Alert, find_words: FindWords | None) -> Evidence:
    spike = alert.peak
    # Windows are open at the left and closed at the right; the store's intervals are the other way round.
    start, end = spike.start + timedelta(microseconds=1), spike.end + timedelta(microseconds=1)
    posts = lease.top_posts(alert.symbol, start, end, TOP_POSTS)
    if posts and find_words is not None:
        posts = (replace(posts[0], words=find_words(posts[0].text, alert.symbol)), *posts[1:])
    return Evidence(
        top_posts=posts,
        chart=monitor.chart(alert.symbol, spike.end),
        models=lease.models(alert.symbol, start, end),
    )


def _is_too_old(notice: Notice, now: datetime, settings: AlertSettings) -> bool:
    if settings.max_age_hours is None:
        return False
    happened = notice.alert.resolved_at or notice.alert.fired_at or notice.alert.started_at
    return now - happened > timedelta(hours=settings.max_age_hours)


def _log(notice: Notice, queued: bool) -> None:
    peak = notice.alert.peak
    log.warning(
        "alert %s for %s: %d negative against %.2g expected up to %s%s",
        notice.reason,
        plain(notice.alert.symbol),
        peak.negative,
        peak.expected,
        peak.end.isoformat(),
        "" if queued else "; too old to tell anybody",
    )
