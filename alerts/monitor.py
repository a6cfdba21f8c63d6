"""The detector over all symbols: fed with negative mentions, moved on by event time, without any I/O.

Event time is a grid of ticks, multiples of `step_seconds` since 1970. What the monitor says at a tick is a function
of the mentions it knows then and of each symbol's latest alert, as if every symbol were looked at on every tick; it
skips the looks that cannot differ from the one before. So a replay at any speed and the live feed find the same, and
nothing of it needs storing but the alerts and the last tick: the rest is rebuilt from the stored mentions.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from alerts.baseline import Baseline, learn_baseline
from alerts.distinct import DistinctWindow, Entry, PeriodEntries, count_distinct, entry_of
from alerts.lifecycle import follow, is_over_and_done
from alerts.rules import RuleSet, default_rules
from alerts.spike import look_at
from bearometer.alert import Alert, AlertState, ChartPoint, Evidence, NotificationReason
from bearometer.mention import NegativeMention
from bearometer.settings import AlertSettings
from bearometer.window import parse_window

__all__ = ["Advance", "Monitor", "Notice", "first_needed"]

WARM_UP = timedelta(days=3)
"""No alert before this much past is known: the first hours of a new installation are news to it, not to the world."""
CHART_BARS = 14

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _MICROSECOND


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


@dataclass(slots=True)
class _Symbol:
    """All that is kept of one symbol."""

    window: DistinctWindow = field(default_factory=DistinctWindow)
    upcoming: list[Entry] = field(default_factory=list)
    """A heap of the mentions that no look has seen yet."""
    periods: dict[int, PeriodEntries] = field(default_factory=dict)
    alert: Alert | None = None
    learned: tuple[int, int, Baseline] | None = None
    """The baseline and the periods (start, end) that it was learned from; None when they have changed."""


def first_needed(as_of: datetime, settings: AlertSettings) -> datetime:
    """Since when a monitor that goes on at `as_of` must know the mentions."""
    window = parse_window(settings.window)
    return as_of - timedelta(days=settings.history_days) - 3 * window


class Monitor:
    """Finds spikes and follows their alerts; not safe to share between threads.

    `as_of` and `alerts` (all that are open, and the ended ones whose cool-down may last) continue an earlier
    monitor; it then needs the mentions from `first_needed` on, in any order. Without them it begins at the earliest
    mention that it is given before it first moves, or where it is first moved to when there is none.

    Watching is taken to have begun with the first negative mention of any symbol within `history_days`. A symbol
    that nobody spoke of since then is known to be quiet, so its first burst is a spike; but nothing is a spike
    within three days of the beginning.

    Every symbol follows the first of the rules; its life cycle is what counts here, the threshold is the settings'.
    """

    def __init__(
        self,
        settings: AlertSettings,
        as_of: datetime | None = None,
        alerts: Iterable[Alert] = (),
        rules: RuleSet | None = None,
    ) -> None:
        self._settings = settings
        self._rule = (rules or default_rules(settings)).rules[0]
        self._length = parse_window(settings.window)
        self._window = self._length // _MICROSECOND
        self._step = settings.step_seconds * 1_000_000
        self._history = settings.history_days * _DAY // self._window
        self._tick: int | None = None if as_of is None else _microseconds(as_of) // self._step
        self._swept = 0
        self._symbols: dict[str, _Symbol] = {}
        self._open: dict[str, Alert] = {}
        """The alerts that are not over, by symbol."""
        self._active: list[int] = []
        """The periods in which anything negative was said of anybody, ascending."""
        self._agenda: dict[int, set[str]] = {}
        self._ticks: list[int] = []
        """A heap of the agenda's keys."""
        for alert in sorted(alerts, key=lambda a: a.started_at):
            self.put(alert)

    @property
    def as_of(self) -> datetime | None:
        """The tick up to which everything was looked at; None before the first `advance`. It never goes back."""
        return None if self._tick is None else _moment(self._tick * self._step)

    def add(self, negatives: Iterable[NegativeMention]) -> None:
        """Make mentions known, in any order; the same one again changes nothing.

        A late one, published before `as_of`, enters its window and its symbol's past, and the symbol is looked at
        again on the next tick. What was said on earlier ticks stands.
        """
        for mention in negatives:
            entry = entry_of(mention, _microseconds(mention.published_at))
            symbol = self._symbol(mention.symbol)
            heapq.heappush(symbol.upcoming, entry)
            period = self._period(entry.at)
            symbol.periods.setdefault(period, PeriodEntries()).add(entry)
            if symbol.learned is not None and period < symbol.learned[1]:
                symbol.learned = None
            self._plan(mention.symbol, -(-entry.at // self._step))
            self._activate(period)

    def advance(self, until: datetime, looks: int | None = None) -> Advance:
        """Look at everything on the ticks after `as_of` up to `until`, and move `as_of` to the last of them.

        It stops at an earlier tick once it has looked `looks` times. `as_of` moves although nothing negative is
        known, and never past `until`; when it has not moved, nothing is left to do up to `until`.
        """
        last = _microseconds(until) // self._step
        if self._tick is None:
            self._tick = min(last, self._ticks[0] - 1) if self._ticks else last
        alerts: dict[str, Alert] = {}
        notices: list[Notice] = []
        looked = 0
        while self._ticks and self._ticks[0] <= last and (looks is None or looked < looks):
            self._tick = heapq.heappop(self._ticks)
            self._sweep(self._closed(self._tick))
            names = sorted(self._agenda.pop(self._tick))
            looked += len(names)
            for name in names:
                alert, reason = self._look(name, self._tick)
                if alert is not None:
                    alerts[alert.id] = alert
                    if reason is not None:
                        notices.append(Notice(alert, reason))
        if not self._ticks or self._ticks[0] > last:
            self._tick = max(self._tick, last)
        return Advance(tuple(alerts.values()), tuple(notices))

    def open_alerts(self) -> tuple[Alert, ...]:
        """All that are pending, firing or acknowledged, in order of their start."""
        return tuple(sorted(self._open.values(), key=lambda alert: (alert.started_at, alert.id)))

    def put(self, alert: Alert) -> None:
        """Take this as its symbol's latest alert: a person has acted on it, or a message about it was held back."""
        self._keep(self._symbol(alert.symbol), alert.symbol, alert)
        self._plan(alert.symbol, 0)

    def attach(self, alert: Alert, evidence: Evidence) -> None:
        """Keep the evidence with the alert, so that its later states carry it too."""
        symbol = self._symbol(alert.symbol)
        if symbol.alert is not None and symbol.alert.id == alert.id:
            self._keep(symbol, alert.symbol, replace(symbol.alert, evidence=evidence))

    def chart(self, symbol: str, end: datetime) -> tuple[ChartPoint, ...]:
        """The windows side by side that lead up to `end`, oldest first, and what was expected of each at its time."""
        known = self._symbols.get(symbol) or _Symbol()
        begin = (self._active[0] * self._window) if self._active else 0
        points = []
        for bar in reversed(range(CHART_BARS)):
            until = _microseconds(end) - bar * self._window
            after = until - self._window
            if after < begin and bar > 0:
                continue
            periods = [known.periods.get(p) for p in range(self._period(after + 1), self._period(until) + 1)]
            entries = [e for p in periods if p is not None for e in p.entries(after, until)]
            start, closed = self._span(self._closed_at(until))
            expected = self._learn(known, start, closed).expected
            points.append(ChartPoint(at=_moment(after), negative=count_distinct(entries), expected=expected))
        return tuple(points)

    def _look(self, name: str, tick: int) -> tuple[Alert | None, NotificationReason | None]:
        """The symbol's alert when this look changed it, and what to tell."""
        symbol = self._symbols.get(name)
        if symbol is None:
            return None, None
        now = tick * self._step
        while symbol.upcoming and symbol.upcoming[0].at <= now:
            entry = heapq.heappop(symbol.upcoming)
            if entry.at > now - self._window:
                symbol.window.add(entry)
        symbol.window.expire(now - self._window)
        if symbol.alert is not None and is_over_and_done(symbol.alert, _moment(now), self._rule):
            symbol.alert = None
        if symbol.alert is None and symbol.window.count < self._settings.min_posts:
            # When an author's first post leaves, the next one's text begins to count: fewer posts can be more texts.
            if symbol.window.may_rise and symbol.window.oldest is not None:
                self._plan(name, max(tick + 1, -(-(symbol.window.oldest + self._window) // self._step)))
            return None, None
        start, end = self._span(self._closed(tick))
        if symbol.learned is None or symbol.learned[:2] != (start, end):
            symbol.learned = (start, end, self._learn(symbol, start, end))
        look = look_at(
            symbol=name,
            end=_moment(now),
            window=self._length,
            negative=symbol.window.count,
            authors=symbol.window.authors,
            baseline=symbol.learned[2],
            warm=(end - start) * self._window >= WARM_UP // _MICROSECOND,
            settings=self._settings,
        )
        before = symbol.alert
        after, reason = follow(before, look, self._rule)
        if after is not before:
            self._keep(symbol, name, after)
        self._plan_next(name, symbol, tick)
        return (None if after is before else after), reason

    def _keep(self, symbol: _Symbol, name: str, alert: Alert | None) -> None:
        symbol.alert = alert
        if alert is None or alert.state is AlertState.RESOLVED:
            self._open.pop(name, None)
        else:
            self._open[name] = alert

    def _plan_next(self, name: str, symbol: _Symbol, tick: int) -> None:
        """The next tick on which a look may differ from this one although nothing new is said."""
        if symbol.alert is not None and symbol.alert.state is not AlertState.RESOLVED:
            self._plan(name, tick + 1)
            return
        if symbol.alert is not None and symbol.alert.resolved_at is not None:
            cooled = symbol.alert.resolved_at + timedelta(seconds=self._rule.cooldown_seconds)
            self._plan(name, max(tick + 1, -(-_microseconds(cooled) // self._step)))
        if symbol.window.oldest is not None:
            self._plan(name, max(tick + 1, -(-(symbol.window.oldest + self._window) // self._step)))
        closed = self._closed(tick)
        self._plan(name, -(-(closed + 2) * self._window // self._step))

    def _plan(self, name: str, tick: int) -> None:
        if self._tick is not None:
            tick = max(tick, self._tick + 1)
        if tick not in self._agenda:
            self._agenda[tick] = set()
            heapq.heappush(self._ticks, tick)
        self._agenda[tick].add(name)

    def _symbol(self, name: str) -> _Symbol:
        return self._symbols.setdefault(name, _Symbol())

    def _period(self, at: int) -> int:
        """The period (p·window, (p+1)·window] that a moment lies in: open at the left, as windows are."""
        return (at - 1) // self._window

    def _closed_at(self, at: int) -> int:
        """The first period that is not wholly before the window that ends at `at`."""
        return (at - self._window) // self._window

    def _closed(self, tick: int) -> int:
        return self._closed_at(tick * self._step)

    def _span(self, closed: int) -> tuple[int, int]:
        """The periods (start, end) to learn from; the one in which watching began is only a part and left out."""
        horizon = closed - self._history
        place = bisect_left(self._active, horizon - 1)
        begun = self._active[place] if place < len(self._active) else closed
        return min(max(begun + 1, horizon), closed), closed

    def _learn(self, symbol: _Symbol, start: int, end: int) -> Baseline:
        counts = [(p, symbol.periods[p].count) for p in sorted(symbol.periods) if start <= p < end]
        per_day = _DAY / self._window
        return learn_baseline(counts, start, end, self._settings.half_life_days * per_day, per_day)

    def _activate(self, period: int) -> None:
        place = bisect_left(self._active, period)
        if place < len(self._active) and self._active[place] == period:
            return
        insort(self._active, period)
        if self._tick is not None and period < self._closed(self._tick + 1):
            # Watching began earlier than was known: everybody's baseline changes.
            for name in self._symbols:
                self._plan(name, 0)

    def _sweep(self, closed: int) -> None:
        """Once a period, forget what lies before the horizon."""
        if closed <= self._swept:
            return
        self._swept = closed
        oldest = closed - self._history - 1
        del self._active[: bisect_left(self._active, oldest)]
        for name, symbol in list(self._symbols.items()):
            symbol.window.expire(closed * self._window)
            for period in [p for p in symbol.periods if p < oldest]:
                del symbol.periods[period]
            if not (symbol.periods or symbol.upcoming or symbol.window.authors or symbol.alert):
                del self._symbols[name]


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
