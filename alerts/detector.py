"""The detector of one symbol (or topic, or the market): how strange are the windows that end now, by its own past?

Pure and streaming: a small state, no I/O, no clock. Time is in bins of five minutes, numbered from 1970.

Three things are watched: the distinct negative mentions (COUNT: many speak badly), the negative part of all (SHARE:
those who speak, speak worse) and all of them (VOLUME). Each is looked at in windows of several lengths, in four steps:

1. *Expected*: level and spread of windows of that length in the symbol's own past, times the hour of the day
   (`alerts.past`, `alerts.rhythm`). Counts are negative binomial (Gamma-Poisson), shares Beta-binomial.
2. *Surprise*: how many windows a week reach what was seen, if that were all (`alerts.surprise`).
3. *Calibration*: how many bursts a week were at least as surprising in truth (`alerts.tail`).
4. *Fusion*: the mean of the lengths' logarithms, calibrated once more (`alerts.fusion`).

The numbers were chosen on plateaus over five series of the Numenta Anomaly Benchmark and on simulated streams; README
and `alerts.simulate` say how.
"""

from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from alerts.fusion import ALIKE, DULLEST, FUSED, FUSED_SHARES, LOG_NEWS, MOST_A_YEAR, Fusion
from alerts.past import DEFAULT_PRIOR, FIRST_DAY, KEPT, LENGTHS, CountPast, Prior, SharePast
from alerts.rhythm import BINS_AN_HOUR, Rhythm
from alerts.rules import SCALES
from alerts.surprise import count_crossings, count_high, share_crossings
from alerts.windows import Windows
from bearometer.alert import Measure

__all__ = ["Detector", "Finding", "InWindow"]

RELEARN_HOURS = 72
"""After so many hours in a row in which the day was too high to be believed, it is believed."""


class InWindow(NamedTuple):
    """What is found in the window of one length."""

    scale: str
    seen: float
    """What was counted in it; of SHARE, the negative part of the posts (0 where there were none)."""
    of: int | None
    """Of SHARE, the number of posts in it."""
    expected: float
    surprise: float
    """How much rarer the model calls it than what comes every other day, as a logarithm; under 0 it is no news."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How strange one measure is at the end of a bin."""

    measure: Measure
    windows: tuple[InWindow, ...]
    """Of each length that was looked at, the strangest first; those in which nothing is strange last, the longest
    before."""
    per_year: float
    """Bursts at least as strange, all lengths together, that the symbol's own past would bring in a year by chance."""

    @property
    def strangest(self) -> InWindow:
        """The first of `windows`."""
        return self.windows[0]


class Detector:
    """Takes counts and says how strange they are; see the module.

    Nothing that comes later changes what was found, and the same counts are found the same however they were cut into
    calls; only looking with other `scales` teaches something else. The first day is only learned from.
    """

    __slots__ = ("_bin", "_counted", "_first", "_hour", "_idle", "_run", "_share", "_waiting", "_windows")

    def __init__(
        self, first_bin: int, prior: Prior = DEFAULT_PRIOR, measures: Collection[Measure] = tuple(Measure)
    ) -> None:
        """`first_bin` is the first one of which anything is known; a symbol that nobody speaks of then is quiet."""
        self._first = first_bin
        self._bin = first_bin
        """The first one that was not closed."""
        self._hour = first_bin // BINS_AN_HOUR
        """The first one that has not taught."""
        self._idle = 0
        """How many hours before that one have not taught either, because nothing was said for a day."""
        self._run = 0
        """Hours in a row in which the day was too high."""
        self._waiting: dict[int, tuple[float, float]] = {}
        self._windows = Windows(LENGTHS, first_bin)
        per_day = {Measure.COUNT: prior.negative_per_day, Measure.VOLUME: prior.posts_per_day}
        self._counted = tuple(
            _Counted(measure, first_bin, mean, prior.shape) for measure, mean in per_day.items() if measure in measures
        )
        self._share = _Share(first_bin, prior) if Measure.SHARE in measures else None

    def add(self, bin: int, negative: float, posts: float) -> None:
        """So many more were published in this bin, closed or not; what is older than a day is too late for anything.

        What comes late counts in the windows from the next look on, and teaches while its hour has not.
        """
        if bin >= self._bin:
            before = self._waiting.get(bin, (0, 0))
            self._waiting[bin] = before[0] + negative, before[1] + posts
        elif bin >= self._first:
            self._windows.add(bin, negative, posts)

    def close(self, bin: int, scales: Collection[str] = tuple(SCALES)) -> Mapping[Measure, Finding]:
        """What is found at the end of this bin; those that were left out before it had only what `add` brought.

        Bins come in ascending order, and the last one may be looked at again. ValueError for an earlier one, for no
        scale and for an unknown one.
        """
        places = _places(scales)
        if bin < self._bin - 1:
            message = f"bin {bin} comes after bin {self._bin - 1}"
            raise ValueError(message)
        for waiting in sorted(self._waiting):
            if waiting <= bin:
                self._advance(waiting)
                self._windows.add(waiting, *self._waiting.pop(waiting))
        self._advance(bin)
        self._bin = bin + 1
        is_warm = bin >= self._first + FIRST_DAY
        findings = {each.measure: each.find(bin, places, self._windows, is_warm) for each in self._counted}
        if self._share is not None:
            findings[Measure.SHARE] = self._share.find(bin, places, self._windows, is_warm)
        return findings

    def expected(self, bin: int, scale: str) -> tuple[float, float]:
        """The count that is expected in the window of this scale at the end of the bin, and what is seldom exceeded.

        By what is known now, for a bin of about now. Of negative mentions, or of all where those are not watched.
        """
        return self._counted[0].expected(bin, _places((scale,))[0])

    def _advance(self, bin: int) -> None:
        """Teach the hours that end before this bin, and move the windows to it."""
        hour = bin // BINS_AN_HOUR
        while self._hour < hour:
            self._windows.slide(self._hour * BINS_AN_HOUR + BINS_AN_HOUR - 1)
            if self._windows.is_empty:
                # Nothing can happen until somebody speaks; then all these hours teach at once.
                self._idle += hour - self._hour
                self._hour = hour
                break
            self._wake()
            self._teach()
            self._hour += 1
        self._windows.slide(bin)

    def _wake(self) -> None:
        if self._idle:
            for each in self._counted:
                each.rest(self._hour - self._idle, self._idle)
            if self._share is not None:
                self._share.rest(self._idle)
            self._idle = self._run = 0

    def _teach(self) -> None:
        in_full = self._run >= RELEARN_HOURS
        last = self._hour * BINS_AN_HOUR + BINS_AN_HOUR - 1
        known = last - self._first + 1
        high = False
        for each in self._counted:
            high |= each.teach(self._hour, known, self._windows, in_full)
        if self._share is not None:
            self._share.teach(known, self._windows, in_full)
        self._run = self._run + 1 if high else 0


KEPT_AN_HOUR: float = KEPT**BINS_AN_HOUR


def _places(scales: Collection[str]) -> tuple[int, ...]:
    """Places in LENGTHS, ascending."""
    try:
        places = tuple(sorted({bisect_left(LENGTHS, SCALES[scale]) for scale in scales}))
    except KeyError as error:
        message = f"{error.args[0]!r} is no scale; there are {', '.join(SCALES)}"
        raise ValueError(message) from None
    if not places:
        message = "there must be a scale to look at"
        raise ValueError(message)
    return places


class _Counted:
    """The negative mentions, or all of them."""

    __slots__ = ("_fusion", "_pasts", "_rhythm", "measure")

    def __init__(self, measure: Measure, first_bin: int, per_day: float, shape: float) -> None:
        self.measure = measure
        self._pasts = tuple(CountPast(bins, per_day, shape) for bins in LENGTHS)
        self._rhythm = Rhythm()
        self._fusion = Fusion(first_bin, FUSED, ALIKE)

    def expected(self, bin: int, place: int) -> tuple[float, float]:
        past = self._pasts[place]
        mean = past.flat * self._rhythm.over(bin, past.bins)
        return mean, count_high(mean, past.spread)

    def find(self, bin: int, places: tuple[int, ...], windows: Windows, is_warm: bool) -> Finding:
        sums = windows.negative if self.measure is Measure.COUNT else windows.posts
        surprises, found = [], []
        for place in places:
            past, seen, surprise = self._pasts[place], sums[place], DULLEST
            mean = past.flat * self._rhythm.over(bin, past.bins)
            if seen > mean:
                surprise = LOG_NEWS - count_crossings(seen, mean, past.spread, past.bins)
            surprises.append(surprise)
            found.append((surprise, place, InWindow(_NAMES[place], seen, None, mean, surprise)))
        per_year = MOST_A_YEAR
        if is_warm:
            held = [sums[place] for place in places]
            per_year = self._fusion.per_year(bin, places, surprises, held, teaches=windows.has(bin))
        return Finding(self.measure, _ranked(found), per_year)

    def teach(self, hour: int, known: int, windows: Windows, in_full: bool) -> bool:
        """An hour is over, and the windows end with it; whether the day was too high to be believed."""
        end = hour * BINS_AN_HOUR + BINS_AN_HOUR - 1
        high = False
        for place, past in enumerate(self._pasts):
            if known < past.bins:
                break
            if place == 0:
                self._teach_bins(past, end, min(known, BINS_AN_HOUR), windows, in_full)
                continue
            factor = self._rhythm.over(end, past.bins)
            usual = past.flat
            learned, high = past.teach(self._seen(windows, place), factor, KEPT_AN_HOUR, in_full=in_full)
            if past.bins == BINS_AN_HOUR and known > FIRST_DAY:  # before, "usual" is hardly known
                self._rhythm.teach(hour, learned, usual, past.spread)
        return high

    def _teach_bins(self, past: CountPast, end: int, known: int, windows: Windows, in_full: bool) -> None:
        seen = windows.last(1, self.measure is Measure.COUNT)
        if len(seen) < known:
            past.teach(0.0, self._rhythm.over(end, BINS_AN_HOUR), KEPT ** (known - len(seen)), in_full=in_full)
        for bin, count in seen:
            past.teach(count, self._rhythm.over(bin, 1), KEPT, in_full=in_full)

    def rest(self, hour: int, hours: int) -> None:
        kept = KEPT_AN_HOUR**hours
        self._rhythm.rest(hour, hours, self._pasts[1].flat, self._pasts[1].spread)
        for past in self._pasts:
            past.teach(0.0, 1.0, kept)

    def _seen(self, windows: Windows, place: int) -> float:
        return windows.negative[place] if self.measure is Measure.COUNT else windows.posts[place]


class _Share:
    """The negative part of all mentions."""

    __slots__ = ("_fusion", "_pasts")

    def __init__(self, first_bin: int, prior: Prior) -> None:
        self._pasts = tuple(SharePast(bins, prior) for bins in LENGTHS)
        self._fusion = Fusion(first_bin, FUSED_SHARES, FUSED_SHARES)

    def find(self, bin: int, places: tuple[int, ...], windows: Windows, is_warm: bool) -> Finding:
        surprises, found = [], []
        for place in places:
            past, negative, posts, surprise = self._pasts[place], windows.negative[place], windows.posts[place], DULLEST
            if negative > past.share * posts:
                surprise = LOG_NEWS - share_crossings(
                    negative, posts, past.share, past.spread, past.bins, past.per_week
                )
            surprises.append(surprise)
            share = negative / posts if posts else 0.0
            found.append((surprise, place, InWindow(_NAMES[place], share, round(posts), past.share, surprise)))
        per_year = MOST_A_YEAR
        if is_warm:
            held = [windows.posts[place] for place in places]
            per_year = self._fusion.per_year(bin, places, surprises, held, teaches=windows.has(bin))
        return Finding(Measure.SHARE, _ranked(found), per_year)

    def teach(self, known: int, windows: Windows, in_full: bool) -> None:
        for place, past in enumerate(self._pasts):
            if known < past.bins:
                break
            past.teach(windows.negative[place], windows.posts[place], KEPT_AN_HOUR, in_full=in_full)

    def rest(self, hours: int) -> None:
        kept = KEPT_AN_HOUR**hours
        for past in self._pasts:
            past.teach(0.0, 0.0, kept)


_NAMES = tuple(name for length in LENGTHS for name, bins in SCALES.items() if bins == length)


def _ranked(found: list[tuple[float, int, InWindow]]) -> tuple[InWindow, ...]:
    found.sort(key=_RANK, reverse=True)
    return tuple(each[2] for each in found)


_RANK = itemgetter(0, 1)
