"""How good a classifier is: accuracy, F1 and the confusion matrix."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bearometer.mention import LABELS

__all__ = ["ClassMetrics", "Metrics", "measure"]

FEW_LABELS = 5
"""Of more labels than this a table shows F1 alone."""


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """One label's share of the answers; all three are 0 where there is nothing to divide by."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures over one labelled set."""

    rows: int
    accuracy: float
    macro_f1: float
    """Mean of the labels' F1, each label alike."""
    weighted_f1: float
    """Mean of the labels' F1, each weighted by its rows."""
    per_class: dict[str, ClassMetrics]
    confusion: tuple[tuple[int, ...], ...]
    """Rows by true label, columns by the label given, both in the order of LABELS."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON."""
        return asdict(self)


def measure(truth: Sequence[int], predicted: Sequence[int], labels: Sequence[str] = LABELS) -> Metrics:
    """Compare labels (places in `labels`); both sequences are of one length and not empty."""
    if len(truth) != len(predicted) or not truth:
        message = f"{len(truth)} true and {len(predicted)} predicted labels cannot be compared"
        raise ValueError(message)
    confusion = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(confusion, (np.asarray(truth), np.asarray(predicted)), 1)
    per_class: dict[str, ClassMetrics] = {}
    for index, label in enumerate(labels):
        hits = int(confusion[index, index])
        given, support = int(confusion[:, index].sum()), int(confusion[index].sum())
        per_class[label] = ClassMetrics(
            precision=hits / given if given else 0.0,
            recall=hits / support if support else 0.0,
            f1=2 * hits / (given + support) if given + support else 0.0,
            support=support,
        )
    rows = len(truth)
    return Metrics(
        rows=rows,
        accuracy=float(np.trace(confusion)) / rows,
        macro_f1=sum(part.f1 for part in per_class.values()) / len(labels),
        weighted_f1=sum(part.f1 * part.support for part in per_class.values()) / rows,
        per_class=per_class,
        confusion=tuple(tuple(int(cell) for cell in line) for line in confusion),
    )
