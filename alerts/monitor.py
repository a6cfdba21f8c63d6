"""All symbols under the rules: fed with mentions, moved on by event time, without any I/O.

Event time is a grid of ticks, the ends of bins of five minutes. A symbol is looked at on the ticks before which
something was said of it, or became known, and on every tick while one of its alerts is open. Silence starts no
alert: what is over the threshold now must have been so when something was last said. So what the monitor says at a
tick is a function of the mentions it knows then and of each rule's latest alert for the symbol, whether or not it was
looked at in between. A replay at any speed and the live feed find the same, and nothing of it needs storing but the
alerts and the last tick: the rest is rebuilt from the stored mentions.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import blake2b

from alerts.bins import BINS_A_DAY, LOOK_BACK, bin_of, moment, said_of
from alerts.judge import is_strange, judge, scales_of
from alerts.lifecycle import follow, is_over_and_done
from alerts.rules import SCALES, Rule, RuleSet
from alerts.spike import Look
from alerts.watched import Findings, Seen, Watched
from bearometer.alert import Alert, AlertState, ChartPoint, Evidence, Measure, NotificationReason
from bearometer.mention import SeenMention
from bearometer.post import is_symbol

__all__ = ["Advance", "Monitor", "Notice", "first_needed", "watches_whole_posts"]

WARM_UP = 3 * BINS_A_DAY
"""No alert before this much past is known: the first hours of a new installation are news to it, not to the world."""
SPOKEN_OF_DAYS = 28
"""The market's budget is shared by the symbols that somebody spoke of in so many days before."""
CHART_BARS = 24

_HOUR = 12
_TERM = 7 * BINS_A_DAY
"""Once in a term, at an hour of its own, a symbol forgets what is older than the history: a detector remembers
everything a little, and one that was started anew must say the same."""


@dataclass(frozen=True, slots=True)
class Notice:
    """People must be told this of the alert as it was then."""

    alert: Alert
    reason: NotificationReason


@dataclass(frozen=True, slots=True)
class Advance:
    """What moving on has brought: new states of alerts (the latest of each), and what to tell, in order of time."""

    alerts: tuple[Alert, ...] = ()
    notices: tuple[Notice, ...] = ()


def first_needed(as_of: datetime, history_days: int) -> datetime:
    """Since when a monitor that goes on at `as_of` must know the mentions."""
    return moment(bin_of(as_of) - history_days * BINS_A_DAY - _TERM - LOOK_BACK - _HOUR)


def watches_whole_posts(rules: RuleSet) -> bool:
    """Whether a rule may cover topics or the market, so that mentions of them should be given."""
    patterns = {pattern for rule in rules.rules for pattern in rule.symbols} - {"*"}
    return any(pattern[:1] in {"#", "*", "?", "["} or fnmatchcase("market", pattern) for pattern in patterns)


class Monitor:
    """Finds spikes and follows their alerts; not safe to share between threads.

    `as_of` and `alerts` (all that are open, and the ended ones whose cool-down may last) continue an earlier
    monitor; it then needs the mentions from `first_needed` on, in any order. Without them it begins at the earliest
    mention that it is given before it first moves, or where it is first moved to when there is none.

    Watching is taken to have begun in the hour of the first mention of anybody within the history that was known in
    time (a new feed brings posts of weeks ago, when nobody watched). A symbol that nobody spoke of since then is known
    to be quiet, so its first burst is a spike; but nothing is a spike within three days of the beginning. Topics and
    the market are watched where a rule names them and mentions of them (by `topic_key`, MARKET) are given.
    """

    def __init__(
        self, rules: RuleSet, history_days: int, as_of: datetime | None = None, alerts: Iterable[Alert] = ()
    ) -> None:
        self._rules = rules
        self._history = history_days * BINS_A_DAY
        self._tick: int | None = None if as_of is None else bin_of(as_of)
        """The bins before this one were looked at."""
        self._swept = 0
        self._watched: dict[str, Watched] = {}
        self._rules_of: dict[str, tuple[Rule, ...]] = {}
        self._active: list[int] = []
        """The hours in which anything was said of anybody, ascending."""
        self._spoken_of: dict[int, int] = {}
        """Day to how many symbols were spoken of in the days before; what is missing is counted when needed."""
        self._agenda: dict[int, set[str]] = {}
        self._ticks: list[int] = []
        """A heap of the agenda's keys."""
        self._open: dict[tuple[str, str], Alert] = {}
        """The alerts that are not over, by rule and symbol."""
        self.take_over(alerts)

    @property
    def as_of(self) -> datetime | None:
        """The tick up to which everything was looked at; None before the first `advance`. It never goes back."""
        return None if self._tick is None else moment(self._tick)

    def add(self, mentions: Iterable[SeenMention]) -> None:
        """Make mentions known, in any order; the same one again changes nothing.

        A late one, published before `as_of`, enters the counts of its time and what the symbol's past teaches, and
        the symbol is looked at again on the next tick. What was said on earlier ticks stands.
        """
        for mention in mentions:
            bin = bin_of(mention.published_at)
            if mention.on_time:
                self._activate(bin // _HOUR)
            if not self._rules_for(mention.symbol):
                continue
            if self._watch(mention.symbol).add(said_of(mention), bin) and self._spoken_of:
                day = bin // BINS_A_DAY
                for known in [d for d in self._spoken_of if day < d <= day + SPOKEN_OF_DAYS]:
                    del self._spoken_of[known]
            self._plan(mention.symbol, bin + 1)

    def advance(self, until: datetime, looks: int | None = None) -> Advance:
        """Look at everything on the ticks after `as_of` up to `until`, and move `as_of` to the last of them.

        It stops at an earlier tick once it has looked `looks` times. `as_of` moves although nothing is known, and
        never past `until`; when it has not moved, nothing is left to do up to `until`.
        """
        last = bin_of(until)
        if self._tick is None:
            self._tick = min(last, self._ticks[0] - 1) if self._ticks else last
        alerts: dict[str, Alert] = {}
        notices: list[Notice] = []
        looked = 0
        while self._ticks and self._ticks[0] <= last and (looks is None or looked < looks):
            self._tick = heapq.heappop(self._ticks)
            self._sweep(self._tick)
            names = sorted(self._agenda.pop(self._tick))
            looked += len(names)
            for name in names:
                for alert, reason in self._look(name, self._tick):
                    alerts[alert.id] = alert
                    if reason is not None:
                        notices.append(Notice(alert, reason))
        if not self._ticks or self._ticks[0] > last:
            self._tick = max(self._tick, last)
        return Advance(tuple(alerts.values()), tuple(notices))

    def follow(self, as_of: datetime, is_over: Callable[[], bool] = lambda: False) -> None:
        """Move on to `as_of`, not before where it is, because another monitor has looked up to there; judge nothing.

        The detectors of those who were spoken of move too, until `is_over`: that costs the time now that looks would
        take later, and changes nothing of what they say. Before `advance`, `take_over` must say what the other knew.
        """
        tick = self._tick = bin_of(as_of)
        self._sweep(tick)
        names: set[str] = set()
        while self._ticks and self._ticks[0] <= tick:
            names |= self._agenda.pop(heapq.heappop(self._ticks))
        known = {name: self._watched[name] for name in names & self._watched.keys()}
        for name in self._agenda.get(tick + 1, set()) & self._watched.keys():
            if not self._watched[name].is_running:
                known[name] = self._watched[name]
        for name, watched in known.items():
            if is_over():
                break
            watched.find(self._first(name, tick), tick)

    def take_over(self, alerts: Iterable[Alert]) -> None:
        """Look after these alerts from `as_of` on; which are needed says the class.

        Of whoever was spoken of lately it is not known whether all of it was known to the monitor that looked before.
        They are looked at on the next tick. Of the others that changes nothing: their windows are empty.
        """
        for alert in sorted(alerts, key=lambda a: a.started_at):
            self.put(alert)
        if self._tick is None:
            return
        today = self._tick // BINS_A_DAY
        for name, watched in self._watched.items():
            if watched.talk.spoke(today - 1, today):
                self._plan(name, 0)

    def open_alerts(self) -> tuple[Alert, ...]:
        """All that are pending, firing or acknowledged, in order of their start."""
        return tuple(sorted(self._open.values(), key=lambda alert: (alert.started_at, alert.id)))

    def put(self, alert: Alert) -> None:
        """Take this as the latest of its rule and symbol: a person has acted on it, or a message was held back."""
        self._keep(self._watch(alert.symbol), alert)
        self._plan(alert.symbol, 0)

    def attach(self, alert: Alert, evidence: Evidence) -> None:
        """Keep the evidence with the alert, so that its later states carry it too."""
        watched = self._watched.get(alert.symbol)
        known = watched.alerts.get(alert.rule) if watched is not None else None
        if watched is not None and known is not None and known.id == alert.id:
            self._keep(watched, replace(known, evidence=evidence))

    def chart(self, symbol: str, end: datetime) -> tuple[ChartPoint, ...]:
        """The last day in bars of an hour that lead up to `end`, oldest first, and what was expected of each.

        Where an alert of the symbol has its peak at `end` in a window of five minutes, the bars are that long.
        """
        watched = self._watched.get(symbol)
        if watched is None or not self._rules_for(symbol):
            return ()
        peaks = [alert.peak for alert in watched.alerts.values() if alert.peak.end == end]
        scale = "5m" if any(peak.end - peak.start <= timedelta(minutes=5) for peak in peaks) else "1h"
        width, until, begun = SCALES[scale], bin_of(end), self._first(symbol, bin_of(end))
        points = []
        for bar in reversed(range(CHART_BARS)):
            start = until - (bar + 1) * width
            if start < begun and bar > 0:
                continue
            expected, high = watched.expected(start + width - 1, scale)
            points.append(ChartPoint(moment(start), watched.negatives(start, start + width), expected, high))
        return tuple(points)

    def _look(self, name: str, tick: int) -> list[tuple[Alert, NotificationReason | None]]:
        """The alerts that this look changed, and what to tell."""
        watched = self._watched.get(name)
        if watched is None:
            return []
        rules = self._rules_for(name)
        now = moment(tick)
        changed = self._end_orphans(name, watched, now)
        if not rules:
            return changed
        first = self._first(name, tick)
        findings = watched.find(first, tick)
        for rule in rules:
            before = watched.alerts.get(rule.name)
            if before is not None and is_over_and_done(before, now, rule):
                before = None
                del watched.alerts[rule.name]
            finding, budget = findings[scales_of(rule)][rule.measure], self._budget(name, rule, tick)
            if before is None and not is_strange(rule, finding, budget):
                continue
            look = self._judge(name, watched, rule, findings, first, tick)
            is_new = before is None or before.state is AlertState.RESOLVED
            if is_new and look.over and not self._was_over(name, watched, rule, first, tick):
                look = replace(look, over=False)
            after, reason = follow(before, look, rule)
            if after is not None:
                if after is not before:
                    self._keep(watched, after)
                    changed.append((after, reason))
                self._plan_next(after, rule, tick)
        return changed

    def _end_orphans(self, name: str, watched: Watched, now: datetime) -> list[tuple[Alert, NotificationReason | None]]:
        """End the alerts whose rule was taken away: nobody looks after them, and they must not stay open for ever."""
        ended: list[tuple[Alert, NotificationReason | None]] = []
        rules = {rule.name for rule in self._rules_for(name)}
        for orphan in [rule for rule in watched.alerts if rule not in rules]:
            alert = watched.alerts.pop(orphan)
            self._open.pop((orphan, name), None)
            if alert.state is AlertState.RESOLVED:
                continue
            over = replace(alert, state=AlertState.RESOLVED, resolved_at=now)
            if alert.told_at is None:
                ended.append((over, None))
            else:
                ended.append((replace(over, told_at=now), NotificationReason.RESOLVED))
        return ended

    def _keep(self, watched: Watched, alert: Alert) -> None:
        watched.alerts[alert.rule] = alert
        if alert.state is AlertState.RESOLVED:
            self._open.pop((alert.rule, alert.symbol), None)
        else:
            self._open[alert.rule, alert.symbol] = alert

    def _judge(self, name: str, watched: Watched, rule: Rule, findings: Findings, first: int, tick: int) -> Look:
        finding = findings[scales_of(rule)][rule.measure]
        warm = tick - first >= WARM_UP

        def seen_in(bins: int) -> Seen:
            return watched.seen(tick, bins)

        return judge(name, rule, finding, seen_in, budget=self._budget(name, rule, tick), end=tick, warm=warm)

    def _was_over(self, name: str, watched: Watched, rule: Rule, first: int, tick: int) -> bool:
        """Whether it was over when something was last said."""
        if watched.latest is None:
            return False
        bin, findings = watched.latest
        return bin == tick - 1 or self._judge(name, watched, rule, findings, first, bin + 1).over

    def _budget(self, name: str, rule: Rule, tick: int) -> float:
        """How many false alerts a year the rule may raise for the symbol."""
        market = self._rules.market_false_alerts_per_year
        if market is None:
            return rule.false_alerts_per_symbol_year
        share = market / max(1, sum(each.at_least is None for each in self._rules_for(name)))
        if is_symbol(name):
            share /= max(1, self._count_spoken_of(tick // BINS_A_DAY))
        return min(rule.false_alerts_per_symbol_year, share)

    def _count_spoken_of(self, day: int) -> int:
        if day not in self._spoken_of:
            self._spoken_of[day] = sum(
                watched.talk.spoke(day - SPOKEN_OF_DAYS, day - 1)
                for name, watched in self._watched.items()
                if is_symbol(name)
            )
        return self._spoken_of[day]

    def _plan_next(self, alert: Alert, rule: Rule, tick: int) -> None:
        """The next tick on which the alert may change although nothing new is said."""
        if alert.state is not AlertState.RESOLVED:
            self._plan(alert.symbol, tick + 1)
        elif alert.resolved_at is not None:
            cooled = alert.resolved_at + timedelta(seconds=rule.cooldown_seconds)
            self._plan(alert.symbol, max(tick + 1, bin_of(cooled - timedelta(microseconds=1)) + 1))

    def _plan(self, name: str, tick: int) -> None:
        if self._tick is not None:
            tick = max(tick, self._tick + 1)
        if tick not in self._agenda:
            self._agenda[tick] = set()
            heapq.heappush(self._ticks, tick)
        self._agenda[tick].add(name)

    def _watch(self, name: str) -> Watched:
        watched = self._watched.get(name)
        if watched is None:
            wanted: dict[tuple[str, ...], set[Measure]] = {}
            for rule in self._rules_for(name):
                wanted.setdefault(scales_of(rule), set()).add(rule.measure)
            watched = self._watched[name] = Watched(wanted)
        return watched

    def _rules_for(self, name: str) -> tuple[Rule, ...]:
        if name not in self._rules_of:
            self._rules_of[name] = self._rules.for_symbol(name)
        return self._rules_of[name]

    def _first(self, name: str, tick: int) -> int:
        """The bin since which the symbol's past counts: when watching began, or the history's beginning."""
        # Every symbol at its own hour, so that not all of them start again at the same time.
        own = int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).digest()) * _HOUR % _TERM
        horizon = (tick - self._history - own) // _TERM * _TERM + own
        place = bisect_left(self._active, horizon // _HOUR)
        begun = self._active[place] * _HOUR if place < len(self._active) else tick
        return min(max(begun, horizon), tick - 1)

    def _activate(self, hour: int) -> None:
        place = bisect_left(self._active, hour)
        if place < len(self._active) and self._active[place] == hour:
            return
        insort(self._active, hour)
        if self._tick is None or hour * _HOUR >= self._tick:
            return
        if place == 0 or self._active[place - 1] * _HOUR < self._tick - self._history:
            # Watching began earlier than was known: everybody's past is longer.
            for name in self._watched:
                self._plan(name, 0)

    def _sweep(self, tick: int) -> None:
        """Once a day, forget what lies before the history."""
        if tick // BINS_A_DAY <= self._swept:
            return
        self._swept = tick // BINS_A_DAY
        oldest = tick - self._history - _TERM - LOOK_BACK
        del self._active[: bisect_left(self._active, oldest // _HOUR)]
        for day in [day for day in self._spoken_of if day < self._swept - 2]:
            del self._spoken_of[day]
        for name, watched in list(self._watched.items()):
            watched.talk.forget(oldest)
            watched.rest(tick)
            if not watched.talk and not watched.alerts:
                del self._watched[name]
                self._rules_of.pop(name, None)
