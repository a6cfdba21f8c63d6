"""A bare series of counts, watched for itself: one score a row, and one alarm an event."""

from alerts.detector import Detector
from alerts.surprise import BINS_A_WEEK
from bearometer.alert import Measure

__all__ = ["ALARM", "DEFAULT_PER_YEAR", "SeriesWatch"]

ALARM = 0.5
"""Scores from here on are alarms."""
DEFAULT_PER_YEAR = 26.0
"""One in two weeks: for a person who looks at a screen, not for one who is woken. Chosen on NAB's series, see
docs/alerts.md."""
SCALES = ("5m", "1h", "6h")
HOLD = BINS_A_WEEK // 7
"""Bins after an alarm in which there is no other: one event, one row."""
MOST_WITHOUT = 0.4999
"""The highest score of a row that is no alarm; 0.5 even when rounded to four digits would be one."""


class SeriesWatch:
    """Scores a series row by row, each by the rows before it alone.

    `per_year` is the budget: alarms a year that the series' own past would bring by chance. The first day has none.
    """

    def __init__(self, first_bin: int, per_year: float = DEFAULT_PER_YEAR) -> None:
        self._detector = Detector(first_bin, measures=(Measure.COUNT,))
        self._per_year = per_year
        self._alarm: int | None = None

    def score(self, bin: int, value: float) -> float:
        """From 0 to 1 for a row in this bin of five minutes, which is not before the last one; ALARM or more rings.

        The score is budget / (budget + bursts a year that are as strange), and just under ALARM in the day after an
        alarm. Bins without a row had nothing; several rows in one bin add up.
        """
        self._detector.add(bin, value, value)
        strange = self._detector.close(bin, SCALES)[Measure.COUNT].per_year
        score = self._per_year / (self._per_year + strange)
        if score >= ALARM and (self._alarm is None or bin - self._alarm >= HOLD):
            self._alarm = bin
            return score
        return min(score, MOST_WITHOUT)
