"""From how strange the windows of several lengths are to bursts a year: calibration, and one number of many.

The lengths' calibrated heights are averaged: a burst that shows at several lengths is rarer than one that shows at a
single one, and chance seldom does that. The mean is calibrated once more, on the symbol's own bursts of it.
"""

import math
from collections.abc import Mapping, Sequence

from alerts.past import FIRST_DAY, LENGTHS
from alerts.tail import Tail

__all__ = ["ALIKE", "DULLEST", "FUSED", "FUSED_SHARES", "LOG_NEWS", "MOST_A_YEAR", "Fusion"]

_Bursts = Mapping[int, tuple[float, float]]

WEEKS_A_YEAR = 365.25 / 7
NEWS = 3.5
"""The threshold of the bursts: the model says that chance brings one every other day."""
LOG_NEWS = math.log(NEWS)
NEWS_WEIGHT = 20.0
"""Bursts that the model's word weighs against the symbol's own. With few, nothing could be rare in a symbol's first
weeks: the tail is as heavy as it is unsure (4 made Walmart's crash of 2015-10-14 a thing of once in 20 years). From 4
to 40 the false alarms of `alerts.simulate` and NAB's score hardly move."""
DULLEST = -1.0
"""A length of window that is not strange at all takes this much from the mean of the logarithms, and not more."""
FUSED = {1: (NEWS, 1.0), 2: (2.3, 0.85), 3: (1.5, 0.75), 4: (1.5, 0.68)}
"""Of counts, by the number of lengths: bursts a week whose mean logarithm is over 0, and their peaks' mean height, on
simulated streams of 2 posts a day to 50 a minute. A mean of several is less often high than a single one."""
FUSED_SHARES = {1: (NEWS, 1.0), 2: (1.7, 0.9), 3: (1.2, 0.65), 4: (0.7, 0.55)}
"""The same of shares, which are bounded: their windows are less often strange."""
ALIKE = {1: (1.5, 0.85)}
"""Of counts, by how many different things the lengths say, where that is fewer than they are: lengths that hold the
same posts say one thing together. Read off shuffled days of symbols that are hardly spoken of (docs/calibration.md).
Of more things FUSED holds as it is; of shares FUSED_SHARES goes by the things."""
FUSED_WEIGHT = 40.0
"""Bursts that this weighs against the symbol's own. A symbol with much real news should not grow deaf to it soon."""
MOST_A_YEAR = 365.25 * FIRST_DAY
"""Stands for "always"."""


class Fusion:
    """From the surprises at several lengths to bursts a year."""

    __slots__ = ("_alike", "_expected", "_first", "_fused", "_tails")

    def __init__(self, first_bin: int, expected: _Bursts, alike: _Bursts) -> None:
        """`expected` is FUSED and `alike` ALIKE, or both are FUSED_SHARES."""
        self._first = first_bin
        self._expected = expected
        self._alike = alike
        self._tails = tuple(Tail(first_bin, NEWS, NEWS_WEIGHT) for _ in LENGTHS)
        self._fused: dict[tuple[int, ...], Tail] = {}

    def per_year(
        self, bin: int, places: tuple[int, ...], surprises: Sequence[float], posts: Sequence[float], *, teaches: bool
    ) -> float:
        """`surprises` are heights over the threshold NEWS, one for each place; a bin without posts teaches nothing.

        `posts` is how many each length holds. Lengths with as many hold the same ones, and say one thing together: the
        first post in weeks is as rare as it is, however many windows it stands in.
        """
        total = 0.0
        for place, surprise in zip(places, surprises, strict=True):
            height = surprise
            if surprise > 0:
                height = LOG_NEWS - self._tails[place].look(bin, surprise, teaches=teaches)
            total += max(DULLEST, height)
        per_week, steepness = self._expected[len(places)]
        height, things = total / len(places), len(set(posts))
        if things < len(places) and things in self._alike:
            # On the scale of the others, so that one tail counts the bursts of both.
            per_week_alike, steepness = self._alike[things]
            height += steepness * math.log(per_week / per_week_alike)
        height /= steepness
        if height > 0:
            if places not in self._fused:
                self._fused[places] = Tail(self._first, per_week, FUSED_WEIGHT)
            return math.exp(self._fused[places].look(bin, height, teaches=teaches)) * WEEKS_A_YEAR
        return min(MOST_A_YEAR, per_week * math.exp(-height) * WEEKS_A_YEAR)
