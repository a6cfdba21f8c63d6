"""How sure a figure is, and whether one of two classifiers is really better: bootstrap intervals, McNemar's test."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.evaluate import TaskResult

__all__ = ["Comparison", "Gap", "Range", "compare", "mcnemar", "spread", "wilson"]

Matrix = npt.NDArray[np.float64]

RESAMPLES = 2_000
CHUNK = 100
"""Resamples computed at a time: bounds the memory."""
Z_95 = 1.959964
"""Between minus and plus this lie 95% of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Range:
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Gap(Range):
    """How much better the first classifier is, with its 95% interval; above 0 where the first one wins."""

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first classifier against the second on the same labels."""

    answers: int
    accuracy: Gap
    macro_f1: Gap
    weighted_f1: Gap
    only_first_right: int
    only_second_right: int
    p_value: float
    """McNemar's exact test, two-sided: how likely so uneven a split is if both are equally good."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON."""
        return asdict(self)


def compare(first: TaskResult, second: TaskResult, resamples: int = RESAMPLES, seed: int = 7) -> Comparison:
    """Compare two classifiers' answers to the same labels.

    The bootstrap draws whole texts with replacement (percentile interval; Efron and Tibshirani 1993, chapter 13): the
    mentions of one text stay together, because they are not independent. McNemar's test takes them as if they were.
    Raises ValueError when the answers are not to the same labels.
    """
    asked = [(each.row, each.truth) for each in first.answers]
    if first.task != second.task or asked != [(each.row, each.truth) for each in second.answers]:
        message = f"answers to {first.task} and to {second.task} of different rows cannot be compared"
        raise ValueError(message)
    right_first, right_second = (
        np.asarray([each.predicted == each.truth for each in result.answers]) for result in (first, second)
    )
    points, samples = _bootstrap((first, second), resamples, seed)
    gaps = [
        Gap(float(difference), *_interval(sample))
        for difference, sample in zip(points[0] - points[1], (samples[0] - samples[1]).T, strict=True)
    ]
    wins, losses = int((right_first & ~right_second).sum()), int((right_second & ~right_first).sum())
    return Comparison(len(asked), gaps[0], gaps[1], gaps[2], wins, losses, mcnemar(wins, losses))


def spread(result: TaskResult, resamples: int = RESAMPLES, seed: int = 7) -> dict[str, Range]:
    """Accuracy, macro F1 and weighted F1 with the interval that the choice of the set's texts alone would give."""
    points, samples = _bootstrap((result,), resamples, seed)
    names = ("accuracy", "macro_f1", "weighted_f1")
    return {
        name: Range(float(point), *_interval(sample))
        for name, point, sample in zip(names, points[0], samples[0].T, strict=True)
    }


def mcnemar(only_first_right: int, only_second_right: int) -> float:
    """The exact two-sided p of a split of the answers on which two classifiers differ; 1 when they never do.

    McNemar 1947, with the binomial distribution instead of its approximation.
    """
    differing, fewer = only_first_right + only_second_right, min(only_first_right, only_second_right)
    tail = sum(
        math.exp(
            math.lgamma(differing + 1) - math.lgamma(k + 1) - math.lgamma(differing - k + 1) - differing * math.log(2)
        )
        for k in range(fewer + 1)
    )
    return min(1.0, 2 * tail)


def wilson(hits: int, rows: int) -> Range:
    """A share of independent rows with its 95% score interval (Wilson 1927); without rows it may be anything."""
    if not rows:
        return Range(0.0, 0.0, 1.0)
    share, z2 = hits / rows, Z_95 * Z_95
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = Z_95 / (1 + z2 / rows) * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows * rows))
    # The share lies inside; at none and at all hits an end is the share itself, and rounding must not pass it.
    return Range(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def _bootstrap(results: Sequence[TaskResult], resamples: int, seed: int) -> tuple[list[Matrix], list[Matrix]]:
    """For each result its three figures [3], and those of each resample [S, 3]; a resample is the same for all."""
    _, texts = np.unique([each.row for each in results[0].answers], return_inverse=True)
    size = int(texts.max()) + 1
    counts = [_confusions(result, texts, size) for result in results]
    chooser = np.random.default_rng(seed)
    samples: list[list[Matrix]] = [[] for _ in results]
    for start in range(0, resamples, CHUNK):
        drawn = chooser.integers(0, size, (min(CHUNK, resamples - start), size))
        weights = np.stack([np.bincount(line, minlength=size) for line in drawn]).astype(np.float32)
        for number, each in enumerate(counts):
            samples[number].append(_figures(weights @ each))
    return (
        [_figures(each.sum(axis=0, keepdims=True))[0] for each in counts],
        [np.concatenate(chunks) for chunks in samples],
    )


def _confusions(result: TaskResult, texts: npt.NDArray[np.int_], size: int) -> npt.NDArray[np.float32]:
    """[texts, K * K]: each text's confusion matrix."""
    labels = len(result.labels)
    counts = np.zeros((size, labels * labels), dtype=np.float32)
    cells = np.asarray([each.truth * labels + each.predicted for each in result.answers])
    np.add.at(counts, (texts, cells), 1)
    return counts


def _figures(flat: npt.NDArray[np.float32]) -> Matrix:
    """Accuracy, macro F1 and weighted F1 [S, 3] of confusion matrices [S, K * K]."""
    labels = math.isqrt(flat.shape[1])
    confusion = flat.astype(np.float64).reshape(-1, labels, labels)
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    support, given = confusion.sum(axis=2), confusion.sum(axis=1)
    f1 = 2 * hits / np.maximum(support + given, 1)
    rows = support.sum(axis=1)
    return np.stack([hits.sum(axis=1) / rows, f1.mean(axis=1), (f1 * support).sum(axis=1) / rows], axis=1)


def _interval(sample: Matrix) -> tuple[float, float]:
    low, high = np.quantile(sample, [0.025, 0.975])
    return float(low), float(high)
