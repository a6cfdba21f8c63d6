"""What rules would have said of the past: the same monitor over stored history, as it became known.

What is not known here is how long the watermark waited for the next heartbeat or for a partition that had nothing, so
that a live worker looked a little later, and whatever holds messages back: inhibition, silences, quiet hours and the
cap per receiver.
"""

import csv
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from alerts.bins import bin_of
from alerts.monitor import Monitor, first_needed
from alerts.rules import Rule, RuleSet
from bearometer.alert import Alert, NotificationReason
from bearometer.errors import Misconfigured
from bearometer.post import is_symbol
from bearometer.terminal import plain
from storage.history import KnownMention

__all__ = ["BUDGET_FACTORS", "Event", "Outcome", "Period", "Scope", "read_events", "replay", "scale_budgets", "score"]

BUDGET_FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""The budgets beside which the rules' own is shown."""
YEAR = timedelta(days=365.25)


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """Something bad that is known to have happened to a company on a day."""

    day: date
    symbol: str


@dataclass(frozen=True, slots=True)
class Period:
    """The time for which alerts are wanted: `start` <= started_at < `end`."""

    start: datetime
    end: datetime

    def reads_since(self, history_days: int) -> datetime:
        """Since when mentions are needed, so that the first day is judged by as much past as the last."""
        return first_needed(self.start, history_days)


@dataclass(frozen=True, slots=True)
class Scope:
    """What rules can be right or wrong about."""

    period: Period
    symbols: frozenset[str]
    """Those that were spoken of in the period and that a rule covers; no topics, nor the market."""
    events: frozenset[Event]
    """Those on days of the period, of symbols that a rule covers, spoken of or not."""

    @classmethod
    def of(cls, rules: Sequence[Rule], symbols: Iterable[str], events: Iterable[Event], period: Period) -> "Scope":
        """Of all that was spoken of, and of all events, what the rules cover."""

        def is_covered(symbol: str) -> bool:
            return is_symbol(symbol) and any(rule.covers(symbol) for rule in rules)

        last = (period.end - timedelta.resolution).date()
        return cls(
            period,
            frozenset(filter(is_covered, set(symbols))),
            frozenset(each for each in events if period.start.date() <= each.day <= last and is_covered(each.symbol)),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the alerts of rules fared."""

    alerts: int
    """Those of symbols."""
    others: int
    """Those of topics and of the market, which no event is about."""
    symbol_years: float
    """Symbols of the scope, times its length."""
    right: int
    """Alerts that started on the day of an event of their symbol, or on the day after."""
    events: int
    """Events of the scope."""
    found: int
    """Those of them that an alert was right about."""

    @property
    def precision(self) -> float | None:
        """The part of the symbols' alerts that was right; None without alerts or events."""
        return self.right / self.alerts if self.alerts and self.events else None

    @property
    def per_symbol_year(self) -> float:
        """Symbols' alerts per symbol and year, right or not."""
        return self.alerts / self.symbol_years if self.symbol_years else 0.0


def replay(rules: RuleSet, history_days: int, known: Sequence[KnownMention], period: Period) -> list[Alert]:
    """The alerts that people would have been told of in the period, as they were then, in order.

    `known` must come in the order in which it became known. Event time goes on to the moment at which a mention became
    known, as live heartbeats have it, before the mention is added: what came late counts from then on, on the next
    tick, and not before. What was not known within a day moves event time to its publication only, and does not begin
    the watching, as for the live worker; unless nothing was known within a day: then all of it was imported, by a
    version that did not yet take its time of publication for the moment, and is judged as if known then.
    """
    is_import = not any(each.mention.on_time for each in known)
    monitor = Monitor(rules, history_days)
    fired: list[Alert] = []
    reached: int | None = None
    for each in known:
        mention = each.mention
        at = each.known_at if mention.on_time else mention.published_at
        if reached is None or bin_of(at) > reached:
            # A tick is of the bins before it: what is published at this very moment is not of it.
            fired += _fired(monitor, at)
            reached = bin_of(at)
        monitor.add((replace(mention, on_time=True) if is_import else mention,))
    if reached is not None:
        fired += _fired(monitor, period.end)
    return [alert for alert in fired if period.start <= alert.started_at < period.end]


def score(alerts: Iterable[Alert], scope: Scope) -> Outcome:
    """Set the alerts beside the known events."""
    alerts = list(alerts)
    hits = [_hits(alert, scope.events) for alert in alerts if is_symbol(alert.symbol)]
    return Outcome(
        alerts=len(hits),
        others=len(alerts) - len(hits),
        symbol_years=len(scope.symbols) * ((scope.period.end - scope.period.start) / YEAR),
        right=sum(map(bool, hits)),
        events=len(scope.events),
        found=len(set[Event]().union(*hits)),
    )


def scale_budgets(rules: RuleSet, factor: float) -> RuleSet:
    """The same rules with all budgets times `factor`; explicit thresholds stay."""
    market = rules.market_false_alerts_per_year
    return replace(
        rules,
        rules=tuple(
            replace(rule, false_alerts_per_symbol_year=rule.false_alerts_per_symbol_year * factor)
            for rule in rules.rules
        ),
        market_false_alerts_per_year=None if market is None else market * factor,
    )


def read_events(path: Path) -> list[Event]:
    """Known events from a CSV file with the columns `symbol` and `date` (ISO 8601), further ones being ignored.

    Raises Misconfigured, naming the line, for anything else.
    """
    events = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not {"symbol", "date"} <= set(reader.fieldnames or ()):
                message = f"{path} must have the columns symbol and date in its first line"
                raise Misconfigured(message)
            for row in reader:
                symbol, day = (row["symbol"] or "").strip().upper(), (row["date"] or "").strip()
                try:
                    events.append(Event(date.fromisoformat(day), symbol))
                except ValueError:
                    message = f"{path}:{reader.line_num}: {plain(day, 40)!r} is no date such as 2015-10-14"
                    raise Misconfigured(message) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"{path} cannot be read: {error}"
        raise Misconfigured(message) from None
    return events


def _fired(monitor: Monitor, until: datetime) -> list[Alert]:
    notices = monitor.advance(until).notices
    return [n.alert for n in notices if n.reason is NotificationReason.FIRING and n.alert.fired_at == n.alert.told_at]


def _hits(alert: Alert, events: Set[Event]) -> set[Event]:
    day = alert.started_at.date()
    return {Event(day - timedelta(days=back), alert.symbol) for back in (0, 1)}.intersection(events)
