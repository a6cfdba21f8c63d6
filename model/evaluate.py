"""Measuring a classifier on labelled texts, whatever it runs on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bearometer.mention import LABELS
from model.classifier import Classifier, Judgement, Passage
from model.dataset import Example
from model.metrics import Metrics, measure

__all__ = ["Evaluation", "evaluate"]

BATCH = 256


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a classifier did on one set."""

    model: str
    metrics: Metrics
    unanswered: int
    """Rows without a usable answer; they are counted as neutral."""
    judgements: tuple[Judgement | None, ...]
    """One per row, in order."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON, without the single judgements."""
        return {"model": self.model, "unanswered": self.unanswered, **self.metrics.to_dict()}


def evaluate(
    classifier: Classifier, examples: Sequence[Example], on_rows: Callable[[int], None] = lambda rows: None
) -> Evaluation:
    """Classify all examples (at least one) and compare; `on_rows` is told how many more rows are done."""
    judgements: list[Judgement | None] = []
    for start in range(0, len(examples), BATCH):
        batch = examples[start : start + BATCH]
        judgements += classifier.classify(classifier.prepare([Passage(example.text) for example in batch]))
        on_rows(len(batch))
    predicted = [LABELS.index(judgement.sentiment.label if judgement else "neutral") for judgement in judgements]
    metrics = measure([example.label for example in examples], predicted)
    return Evaluation(classifier.version, metrics, judgements.count(None), tuple(judgements))
