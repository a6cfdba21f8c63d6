"""Measuring a classifier on labelled texts, whatever it runs on: sentiment, mentions and topic, each by its labels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.calibrate import Bin, ece, reliability
from model.classifier import Classifier, Judgement, Passage
from model.dataset import Example
from model.metrics import Metrics, measure

__all__ = ["TASK_LABELS", "Evaluation", "TaskResult", "evaluate", "judge_examples", "task_results"]

BATCH = 256

TASK_LABELS: dict[str, tuple[str, ...]] = {"sentiment": LABELS, "mentions": LABELS, "topic": TOPICS}
"""What can be measured, and the labels of each."""

Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One labelled thing and what was said of it."""

    row: int
    """The place of its example."""
    truth: int
    predicted: int
    probabilities: Vector | None
    """None where no usable answer came out."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What a classifier did on one task: one answer for each label of the set."""

    task: str
    answers: tuple[Answer, ...]
    metrics: Metrics
    ece: float | None
    """Expected calibration error over the usable answers; None when all are certain, as a word list's are."""
    bins: tuple[Bin, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What the answers' numbers mean."""
        return TASK_LABELS[self.task]

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON, without the single answers."""
        return {
            **self.metrics.to_dict(),
            "ece": self.ece,
            "reliability": [asdict(part) for part in self.bins if part.rows],
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a classifier did on one set."""

    model: str
    tasks: dict[str, TaskResult]
    """By task, as far as the set has labels and the classifier answers them."""
    unanswered: int
    """Rows without a usable answer; they count as neutral, or as General News | Opinion."""
    unnamed: int
    """Labelled mentions that are not in the text, or not told apart; measured all the same, by the text's sentiment."""
    judgements: tuple[Judgement | None, ...]
    """One per row, in order."""

    @property
    def metrics(self) -> Metrics:
        """The figures of the first task that there is: sentiment, mentions, topic; there must be one."""
        return next(iter(self.tasks.values())).metrics

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON, without the single judgements."""
        return {
            "model": self.model,
            "unanswered": self.unanswered,
            "mentions_not_in_text": self.unnamed,
            "tasks": {name: result.to_dict() for name, result in self.tasks.items()},
        }


def evaluate(
    classifier: Classifier,
    examples: Sequence[Example],
    on_rows: Callable[[int], None] = lambda rows: None,
    may_answer_nothing: bool = False,
) -> Evaluation:
    """Classify all examples and compare with every label that they have; at least one must have one.

    `on_rows` is told how many more rows are done. Raises ValueError when there is nothing to compare, unless
    `may_answer_nothing`: then there are no tasks.
    """
    judgements = judge_examples(classifier, examples, on_rows)
    tasks = task_results(judgements, examples)
    if not tasks and not may_answer_nothing:
        message = f"none of {len(examples)} examples has a label that {classifier.version} answers"
        raise ValueError(message)
    unnamed = sum(
        judgement is not None and label is not None and not found
        for judgement, example in zip(judgements, examples, strict=True)
        for (_, label), found in zip(example.mentions, judgement.found if judgement else (), strict=False)
    )
    return Evaluation(classifier.version, tasks, judgements.count(None), unnamed, tuple(judgements))


def judge_examples(
    classifier: Classifier, examples: Sequence[Example], on_rows: Callable[[int], None] = lambda rows: None
) -> list[Judgement | None]:
    """One judgement per example, in order, each asked for all its mentions."""
    judgements: list[Judgement | None] = []
    for start in range(0, len(examples), BATCH):
        batch = examples[start : start + BATCH]
        passages = [Passage(example.text, tuple(name for name, _ in example.mentions)) for example in batch]
        judgements += classifier.classify(classifier.prepare(passages))
        on_rows(len(batch))
    return judgements


def task_results(judgements: Sequence[Judgement | None], examples: Sequence[Example]) -> dict[str, TaskResult]:
    """The figures of each task that has labels; topics only if any judgement has some."""
    answers: dict[str, list[Answer]] = {task: [] for task in TASK_LABELS}
    for row, (judgement, example) in enumerate(zip(judgements, examples, strict=True)):
        for task, truth, probabilities in _labelled(judgement, example):
            predicted = _NO_ANSWER[task] if probabilities is None else int(np.argmax(probabilities))
            answers[task].append(Answer(row, truth, predicted, probabilities))
    if not any(judgement and judgement.topics for judgement in judgements):
        del answers["topic"]
    return {task: _result(task, given) for task, given in answers.items() if given}


_NO_ANSWER = {
    "sentiment": LABELS.index("neutral"),
    "mentions": LABELS.index("neutral"),
    "topic": TOPICS.index("General News | Opinion"),
}


def _labelled(judgement: Judgement | None, example: Example) -> Iterator[tuple[str, int, Vector | None]]:
    if example.label is not None:
        whole = judgement.sentiment if judgement else None
        yield "sentiment", example.label, (whole.negative, whole.neutral, whole.positive) if whole else None
    parts = judgement.entities if judgement else (None,) * len(example.mentions)
    for (_, label), part in zip(example.mentions, parts, strict=True):
        if label is not None:
            yield "mentions", label, (part.negative, part.neutral, part.positive) if part else None
    if example.topic is not None:
        topics = tuple(judgement.topics.get(topic, 0.0) for topic in TOPICS) if judgement else None
        yield "topic", example.topic, topics if topics and any(topics) else None


def _result(task: str, answers: Sequence[Answer]) -> TaskResult:
    metrics = measure([each.truth for each in answers], [each.predicted for each in answers], TASK_LABELS[task])
    usable = [each for each in answers if each.probabilities is not None]
    probabilities: npt.NDArray[np.float64] = np.asarray([each.probabilities for each in usable])
    if not usable or bool((probabilities.max(axis=1) == 1).all()):
        return TaskResult(task, tuple(answers), metrics, None, ())
    truth = [each.truth for each in usable]
    return TaskResult(task, tuple(answers), metrics, ece(probabilities, truth), reliability(probabilities, truth))
