"""Does the detector keep what it promises? Alarms a year on streams in which nothing ever happens, beside the budget.

Every alarm there is a false one. A stream is stationary: posts come at a mean rate with a daily rhythm (at the busiest
hour nine times as many as at the quietest), times a Gamma factor of mean 1 that is drawn anew for each day or each
hour; its relative variance is the dispersion, and 0 is plain Poisson. Learning from nothing is part of it: of each
stream only the first day is not judged. An alarm is a look at or under the budget, at least a day after the last one.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alerts.detector import Detector
from alerts.rules import SCALES
from bearometer.alert import Measure

__all__ = [
    "BUDGETS",
    "STREAMS",
    "Realised",
    "Stream",
    "draw",
    "interval",
    "is_within_two",
    "realise",
    "simulate",
    "table",
]

DAY = 288
HOUR = 12
DAYS_A_YEAR = 365.25
SWING = 0.8
"""Of the daily rhythm: (1 + 0.8) / (1 - 0.8) = 9."""
SHARE = 0.2
"""The mean negative part of the posts where the share is watched."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What comes in a stationary stream; of SHARE the posts, else what is counted."""

    per_day: float
    dispersion: float = 0.0
    is_hourly: bool = False
    """The factor is drawn for each hour, not for each day."""
    swing: float = SWING


@dataclass(frozen=True, slots=True)
class Realised:
    """How many alarms a budget brought."""

    stream: Stream
    measure: Measure
    budget: float
    """Promised, a year."""
    years: float
    alarms: int

    @property
    def per_year(self) -> float:
        """Alarms a year that came."""
        return self.alarms / self.years

    @property
    def is_kept(self) -> bool:
        """Whether a true rate within a factor of two of the budget can have brought so many alarms.

        See `is_within_two`.
        """
        return is_within_two(self.alarms, self.years, self.budget)


STREAMS = tuple(
    Stream(per_day, dispersion, is_hourly)
    for per_day in (2.0, 20.0, 288.0, 2_880.0, 72_000.0)
    for dispersion, is_hourly in ((0.0, False), (0.3, False), (0.3, True))
)
"""From 2 posts a day to 50 a minute: plain Poisson, busy and quiet days, busy and quiet hours."""
BUDGETS = (52.0, 12.0, 2.0)


def draw(stream: Stream, days: int, seed: int) -> Iterator[tuple[int, int]]:
    """Bins that have something, ascending from 0, and how much; the same for the same seed, a longer one goes on."""
    source = np.random.default_rng(seed)
    rhythm = 1 + stream.swing * np.sin(2 * np.pi * (np.arange(DAY) + 0.5) / DAY)
    for day in range(days):
        factor = np.ones(DAY)
        if stream.dispersion:
            spans = DAY // HOUR if stream.is_hourly else 1
            drawn = source.gamma(1 / stream.dispersion, stream.dispersion, spans)
            factor = np.repeat(drawn, DAY // spans)
        counts = source.poisson(stream.per_day / DAY * rhythm * factor)
        for bin in np.flatnonzero(counts):
            yield day * DAY + int(bin), int(counts[bin])


def realise(
    stream: Stream,
    years: float,
    *,
    budgets: Sequence[float] = BUDGETS,
    measure: Measure = Measure.COUNT,
    scales: Sequence[str] = tuple(SCALES),
    seed: int = 1,
) -> list[Realised]:
    """Watch one stream from its first bin on, and count the alarms of each budget."""
    days = round(years * DAYS_A_YEAR)
    detector = Detector(0, measures=(measure,))
    source = np.random.default_rng([seed, 1])
    alarms = [0] * len(budgets)
    last = [-DAY] * len(budgets)
    for bin, count in draw(stream, days, seed):
        negative = int(source.binomial(count, SHARE)) if measure is Measure.SHARE else count
        detector.add(bin, negative, count)
        strange = detector.close(bin, scales)[measure].per_year
        for place, budget in enumerate(budgets):
            if strange <= budget and bin - last[place] >= DAY:
                alarms[place] += 1
                last[place] = bin
    years = days / DAYS_A_YEAR
    return [Realised(stream, measure, budget, years, count) for budget, count in zip(budgets, alarms, strict=True)]


def simulate(
    streams: Iterable[Stream] = STREAMS,
    years: float = 3.0,
    *,
    budgets: Sequence[float] = BUDGETS,
    measure: Measure = Measure.COUNT,
    scales: Sequence[str] = tuple(SCALES),
    seed: int = 1,
) -> Iterator[list[Realised]]:
    """`realise` for each stream; each has a seed of its own. A year of a busy one takes some seconds."""
    for number, stream in enumerate(streams):
        yield realise(stream, years, budgets=budgets, measure=measure, scales=scales, seed=seed * 1000 + number)


def table(results: Iterable[Sequence[Realised]]) -> Iterator[str]:
    """A line for each stream as it comes: alarms a year beside each budget; * where the promise is not kept."""
    is_first = True
    for row in results:
        if is_first:
            promised = "".join(f"{f'promised {each.budget:g}':>14}" for each in row)
            yield f"{'a day':>7}  {'dispersion':<12}{'years':>6}{promised}"
            is_first = False
        stream = row[0].stream
        kind = f"{stream.dispersion:g} by {'hour' if stream.is_hourly else 'day'}" if stream.dispersion else "Poisson"
        found = "".join(f"{f'{each.per_year:.2f}' + (' ' if each.is_kept else '*'):>14}" for each in row)
        yield f"{stream.per_day:>7g}  {kind:<12}{row[0].years:>6.1f}{found}"


def is_within_two(count: int, years: float, per_year: float) -> bool:
    """Whether a true rate from half of `per_year` to twice as much can have brought so many in so many years.

    Few say little: the count is Poisson, and its 95% interval is set beside the range.
    """
    low, high = interval(count)
    return low / years <= 2 * per_year and high / years >= per_year / 2


def interval(count: int) -> tuple[float, float]:
    """The 95% interval of a Poisson mean that brought this count (Garwood 1936), by Wilson and Hilferty's cube."""
    z = 1.959963985
    low = 0.0 if count == 0 else count * (1 - 1 / (9 * count) - z / (3 * math.sqrt(count))) ** 3
    more = count + 1
    return low, more * (1 - 1 / (9 * more) + z / (3 * math.sqrt(more))) ** 3
