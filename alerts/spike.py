"""How unlikely a spike is, and which of two is the stranger."""

from dataclasses import dataclass
from datetime import timedelta

from bearometer.alert import Spike

__all__ = ["Look", "is_less_likely", "yearly"]

YEAR = timedelta(days=365.25)


@dataclass(frozen=True, slots=True)
class Look:
    """What the detector says of a symbol at one moment of event time, `spike.end`."""

    spike: Spike
    over: bool
    """Unlikely enough, and of enough posts and authors, to start an alert."""
    quiet: bool
    """Likely enough to end one."""


def yearly(spike: Spike) -> float:
    """How many spikes as strange as this one its symbol's past would bring in a year by chance, as well as is known.

    The inverse is the odds in words: 0.1 means about once in ten years. A spike that older versions found has only a
    probability: windows a year, times crossings of the count in each (`alerts.surprise`).
    """
    if spike.per_year is not None:
        return spike.per_year
    return YEAR / (spike.end - spike.start) * max(1, spike.negative) * spike.p_value


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
