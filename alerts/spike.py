"""When a count of negative mentions is a spike: the threshold from a budget of false alarms."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.baseline import Baseline
from bearometer.alert import Spike
from bearometer.settings import AlertSettings

__all__ = ["Look", "false_alerts_per_year", "is_less_likely", "look_at", "threshold", "yearly"]

YEAR = timedelta(days=365.25)
CLEAREST = 0.5
"""An alert clears at the latest when the count is no longer above what is usual."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the detector says of a symbol at one moment of event time, `spike.end`."""

    spike: Spike
    over: bool
    """Unlikely enough, and of enough posts and authors, to start an alert."""
    quiet: bool
    """Likely enough to end one."""


def threshold(count: int, window: timedelta, false_alerts_per_symbol_year: float) -> float:
    """The p-value at or under which `count` in a window is a spike.

    Windows slide, so "p <= budget / windows per year" would be too many alarms: one burst more or less is looked
    at again and again. What costs is a *crossing*: an arrival that lifts the window's count from k-1 to k. With
    arrivals at rate x given the count, crossings of k come at E[x | X = k-1] · P(X = k-1) per window length. For
    the Poisson this is mean · P(k-1) = k · P(X = k). For the negative binomial, whose rate given X = k-1 has the
    mean (r+k-1) · mean / (r+mean), it is (r+k-1) · mean / (r+mean) · P(k-1) = k · P(X = k) as well. So with N
    windows per year

        false alerts per year  =  N · k · P(X = k)  <=  N · k · P(X >= k)  =  N · k · p

    and asking for N · k · p <= budget keeps to the budget however often the window is looked at. It errs on the
    quiet side: P(X >= k) > P(X = k), counts are whole, minimum posts and the cool-down only take away.
    """
    return min(CLEAREST, false_alerts_per_symbol_year * (window / YEAR) / max(1, count))


def false_alerts_per_year(spike: Spike) -> float:
    """How many spikes as unlikely as this one a year the symbol's past would bring by chance.

    The inverse is the odds in words: 0.1 means about once in ten years.
    """
    return YEAR / (spike.end - spike.start) * max(1, spike.negative) * spike.p_value


def yearly(spike: Spike) -> float:
    """How many spikes as strange as this one its symbol's past would bring in a year by chance, as well as is known."""
    return spike.per_year if spike.per_year is not None else false_alerts_per_year(spike)


def is_less_likely(spike: Spike, than: Spike, factor: float = 1.0) -> bool:
    """Whether `spike` is the stranger one, and at least `factor` times less likely.

    By what the past would bring in a year where both know it: windows of different lengths compare so. A probability
    that is too small for a float is as small as any other such.
    """
    if spike.per_year is None or than.per_year is None:
        mine, other = spike.p_value, than.p_value
    else:
        mine, other = spike.per_year, than.per_year
    return mine < other and mine * factor <= other


def look_at(
    *,
    symbol: str,
    end: datetime,
    window: timedelta,
    negative: int,
    authors: int,
    baseline: Baseline,
    warm: bool,
    settings: AlertSettings,
) -> Look:
    """Judge `negative` distinct negative mentions by `authors` authors in the window that ends at `end`.

    A baseline that is not `warm` (it knows too little of the past) never makes a spike.
    """
    p_value = baseline.p_value(negative)
    limit = threshold(negative, window, settings.false_alerts_per_symbol_year)
    spike = Spike(
        symbol=symbol,
        start=end - window,
        end=end,
        negative=negative,
        expected=baseline.expected,
        p_value=p_value,
        authors=authors,
    )
    enough = negative >= settings.min_posts and authors >= settings.min_authors
    return Look(
        spike=spike,
        over=warm and enough and negative > baseline.expected and p_value <= limit,
        quiet=p_value > min(CLEAREST, limit * settings.clear_factor),
    )
