"""What is watched, how strange it must be, and who is told: the rules, as data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from fnmatch import fnmatchcase
from typing import Any

from bearometer.alert import Measure, Severity
from bearometer.post import MARKET, is_symbol, source_key
from bearometer.settings import AlertSettings

__all__ = ["SCALES", "SUPPLY", "QuietHours", "Rule", "RuleSet", "default_rules"]

SCALES: dict[str, int] = {"5m": 1, "1h": 12, "6h": 72, "24h": 288}
"""The lengths of window at which the detector looks, in its bins of five minutes."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours in which nothing is said that can wait; what still fires when they end is told then."""

    start: time
    end: time
    """Before `start` where they go over midnight; the same for a whole day."""
    zone: str = "UTC"
    """Name of a time zone, such as Europe/Zurich."""
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    """Weekdays on which they begin; 0 is Monday."""
    unless: Severity | None = Severity.CRITICAL
    """Alerts of this severity or above are told all the same; None for none."""


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Shell-style patterns, those without wildcards apart: they need no search."""

    names: frozenset[str]
    patterns: tuple[str, ...]

    @classmethod
    def of(cls, texts: tuple[str, ...]) -> "_Patterns":
        patterns = tuple(each for each in texts if any(mark in each for mark in "*?["))
        return cls(frozenset(texts) - frozenset(patterns), patterns)

    def match(self, name: str, everything: bool = True) -> bool:
        """Whether one of them matches; without `everything`, `*` alone does not count."""
        return name in self.names or any(fnmatchcase(name, each) for each in self.patterns if everything or each != "*")


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to watch for. Its alerts' ids begin with its name."""

    name: str
    measure: Measure = Measure.COUNT
    scales: tuple[str, ...] = tuple(SCALES)
    symbols: tuple[str, ...] = ("*",)
    """Shell-style patterns of symbols, of topics by their keys (`#Earnings`), or `market` for all posts together.

    `*` is every symbol, and neither a topic nor the market. A rule on the supply of posts has patterns of sources by
    their keys (`!feeds`), or EVALUATION.
    """
    exclude: tuple[str, ...] = ()
    false_alerts_per_symbol_year: float = 0.2
    at_least: float | None = None
    """An explicit threshold in place of the budget: a count, or a share from 0 to 1.

    Of the supply of posts the longest time in seconds that passes.
    """
    min_posts: int = 5
    min_authors: int = 3
    min_sources: int = 1
    pending_seconds: int = 0
    clear_factor: float = 100.0
    clear_seconds: int = 3600
    cooldown_seconds: int = 86_400
    escalate_factor: float = 1000.0
    """It is told again once it is this many times less likely than when it was last told; in a cool-down too."""
    repeat_seconds: int | None = None
    """A firing alert that nobody has acknowledged is told again after this long; None for never."""
    severity: Severity = Severity.WARNING
    routes: tuple[str, ...] = ("*",)
    """Shell-style patterns of notifiers' names."""
    quiet_hours: tuple[QuietHours, ...] = ()
    inhibits: tuple[str, ...] = ()
    """Patterns of what nothing is said of while an alert of this rule fires; here `*` is topics and the market too.

    The supply of posts is never among it.
    """
    _watched: "_Patterns" = field(init=False, repr=False, compare=False)
    _excluded: "_Patterns" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the patterns once: a list may have thousands of symbols, and is asked about as many."""
        object.__setattr__(self, "_watched", _Patterns.of(self.symbols))
        object.__setattr__(self, "_excluded", _Patterns.of(self.exclude))

    def covers(self, symbol: str) -> bool:
        """Whether the rule watches this symbol, or this topic by its key, or MARKET."""
        name = "market" if symbol == MARKET else symbol
        return self._watched.match(name, everything=is_symbol(symbol)) and not self._excluded.match(name)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules, and what holds for them together."""

    rules: tuple[Rule, ...]
    market_false_alerts_per_year: float | None = 12.0
    """Budget for all symbols together: with many of them each gets less than its rule's own; None for no such limit."""
    group_at: int = 5
    """So many alerts of one step and route are told as one message."""
    route_cap_per_hour: int = 20
    """Messages to one notifier in an hour of event time; what is beyond is dropped, and the next one says how many."""
    supply: tuple[Rule, ...] = ()
    """Rules on the supply of posts; no name is in `rules` too."""

    def by_name(self) -> dict[str, Rule]:
        """All of them, those on the supply too."""
        return {rule.name: rule for rule in (*self.rules, *self.supply)}

    def for_symbol(self, symbol: str) -> tuple[Rule, ...]:
        """The rules that watch it, in order."""
        return tuple(rule for rule in self.rules if rule.covers(symbol))


def _on_supply(measure: Measure, after_seconds: int, cooldown_seconds: int, source: str = "*", **more: Any) -> Rule:
    return Rule(
        str(measure),
        measure=measure,
        symbols=(source_key(source),),
        at_least=after_seconds,
        cooldown_seconds=cooldown_seconds,
        escalate_factor=math.inf,
        **{"pending_seconds": 600, "clear_seconds": 0, **more},
    )


SUPPLY: Mapping[Measure, Rule] = {
    Measure.NO_DATA: _on_supply(Measure.NO_DATA, 86_400, 86_400),
    Measure.FAILING: _on_supply(Measure.FAILING, 3600, 3600),
    Measure.LAG: _on_supply(
        Measure.LAG, 900, 3600, source="", pending_seconds=300, clear_seconds=300, severity=Severity.CRITICAL
    ),
}
"""The rules on the supply of posts where nobody wrote any, and what those that somebody wrote do not say.

All of them wait for minutes: where everything was stopped for a night, all is old when it starts again.
"""


def default_rules(settings: AlertSettings) -> RuleSet:
    """The rules where nobody wrote any: many speak badly, with the numbers of the settings; and posts must come."""
    return RuleSet(
        (
            Rule(
                "negative-spike",
                false_alerts_per_symbol_year=settings.false_alerts_per_symbol_year,
                min_posts=settings.min_posts,
                min_authors=settings.min_authors,
                pending_seconds=settings.pending_seconds,
                clear_factor=settings.clear_factor,
                clear_seconds=settings.clear_seconds,
                cooldown_seconds=settings.cooldown_seconds,
            ),
        ),
        supply=tuple(SUPPLY.values()) if settings.watch_sources else (),
    )
