"""Whether the texts of these days are still like those that the model has learnt from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from model.profile import Profile, Survey

__all__ = ["MIN_TEXTS", "Level", "Limits", "Shift", "compare", "jensen_shannon", "stability_index"]

Counts = Sequence[int] | npt.NDArray[np.int64]

MIN_TEXTS = 100
"""Of fewer, chance says more than any change."""


class Level(StrEnum):
    """How much a distribution has moved."""

    STEADY = "steady"
    WATCH = "watch"
    DRIFTED = "drifted"


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a distance is worth watching, and from where on it is drift."""

    watch: float
    drift: float


PSI_LIMITS = Limits(0.1, 0.25)
"""The usual reading of the population stability index: N. Siddiqi, Credit Risk Scorecards (2006), chapter 9."""

JS_LIMITS = Limits(0.03, 0.07)
"""Measured with the 300 likeliest tokens of the training sets together, chance taken off: other texts of the same
mixture 0.000, each single set (tweets or headlines) 0.015 to 0.06, stock tweets of another decade 0.09."""

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one distribution has moved from the reference, and what that is in words."""

    name: str
    measure: str
    """`PSI` or `JS`."""
    value: float
    chance: float
    """What the measure would show by chance: its 99.9% point for PSI, its mean (taken off the value) for JS."""
    limits: Limits
    level: Level
    words: str


def stability_index(reference: Counts, recent: Counts) -> float:
    """Population stability index of two histograms over the same bins: 0 where their shares are equal.

    The sum over the bins of (recent - reference) · ln(recent / reference); half a count is added to each bin so that
    an empty one gives no infinity.
    """
    before, after = _smoothed(reference), _smoothed(recent)
    return float(np.sum((after - before) * np.log(after / before)))


def chance_index(bins: int, reference: int, recent: int) -> float:
    """The stability index that is exceeded once in a thousand times where nothing has changed.

    It is distributed as chi-square with `bins` - 1 degrees, times 1/reference + 1/recent (B. Yurdakul, Statistical
    Properties of Population Stability Index, 2018); the quantile is Wilson and Hilferty's (1931).
    """
    degrees = max(1, bins - 1)
    spread = 2 / (9 * degrees)
    quantile = degrees * (1 - spread + 3.0902 * math.sqrt(spread)) ** 3
    return quantile * (1 / max(1, reference) + 1 / max(1, recent))


def jensen_shannon(reference: Counts, recent: Counts) -> float:
    """Jensen-Shannon divergence in bits (Lin 1991): 0 of equal shares, 1 of shares that have nothing in common."""
    before, after = (np.asarray(counts, dtype=np.float64) / max(1, np.sum(counts)) for counts in (reference, recent))
    middle = (before + after) / 2

    def gain(share: npt.NDArray[np.float64]) -> float:
        held = share > 0
        return float(np.sum(share[held] * np.log2(share[held] / middle[held])))

    return min(1.0, max(0.0, (gain(before) + gain(after)) / 2))


def compare(profile: Profile, recent: Survey) -> list[Shift]:
    """Every distribution that both know, the recent one against the reference. At least MIN_TEXTS texts are wanted.

    Scores and topics are compared where at least MIN_TEXTS texts were judged.
    """
    shifts = [_lengths(profile, recent), *_vocabulary(profile, recent)]
    if recent.judged >= MIN_TEXTS:
        shifts.insert(0, _scores(profile, recent))
        if sum(profile.topics.values()) and sum(recent.topics.values()):
            shifts.append(_topics(profile, recent))
    return shifts


def _scores(profile: Profile, recent: Survey) -> Shift:
    after = recent.score_counts()
    place = _most_risen(profile.scores, after)
    width = 2 / len(after)
    words = (
        f"mean score {recent.mean_score:+.2f}, in training {profile.mean_score:+.2f}; "
        f"{_percent(after, place)} lie from {place * width - 1:+.1f} to {(place + 1) * width - 1:+.1f}, "
        f"in training {_percent(profile.scores, place)}"
    )
    return _by_index("score", profile.scores, after, words, sum(after))


def _lengths(profile: Profile, recent: Survey) -> Shift:
    after = recent.length_counts(profile.length_edges)
    place = _most_risen(profile.lengths, after)
    start, *rest = [0, *profile.length_edges][place:]
    words = (
        f"{_percent(after, place)} of the texts have {f'{start} to {rest[0] - 1}' if rest else f'{start} and more'} "
        f"characters, in training {_percent(profile.lengths, place)}; half have up to {recent.median_length}, "
        f"in training {profile.median_length}"
    )
    return _by_index("length", profile.lengths, after, words, recent.texts)


def _vocabulary(profile: Profile, recent: Survey) -> list[Shift]:
    after, other = recent.token_counts(profile.tokens)
    before = [*profile.token_counts, profile.other_tokens]
    counts = [*after, other]
    # Of equal distributions the divergence is on average (bins - 1) / (8 ln 2) · (1/n + 1/m), as of a chi-square.
    size, base = max(1, sum(counts)), max(1, sum(before))
    chance = (len(counts) - 1) / (8 * math.log(2)) * (1 / base + 1 / size)
    value = max(0.0, jensen_shannon(before, counts) - chance)
    words = f"more often than in training: {', '.join(recent.risen(profile, SHOWN)) or 'no word'}"
    level = _level(value, JS_LIMITS)
    common = Shift("vocabulary", "JS", value, chance, JS_LIMITS, level, words)
    rare = [base - profile.rare_tokens, profile.rare_tokens], [size - recent.rare(profile), recent.rare(profile)]
    words = (
        f"{_percent(rare[1], 1)} of the words are rare or unknown in the training data, "
        f"of the training data itself {_percent(rare[0], 1)}"
    )
    # The words of one text are not independent: what counts as a sample is the text.
    return [common, _by_index("rare words", *rare, words, recent.texts)]


def _topics(profile: Profile, recent: Survey) -> Shift:
    names = sorted({*profile.topics, *recent.topics})
    before, after = ([counts.get(name, 0) for name in names] for counts in (Counter(profile.topics), recent.topics))
    place = _most_risen(before, after)
    words = f"{_percent(after, place)} are about {names[place]}, in training {_percent(before, place)}"
    return _by_index("topics", before, after, words, sum(after))


def _by_index(name: str, reference: Counts, recent: Counts, words: str, samples: int) -> Shift:
    value = stability_index(reference, recent)
    chance = chance_index(len(reference), int(np.sum(reference)), samples)
    return Shift(name, "PSI", value, chance, PSI_LIMITS, _level(value, PSI_LIMITS, chance), words)


def _level(value: float, limits: Limits, chance: float = 0.0) -> Level:
    if value >= max(limits.drift, chance):
        return Level.DRIFTED
    return Level.WATCH if value >= max(limits.watch, chance) else Level.STEADY


def _smoothed(counts: Counts) -> npt.NDArray[np.float64]:
    padded = np.asarray(counts, dtype=np.float64) + 0.5
    shares: npt.NDArray[np.float64] = padded / padded.sum()
    return shares


def _most_risen(reference: Counts, recent: Counts) -> int:
    return int(np.argmax(_smoothed(recent) - _smoothed(reference)))


def _percent(counts: Counts, place: int) -> str:
    return f"{counts[place] / max(1, sum(counts)):.1%}"
