"""How good a classifier is: accuracy, F1 and the confusion matrix."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table

from bearometer.mention import LABELS

__all__ = ["ClassMetrics", "Metrics", "comparison_table", "confusion_table", "measure"]


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


def measure(truth: Sequence[int], predicted: Sequence[int]) -> Metrics:
    """Compare labels (places in LABELS); both sequences are of one length and not empty."""
    if len(truth) != len(predicted) or not truth:
        message = f"{len(truth)} true and {len(predicted)} predicted labels cannot be compared"
        raise ValueError(message)
    confusion = np.zeros((len(LABELS), len(LABELS)), dtype=int)
    np.add.at(confusion, (np.asarray(truth), np.asarray(predicted)), 1)
    per_class: dict[str, ClassMetrics] = {}
    for index, label in enumerate(LABELS):
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
        macro_f1=sum(part.f1 for part in per_class.values()) / len(LABELS),
        weighted_f1=sum(part.f1 * part.support for part in per_class.values()) / rows,
        per_class=per_class,
        confusion=tuple(tuple(int(cell) for cell in line) for line in confusion),
    )


def comparison_table(title: str, columns: dict[str, Metrics]) -> Table:
    """The figures of several measurements side by side, such as before and after training."""
    table = Table(title=title)
    table.add_column("measure")
    for name in columns:
        table.add_column(name, justify="right")
    table.add_row("accuracy", *(f"{metrics.accuracy:.4f}" for metrics in columns.values()))
    table.add_row("macro F1", *(f"{metrics.macro_f1:.4f}" for metrics in columns.values()))
    table.add_row("weighted F1", *(f"{metrics.weighted_f1:.4f}" for metrics in columns.values()), end_section=True)
    for label in LABELS:
        for measure_name in ("precision", "recall", "f1"):
            values = (getattr(metrics.per_class[label], measure_name) for metrics in columns.values())
            table.add_row(f"{label} {measure_name}", *(f"{value:.4f}" for value in values))
        support = (str(metrics.per_class[label].support) for metrics in columns.values())
        table.add_row(f"{label} rows", *support, end_section=True)
    return table


def confusion_table(metrics: Metrics) -> Table:
    """The confusion matrix: a line per true label, a column per label given."""
    table = Table(title="true label (line) against label given (column)")
    table.add_column("")
    for label in LABELS:
        table.add_column(label, justify="right")
    for label, line in zip(LABELS, metrics.confusion, strict=True):
        table.add_row(label, *(str(cell) for cell in line))
    return table
