"""How strange a look is by the symbol's own bursts: peaks over a threshold.

What a model calls strange it may see every week, since no model is right about everything. So bursts are counted:
stretches in which the model's strangeness is over a low threshold, at least a day apart. They come at a rate, and the
heights of their peaks above the threshold have a tail; both are learned, and give the rate of bursts that are at least
as high (Pickands 1975, Balkema and de Haan 1974: excesses over a threshold are generalised Pareto).

Heights are logarithms of rates. Under a right model they are exponential of mean 1, so the prior of the exponential's
rate is Gamma(w, w); after n peaks that add up to e it is Gamma(w + n, w + e), and the chance that the next peak is
higher than h is the Lomax (1 + h / (w + e)) ** -(w + n), a generalised Pareto itself. The rate of bursts has the prior
Gamma(w, w / prior rate). So a new symbol has the model's word, and a known one has its own past's, both with a tail as
heavy as they are unsure.
"""

from math import log, log1p

from alerts.surprise import BINS_A_WEEK

__all__ = ["GAP", "Tail"]

GAP = 288
"""Bins without a look over the threshold that end a burst."""
HALF_LIFE = 52 * BINS_A_WEEK
FORGETTING: float = 0.5 ** (1 / HALF_LIFE)


class Tail:
    """The bursts of one statistic of one symbol; a look is judged before it teaches, a burst teaches when it is over.

    `per_week` is how many bursts a week the prior expects, and `weight` how many bursts the prior weighs.
    """

    __slots__ = ("_bursts", "_heights", "_last", "_peak", "_rate", "_since", "_weeks", "_weight")

    def __init__(self, first_bin: int, per_week: float, weight: float) -> None:
        self._rate, self._weight = per_week, weight
        self._bursts = self._heights = self._weeks = 0.0
        self._since = first_bin
        """The bin up to which `_weeks` counts."""
        self._peak = 0.0
        """The highest of the burst that goes on, or of the last one until it has taught; 0 when there is none."""
        self._last = first_bin
        """The last bin over the threshold."""

    def look(self, bin: int, height: float, *, teaches: bool = True) -> float:
        """Logarithm of the rate a week of bursts that are at least this high above the threshold; height > 0.

        Bins come in ascending order; the same again is the same look, seen better.
        """
        passed = max(0, bin - self._since)
        kept = FORGETTING**passed
        weeks = self._weeks * kept + passed / BINS_A_WEEK
        bursts, heights, peak = self._bursts * kept, self._heights * kept, self._peak
        if peak and bin - self._last > GAP:
            bursts, heights, peak = bursts + 1, heights + peak, 0.0
        if teaches:
            self._weeks, self._bursts, self._heights = weeks, bursts, heights
            self._peak, self._since, self._last = max(peak, height), bin, bin
        shape = self._weight + bursts
        per_week = shape / (self._weight / self._rate + weeks)
        return log(per_week) - shape * log1p(height / (self._weight + heights))
