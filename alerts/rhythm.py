"""The hours of the day: how much more or less than on average is said in each."""

from alerts.surprise import BINS_A_WEEK

__all__ = ["Rhythm"]

KEPT_A_DAY: float = 0.5 ** (1 / 21)
"""A half-life of three weeks."""
PRIOR_VARIANCE = 0.5
"""Of the factors, before there is data: the Gamma's."""
MOST_SPREAD = 0.3
"""How much one day's hour is taken to differ from the next one's at most, as a relative variance: where the past says
less, less; few posts make it differ by 1/n more. A fixed 0.3 kept the quiet hours of a steady stream 5% too high."""
HOURS = 24
BINS_AN_HOUR = BINS_A_WEEK // 7 // HOURS


class Rhythm:
    """Factors by hour of the day (UTC) of mean 1, shrunk towards 1 until there is data (Gamma-Poisson)."""

    __slots__ = ("_expected", "_factors", "_seen")

    def __init__(self) -> None:
        self._seen = [0.0] * HOURS
        self._expected = [0.0] * HOURS
        self._factors = [1.0] * HOURS

    def over(self, bin: int, bins: int) -> float:
        """The mean factor of the window of so many bins, at most a day, that ends with this one."""
        factors = self._factors
        if bins == HOURS * BINS_AN_HOUR:
            return 1.0
        hour, place = divmod(bin, BINS_AN_HOUR)
        if bins == 1:
            # Between the middles of the hours: a step at the full hour would look like a burst, or hide one.
            middle = (place + 0.5) / BINS_AN_HOUR - 0.5
            near = factors[(hour + (1 if middle > 0 else -1)) % HOURS]
            return factors[hour % HOURS] * (1 - abs(middle)) + near * abs(middle)
        whole, rest = divmod(bins - place - 1, BINS_AN_HOUR)
        total = factors[hour % HOURS] * (place + 1) + factors[(hour - whole - 1) % HOURS] * rest
        for back in range(1, whole + 1):
            total += BINS_AN_HOUR * factors[(hour - back) % HOURS]
        return total / bins

    def teach(self, hour: int, seen: float, usual: float, spread: float) -> None:
        """An hour is over that had `seen`, where an average one has `usual` and differs by `spread` (relative)."""
        h = hour % HOURS
        self._seen[h] = self._seen[h] * KEPT_A_DAY + seen
        self._expected[h] = self._expected[h] * KEPT_A_DAY + usual
        self._shrink(h, usual, spread)
        if h == HOURS - 1:
            self._balance()

    def rest(self, hour: int, hours: int, usual: float, spread: float) -> None:
        """So many hours from this one on had nothing."""
        days, left = divmod(hours, HOURS)
        for h in range(HOURS):
            times = days + ((h - hour) % HOURS < left)
            if times:
                kept = KEPT_A_DAY**times
                self._seen[h] *= kept
                self._expected[h] = self._expected[h] * kept + usual * (1 - kept) / (1 - KEPT_A_DAY)
                self._shrink(h, usual, spread)
        self._balance()

    def _shrink(self, h: int, usual: float, spread: float) -> None:
        prior = (min(MOST_SPREAD, spread) * usual + 1) / PRIOR_VARIANCE
        self._factors[h] = (prior + self._seen[h]) / (prior + self._expected[h])

    def _balance(self) -> None:
        mean = sum(self._factors) / HOURS
        self._factors = [factor / mean for factor in self._factors]
