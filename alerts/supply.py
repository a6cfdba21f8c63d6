"""Whether posts still come: sources that give none or do not work, and an evaluation that is behind.

All of it goes by the clock: when everything stops, event time stops too. What is watched is the table in which the
ingest workers write every few seconds when they asked a source last, what its newest post is and what is wrong. Files
are not watched, so a replay of the past says nothing here. At most one look a minute; the life of an alert is that of
any other, and all of it is in the alerts: a new process goes on where the last one was.

    no-data   the newest post of a source was published longer ago than the rule says. Not judged before the first post
    failing   a source has had an error for longer than the rule says, since all was well for the last time. Where it
              never was, since that was first seen
    lag       the watermark, up to which everything is evaluated, is further behind the clock than the rule says,
              although there are sources that worked at some time. Where there is no watermark yet, since that was
              first seen

What somebody has stopped is not reported: a paused source is over at once, and nothing begins of a source of which no
worker has written anything for a day longer than the rule says (it was taken out of the settings), nor a lag while
nothing was written of any source for three hours (the whole was stopped, or is being started).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.headline import seen
from alerts.lifecycle import follow, is_over_and_done
from alerts.monitor import Advance, Notice
from alerts.rules import Rule
from alerts.spike import Look
from alerts.wording import time_utc
from bearometer.alert import Alert, AlertState, Evidence, Measure, NotificationReason, Spike
from bearometer.post import EVALUATION, source_key, source_of
from bearometer.terminal import plain
from storage.supply import SourceState

__all__ = ["LOOK_EVERY", "Shortage", "Supply", "find_shortages", "in_short", "is_of_supply"]

LOOK_EVERY = timedelta(minutes=1)
"""Sources that fail together are told together: looks must not come in between."""
FORGOTTEN_AFTER = timedelta(days=1)
STOPPED_AFTER = timedelta(hours=3)
WRITTEN_WITHIN = timedelta(minutes=5)
"""Workers write of each source four times a minute: who has not for so long has stopped, or waits for the broker."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """Nothing has come for too long."""

    since: datetime | None
    """When the last came; None where none ever did: then it counts from when that is first seen."""
    begins: bool
    """Whether it may start an alert; otherwise it only keeps one open."""
    problem: str | None
    """What is wrong, as far as is known."""


def find_shortages(
    rule: Rule, sources: Sequence[SourceState], watermark: datetime | None, now: datetime
) -> dict[str, Shortage | None]:
    """What a rule says of each key that it watches; None where all is well. Paused sources are not watched."""
    running = [source for source in sources if not source.paused]
    if rule.measure is Measure.LAG:
        return {EVALUATION: _find_lag(rule, running, watermark, now)}
    find = _find_silence if rule.measure is Measure.NO_DATA else _find_failure
    keys = {source_key(source.name): source for source in running}
    return {key: find(rule, source, now) for key, source in keys.items() if rule.covers(key)}


class Supply:
    """Follows the alerts of the rules on the supply; not safe to share between threads.

    `alerts` are those on the supply that are open, and the ended ones whose cool-down may last. `read` gives the
    sources of the present.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        read: Callable[[], Sequence[SourceState]] = tuple,
        alerts: Iterable[Alert] = (),
    ) -> None:
        self._rules = rules
        self._read = read
        self._latest: dict[tuple[str, str], Alert] = {}
        for alert in sorted(alerts, key=lambda each: each.started_at):
            self.put(alert)
        self._problems: dict[tuple[str, str], str | None] = {}
        """By rule and key, as it was when looked at last."""
        self._looked_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to look again."""
        return self._looked_at is None or not timedelta(0) <= now - self._looked_at < LOOK_EVERY

    def look(self, now: datetime, watermark: datetime | None) -> Advance:
        """What has changed at `now`, in whole seconds; `watermark` is how far event time has come."""
        now = now.replace(microsecond=0)
        self._looked_at = now
        changed: list[Alert] = []
        notices: list[Notice] = []
        watched: set[tuple[str, str]] = set()
        sources = self._read() if self._rules else ()
        self._problems = {}
        for rule in self._rules:
            for key, shortage in find_shortages(rule, sources, watermark, now).items():
                watched.add((rule.name, key))
                self._problems[rule.name, key] = shortage.problem if shortage else None
                before = self._latest.get((rule.name, key))
                after, reason = self._follow(before, key, rule, shortage, now)
                if after is not None and after is not before:
                    self.put(after)
                    changed.append(after)
                    notices += [Notice(after, reason)] if reason else []
        for alert in self.open_alerts():
            if (alert.rule, alert.symbol) not in watched:
                ended, reason = _end(alert, now)
                self.put(ended)
                changed.append(ended)
                notices += [Notice(ended, reason)] if reason else []
        return Advance(tuple(changed), tuple(notices))

    def open_alerts(self) -> tuple[Alert, ...]:
        """All that are pending, firing or acknowledged, in order of their start."""
        alerts = [alert for alert in self._latest.values() if alert.state is not AlertState.RESOLVED]
        return tuple(sorted(alerts, key=lambda alert: (alert.started_at, alert.id)))

    def put(self, alert: Alert) -> None:
        """Take this as the latest of its rule and key: a person has acted on it, or a message was held back."""
        self._latest[alert.rule, alert.symbol] = alert

    def attach(self, alert: Alert, evidence: Evidence) -> None:
        """Keep the evidence with the alert, so that its later states carry it too."""
        known = self._latest.get((alert.rule, alert.symbol))
        if known is not None and known.id == alert.id:
            self.put(replace(known, evidence=evidence))

    def evidence(self, alert: Alert) -> Evidence:
        """What is known to be wrong, as of the last look."""
        return Evidence((), (), (), problem=self._problems.get((alert.rule, alert.symbol)))

    def _follow(
        self, before: Alert | None, key: str, rule: Rule, shortage: Shortage | None, now: datetime
    ) -> tuple[Alert | None, NotificationReason | None]:
        if before is not None and is_over_and_done(before, now, rule):
            before = None
            del self._latest[rule.name, key]
        if before is None and shortage is None:
            return None, None
        longest = rule.at_least or 0.0
        since = shortage.since if shortage else None
        spike = Spike(key, since or now, now, 0, longest, 0.0, 0, measure=rule.measure, per_year=0.0)
        if shortage is not None and shortage.since is None:
            rule = replace(rule, pending_seconds=rule.pending_seconds + round(longest))
        begins = shortage is not None and shortage.begins
        return follow(before, Look(spike, over=begins, quiet=shortage is None), rule)


def is_of_supply(alert: Alert) -> bool:
    """Whether it is the supply of posts that the alert tells of."""
    return source_of(alert.symbol) is not None


def in_short(alert: Alert) -> str:
    """What is missing for how long, for the log."""
    return f"{plain(alert.symbol)}: {seen(alert.peak, alert.quiet_since or alert.told_at)}"


def _find_silence(rule: Rule, source: SourceState, now: datetime) -> Shortage | None:
    since = source.newest_published_at
    if since is None or now - since <= _longest(rule):
        return None
    return Shortage(since, _is_run(rule, source, now), source.last_error or _stopped([source], now))


def _find_failure(rule: Rule, source: SourceState, now: datetime) -> Shortage | None:
    since = source.polled_at
    if source.last_error is None or (since is not None and now - since <= _longest(rule)):
        return None
    return Shortage(since, _is_run(rule, source, now), source.last_error)


def _find_lag(rule: Rule, running: Sequence[SourceState], watermark: datetime | None, now: datetime) -> Shortage | None:
    working = [each for each in running if each.polled_at is not None or each.newest_published_at is not None]
    if not working or (watermark is not None and now - watermark <= _longest(rule)):
        return None
    begins = any(now - source.updated_at < STOPPED_AFTER for source in working)
    return Shortage(watermark, begins, _stopped(working, now) or "ingest goes on: the stream is behind or stands still")


def _longest(rule: Rule) -> timedelta:
    return timedelta(seconds=rule.at_least or 0)


def _is_run(rule: Rule, source: SourceState, now: datetime) -> bool:
    return now - source.updated_at < _longest(rule) + FORGOTTEN_AFTER


def _stopped(sources: Sequence[SourceState], now: datetime) -> str | None:
    """That nothing is heard of them any more, if it is so."""
    written = max(source.updated_at for source in sources)
    if now - written <= WRITTEN_WITHIN:
        return None
    return f"ingest has said nothing since {time_utc(written)}: its worker or the broker is away"


def _end(alert: Alert, now: datetime) -> tuple[Alert, NotificationReason | None]:
    """End what nobody watches any more: the source was paused, or it or the rule was taken away."""
    ended = replace(alert, state=AlertState.RESOLVED, resolved_at=now)
    if alert.told_at is None:
        return ended, None
    return replace(ended, told_at=now), NotificationReason.RESOLVED
