"""Does a rule keep its budget on a history from which everything real was taken away?

What is left of the history: each symbol has as many distinct mentions as it had, as many of them negative, each at its
own time of day. What goes: who said it, that many told one story, and the day, which is drawn anew for each mention
by itself, so that no burst, no busy week and no bad day of a symbol is left. Every alert on that is a false one.

Days are drawn all alike (HOURS), which leaves Poisson counts with a daily rhythm; or each the likelier the more was
said of the others on it (DAYS), which leaves weekends and the market's busy days, and is the harder test. That a
symbol's own days differ by more than chance is real in part, and no shuffle can tell which part: `alerts.simulate` has
streams of that kind.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from itertools import accumulate
from random import Random

from alerts.backtest import YEAR, Period
from alerts.bins import DistinctCounter, said_of
from alerts.monitor import WARM_UP, Monitor
from alerts.rules import Rule, RuleSet
from alerts.simulate import interval, is_within_two
from bearometer.alert import NotificationReason
from bearometer.mention import SeenMention
from bearometer.terminal import plain

__all__ = ["FACTORS", "LEAST", "Calibration", "Keep", "Realised", "calibrate", "find_distinct", "shuffle", "table"]

FACTORS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Beside the rule's own budget: larger ones, of which there are more alerts to count."""
MOST = 52.0
"""A larger budget than one a week is no budget: alerts would hardly ever end."""
DAY = timedelta(days=1)
UNJUDGED = WARM_UP * timedelta(minutes=5)
LEAST = 2 * UNJUDGED
"""A shorter history has nothing to say."""


class Keep(StrEnum):
    """What a mention's new moment is like."""

    HOURS = "hours"
    """Its own time of day, on any day."""
    DAYS = "days"
    """Its own time of day, on a day that is the likelier the more was said of the other symbols on it."""


@dataclass(frozen=True, slots=True)
class Realised:
    """How many alerts a budget of one rule brought."""

    budget: float
    """Promised, for each symbol and year."""
    symbol_years: float
    found: int
    """By the budget alone: the rule without what else it asks for."""
    found_by_rule: int
    """With the rule's minimums and its pending period. Of this the promise is an upper bound."""

    @property
    def expected(self) -> float:
        """How many alerts the promise amounts to."""
        return self.budget * self.symbol_years

    @property
    def interval(self) -> tuple[float, float]:
        """Of the rate for each symbol and year that `found` speaks for, 95%."""
        low, high = interval(self.found)
        return low / self.symbol_years, high / self.symbol_years

    @property
    def is_kept(self) -> bool:
        """Whether a true rate within a factor of two of the budget can have brought what was found."""
        return is_within_two(self.found, self.symbol_years, self.budget)


@dataclass(frozen=True, slots=True)
class Calibration:
    """One rule beside its budgets, the rule's own first."""

    rule: Rule
    names: int
    """Symbols, topics and the market, as far as the rule watches them and somebody spoke of them."""
    budgets: tuple[Realised, ...]


def find_distinct(mentions: Iterable[SeenMention]) -> list[SeenMention]:
    """The mentions that count, in order of symbol and time; the order in which they come does not matter."""
    of_symbol: dict[str, list[SeenMention]] = defaultdict(list)
    for mention in mentions:
        of_symbol[mention.symbol].append(mention)
    found = []
    for symbol in sorted(of_symbol):
        counter = DistinctCounter()
        known = {said_of(mention): mention for mention in of_symbol[symbol]}
        found += [known[said] for said in sorted(known) if counter.count((said,))]
    return found


def shuffle(distinct: Sequence[SeenMention], period: Period, seed: int, keep: Keep = Keep.HOURS) -> list[SeenMention]:
    """The distinct mentions of the period on other days of it, in order of time; each is an author and a story.

    The same for the same seed and order. A last day that is not whole gets only what falls before its end.
    """
    days = -((period.start - period.end) // DAY)
    told = Counter((mention.symbol, (mention.published_at - period.start) // DAY) for mention in distinct)
    on_day = Counter[int]()
    for (_, day), count in told.items():
        on_day[day] += count
    cumulative: dict[str, list[int]] = {}
    source = Random(seed)
    moved = []
    for mention in distinct:
        time = (mention.published_at - period.start) % DAY
        possible = -((period.start + time - period.end) // DAY)
        if mention.symbol not in cumulative:
            others = [on_day[day] - told[mention.symbol, day] if keep is Keep.DAYS else 0 for day in range(days)]
            cumulative[mention.symbol] = list(accumulate(1 + other for other in others))
        (day,) = source.choices(range(possible), cum_weights=cumulative[mention.symbol][:possible])
        at = period.start + day * DAY + time
        moved.append(replace(mention, published_at=at, author=None, story=mention.post_id))
    return sorted(moved, key=lambda mention: (mention.published_at, mention.post_id))


def calibrate(
    rules: RuleSet,
    history_days: int,
    mentions: Iterable[SeenMention],
    period: Period,
    *,
    shuffles: int = 5,
    seed: int = 1,
    keep: Keep = Keep.HOURS,
    on_progress: Callable[[float], None] = lambda _: None,
) -> list[Calibration]:
    """Watch the shuffled mentions of the period with each rule that has a budget, and count the alerts.

    Those outside of the period are left out. Each rule is held to its budget for a symbol; the market's budget, which
    can only make it less, is not in force. The first three days are only learned from. `on_progress` gets the share
    that is done.
    """
    distinct = find_distinct(each for each in mentions if period.start <= each.published_at < period.end)
    names = {mention.symbol for mention in distinct}
    budgeted = [rule for rule in rules.rules if rule.at_least is None]
    ladder = {step.name: step for number, rule in enumerate(budgeted) for step in _ladder(number, rule)}
    watching = RuleSet(tuple(ladder.values()), market_false_alerts_per_year=None)
    found = dict.fromkeys(ladder, 0)
    for number in range(shuffles):
        monitor = Monitor(watching, history_days)
        monitor.add(shuffle(distinct, period, seed + number, keep))
        for share in _advance(monitor, period, found):
            on_progress((number + share) / shuffles)
    years = shuffles * ((period.end - period.start - UNJUDGED) / YEAR)
    return [_calibration(number, rule, names, years, found) for number, rule in enumerate(budgeted)]


def _ladder(number: int, rule: Rule) -> Iterator[Rule]:
    """The rule with each budget, as it is and without what keeps alerts back beside it."""
    for place, budget in enumerate(_budgets(rule)):
        own = replace(rule, false_alerts_per_symbol_year=budget)
        yield replace(own, name=_step(number, place, by_rule=True))
        bare = replace(own, min_posts=1, min_authors=1, min_sources=1, pending_seconds=0)
        yield replace(bare, name=_step(number, place, by_rule=False))


def _budgets(rule: Rule) -> list[float]:
    own = rule.false_alerts_per_symbol_year
    return [own * factor for factor in FACTORS if own * factor <= max(own, MOST)]


def _step(number: int, place: int, *, by_rule: bool) -> str:
    return f"{number}-{place}-{'rule' if by_rule else 'bare'}"


def _advance(monitor: Monitor, period: Period, found: dict[str, int]) -> Iterator[float]:
    """Count the alerts that begin, day by day; the share of the period that is over."""
    at = period.start
    while at < period.end:
        at = min(at + DAY, period.end)
        for notice in monitor.advance(at).notices:
            alert = notice.alert
            if notice.reason is NotificationReason.FIRING and alert.fired_at == alert.told_at:
                found[alert.rule] += 1
        yield (at - period.start) / (period.end - period.start)


def _calibration(number: int, rule: Rule, names: Collection[str], years: float, found: dict[str, int]) -> Calibration:
    covered = sum(map(rule.covers, names))
    budgets = tuple(
        Realised(
            budget=budget,
            symbol_years=covered * years,
            found=found[_step(number, place, by_rule=False)],
            found_by_rule=found[_step(number, place, by_rule=True)],
        )
        for place, budget in enumerate(_budgets(rule))
        if covered
    )
    return Calibration(rule, covered, budgets)


def table(calibrations: Iterable[Calibration]) -> Iterator[str]:
    """Lines for people, of each rule a table; `no` where a promise is not kept within a factor of two."""
    for each in calibrations:
        name = f"{plain(each.rule.name, 60)} ({each.rule.measure})"
        if not each.budgets:
            yield f"{name}: nobody spoke of what it watches"
            continue
        yield f"{name}: {each.names:,} watched, {each.budgets[0].symbol_years:,.1f} symbol-years"
        yield "promised a symbol-year  expected   found  a symbol-year, 95%  within 2x  by the whole rule"
        for row in each.budgets:
            low, high = row.interval
            yield (
                f"{row.budget:>22.3g}  {row.expected:>8.1f}  {row.found:>6,}  {f'{low:.2g} to {high:.2g}':>18}"
                f"  {'yes' if row.is_kept else 'no':>9}  {row.found_by_rule:>17,}"
            )
