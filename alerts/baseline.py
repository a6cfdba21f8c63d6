"""What a symbol's own past makes us expect: a Gamma-Poisson baseline of distinct negative mentions.

The number X of distinct negative mentions in a window is Poisson with a rate that is not known (its posterior is a
Gamma) and that moves from window to window (by another Gamma factor, the dispersion). Both are folded into one
negative binomial of the same mean and variance, whose upper tail is the p-value of a spike.

Periods are as long as the window (days for `24h`, hours for `1h`), so that a past period is counted as the window is
and a day's rhythm is either inside every window or a part of the measured dispersion.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Baseline", "learn_baseline", "upper_tail"]

PRIOR_SHAPE = 0.25
"""Shape of the Gamma that a symbol's rate is drawn from before anything is known of it: measured over the 82 symbols of
the StockNet tweets of 2015q4 with a small classifier. So small a shape gives way to data within days."""
PRIOR_PER_DAY = 0.15
"""Its mean: distinct negative mentions a day and symbol, over the same tweets."""
PRIOR_DISPERSION = 0.5
"""Relative variance of the rate from one period to the next, pooled over the same tweets: 0.3 to 0.5 without the few
days of real bursts, 0.7 to 1.2 with them."""
PRIOR_DISPERSION_SIGNAL = 10.0
"""How much signal (sum of squared means over the past) it takes to believe the data as much as the prior: the counts of
a sparse symbol say nothing of dispersion."""
PRIOR_DISPERSION_DAYS = 4.0
"""How many days of past it takes besides: three busy days say little of how much days differ."""
LEAST_DISPERSION = 0.1
"""However regular the past was, the future may drift by this much (0.1: by a third, up or down)."""
DISPERSION_ERRORS = 1.5
"""Standard errors that are added to the measured dispersion: too low a value costs false alarms, too high a value
only some sensitivity."""
CLIP_DEVIATIONS = 4.0
"""A past period teaches at most this many standard deviations above what was expected of it then."""
FIRST_DAYS = 7
FIRST_DAYS_CLIP = 4.0
"""In the first days nothing tells a burst from a busy symbol but its other days: a period teaches at most this many
times their mean."""
CLIP_LEAST = 3.0
"""A count up to this is never clipped."""
SMALLEST = 1e-300
"""Stands for every smaller probability, so that the odds of a spike stay finite."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The negative binomial that the next window's count is expected to follow."""

    expected: float
    """Its mean."""
    shape: float
    """Its size parameter: variance is expected + expected² / shape."""

    def p_value(self, count: int) -> float:
        """Probability of at least `count`."""
        return upper_tail(count, self.expected, self.shape)


def learn_baseline(
    counts: Iterable[tuple[int, int]], start: int, end: int, half_life: float, periods_per_day: float
) -> Baseline:
    """The baseline after the periods `start` <= p < `end`.

    `counts` are (period, distinct negative mentions), ascending, without the periods that had none and with none
    outside of start and end. `half_life` is in periods. The result depends on nothing else: whoever knows the same
    past expects the same. Each period is clipped at what the periods before it made plausible, so that a burst is
    remembered as a bad day and not as the new normal; a rate that stays high is still learned within a few periods.
    """
    past = _Past(half_life, periods_per_day)
    known = list(counts)
    settled = min(end, start + round(FIRST_DAYS * periods_per_day))
    first = [count for period, count in known if period < settled]
    at = start
    for period, count in known:
        past.idle(period - at)
        if period < settled:
            others = (sum(first) - count) / max(1, settled - start - 1)
            past.learn(count, FIRST_DAYS_CLIP * others)
        else:
            past.learn(count, past.plausible())
        at = period + 1
    past.idle(end - at)
    return past.baseline()


class _Past:
    """Decayed sums over periods: their weights, counts and squared counts."""

    def __init__(self, half_life: float, periods_per_day: float) -> None:
        self._decay = 0.5 ** (1 / half_life)
        self._prior_exposure = PRIOR_SHAPE / PRIOR_PER_DAY * periods_per_day
        self._prior_weight = PRIOR_DISPERSION_DAYS * periods_per_day
        self._weight = self._sum = self._squares = 0.0

    def idle(self, periods: int) -> None:
        """Let periods without a mention pass."""
        if periods > 0:
            kept = self._decay**periods
            self._weight = self._weight * kept + (1 - kept) / (1 - self._decay)
            self._sum *= kept
            self._squares *= kept

    def learn(self, count: int, most: float) -> None:
        """Let one period pass that had `count`, and take no more than `most` of it for real."""
        learned = min(float(count), max(CLIP_LEAST, most))
        self._weight = self._weight * self._decay + 1
        self._sum = self._sum * self._decay + learned
        self._squares = self._squares * self._decay + learned * learned

    def plausible(self) -> float:
        """The most that the next period may have without being strange."""
        next_period = self.baseline()
        variance = next_period.expected + next_period.expected**2 / next_period.shape
        return next_period.expected + CLIP_DEVIATIONS * math.sqrt(variance)

    def baseline(self) -> Baseline:
        """What is expected of the next period.

        The rate's posterior is Gamma with relative variance 1/a, the dispersion multiplies it by a factor of
        relative variance d: together (1 + 1/a)(1 + d) - 1, and the shape of the negative binomial is its inverse.
        """
        a = PRIOR_SHAPE + self._sum
        expected = a / (self._prior_exposure + self._weight)
        dispersion = self._dispersion()
        return Baseline(expected, 1 / ((1 + 1 / a) * (1 + dispersion) - 1))

    def _dispersion(self) -> float:
        """Moment estimate, shrunk towards the prior, and a margin: E[(x - m)² - x] = d m², summed over the past."""
        if self._sum == 0:
            return PRIOR_DISPERSION
        signal = self._sum * self._sum / self._weight
        measured = max(0.0, (self._squares - signal - self._sum) / signal)
        trust = signal / (PRIOR_DISPERSION_SIGNAL + signal) * self._weight / (self._prior_weight + self._weight)
        shrunk = (1 - trust) * PRIOR_DISPERSION + trust * measured
        error = trust * shrunk * math.sqrt(2 / self._weight)
        return max(LEAST_DISPERSION, shrunk + DISPERSION_ERRORS * error)


def upper_tail(count: int, mean: float, shape: float) -> float:
    """P(X >= count) of the negative binomial with this mean and shape (variance mean + mean² / shape).

    It is the regularised incomplete beta function I_q(count, shape) with q = mean / (mean + shape) (DLMF 8.17.24),
    taken from its continued fraction (DLMF 8.17.22) times a prefactor kept as a logarithm: relative accuracy holds
    far into the tail. Never 0: what is smaller than 1e-300 is given as 1e-300.
    """
    if count <= 0:
        return 1.0
    q, rest = mean / (mean + shape), shape / (mean + shape)
    if q < (count + 1) / (count + shape + 2):
        logarithm = _log_prefactor(count, shape, q, rest) + math.log(_continued_fraction(count, shape, q) / count)
        return min(1.0, max(SMALLEST, math.exp(max(logarithm, -700.0))))
    below = math.exp(_log_prefactor(shape, count, rest, q)) * _continued_fraction(shape, count, rest) / shape
    return min(1.0, max(SMALLEST, 1.0 - below))


def _log_prefactor(a: float, b: float, x: float, y: float) -> float:
    return math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(y)


def _continued_fraction(a: float, b: float, x: float) -> float:
    """Lentz's method (Numerical Recipes, 6.4); takes some sqrt(max(a, b)) steps for x < (a + 1) / (a + b + 2)."""
    tiny = 1e-300
    c = 1.0
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    fraction = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d, tiny)
            c = _away_from_zero(1 + term / c, tiny)
            fraction *= c * d
        if abs(c * d - 1) < 1e-14:
            return fraction
    message = f"the incomplete beta function does not converge for a={a}, b={b}, x={x}"
    raise ArithmeticError(message)


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
