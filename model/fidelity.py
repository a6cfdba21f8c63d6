"""The proof that exported weights give the answers that torch gives."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from rich.table import Table

from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.classifier import Judgement
from model.dataset import Example
from model.evaluate import TASK_LABELS, judge_examples, task_results
from model.folder import ModelFolder
from model.onnx import OnnxClassifier
from model.recipe import Scores
from model.torch import TorchClassifier

__all__ = ["PROBES", "Difference", "compare_export", "difference_table"]

PROBES = tuple(
    Example(
        text,
        LABELS.index(label),
        tuple((name, LABELS.index(each)) for name, each in mentions.items()),
        TOPICS.index(topic),
    )
    for text, label, mentions, topic in (
        (
            "Quillmark shares plunge after a fraud probe",
            "negative",
            {"Quillmark": "negative"},
            "Stock Movement",
        ),
        (
            "Tern Aviation cuts its outlook and 900 jobs",
            "negative",
            {"Tern Aviation": "negative"},
            "Company | Product News",
        ),
        (
            "Downgraded to sell: Ostrava Steel misses on every line",
            "negative",
            {"Ostrava Steel": "negative"},
            "Analyst Update",
        ),
        (
            "Quillmark beats estimates and raises its dividend",
            "positive",
            {"Quillmark": "positive"},
            "Dividend",
        ),
        (
            "$TERN jumps 9% on a record order book while $OSTR sinks 4%",
            "positive",
            {"TERN": "positive", "OSTR": "negative"},
            "Stock Movement",
        ),
        (
            "Upgraded to buy: Ostrava Steel's margins keep growing",
            "positive",
            {"Ostrava Steel": "positive"},
            "Analyst Update",
        ),
        (
            "Quillmark to report its third quarter on Thursday",
            "neutral",
            {"Quillmark": "neutral"},
            "Earnings",
        ),
        (
            "Tern Aviation names a new head of its board",
            "neutral",
            {"Tern Aviation": "neutral"},
            "Personnel Change",
        ),
    )
)
"""Our own sentences, for a check where no labelled file is given."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far an exported classifier is from torch's on the same examples."""

    examples: Sequence[Example]
    exported: Sequence[Judgement | None]
    original: Sequence[Judgement | None]

    @property
    def mean(self) -> float:
        """Mean over the examples of the largest difference of any probability: text's, mentions' or topics'."""
        gaps = list(self._gaps())
        return sum(gaps) / len(gaps)

    @property
    def largest(self) -> float:
        """The largest difference of a probability in any example."""
        return max(self._gaps())

    @property
    def answers(self) -> int:
        """How many labels torch gave: each text's, each mention's, each topic."""
        return sum(len(_labels(judgement)) for judgement in self.original)

    @property
    def changed(self) -> int:
        """How many of them came out otherwise."""
        return sum(
            sum(one != other for one, other in zip(_labels(a), _labels(b), strict=True))
            if a and b
            else len(_labels(a or b))
            for a, b in zip(self.exported, self.original, strict=True)
            if a or b
        )

    def scores(self) -> dict[str, Scores]:
        """How right each is, by who it is."""
        return {"torch": _score(self.examples, self.original), "int8": _score(self.examples, self.exported)}

    def _gaps(self) -> Iterator[float]:
        for a, b in zip(self.exported, self.original, strict=True):
            if a and b:
                yield max(abs(one - other) for one, other in zip(_numbers(a), _numbers(b), strict=True))
            else:
                yield float(a is not b)


def compare_export(
    source: Path, output: Path, examples: Sequence[Example], on_rows: Callable[[int], None] = lambda rows: None
) -> Difference:
    """Run the exported weights (int8) and torch's over the same examples; `on_rows` hears of each example twice."""
    exported = judge_examples(OnnxClassifier(ModelFolder.open(output)), examples, on_rows)
    original = judge_examples(TorchClassifier(ModelFolder.open(source)), examples, on_rows)
    return Difference(examples, exported, original)


def difference_table(difference: Difference) -> Table:
    """The measures of both side by side, and the points lost or won."""
    table = Table(title=f"{len(difference.examples):,} rows")
    columns = difference.scores()
    for name in ("measure", *columns, "points"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    for field in fields(Scores):
        before, after = (getattr(scores, field.name) for scores in columns.values())
        if before is not None and after is not None:
            name = field.name.replace("_", " ").replace("f1", "F1")
            table.add_row(name, f"{before:.4f}", f"{after:.4f}", f"{100 * (after - before):+.2f}")
    return table


def _score(examples: Sequence[Example], judgements: Sequence[Judgement | None]) -> Scores:
    tasks = task_results(judgements, examples)
    text, mention, topic = (tasks[name].metrics if name in tasks else None for name in TASK_LABELS)
    return Scores(
        text_accuracy=text.accuracy if text else None,
        text_macro_f1=text.macro_f1 if text else None,
        text_weighted_f1=text.weighted_f1 if text else None,
        mention_accuracy=mention.accuracy if mention else None,
        mention_macro_f1=mention.macro_f1 if mention else None,
        topic_accuracy=topic.accuracy if topic else None,
    )


def _labels(judgement: Judgement | None) -> list[str]:
    if judgement is None:
        return []
    labels: list[str] = [sentiment.label for sentiment in (judgement.sentiment, *judgement.entities)]
    return labels if judgement.topic is None else [*labels, judgement.topic]


def _numbers(judgement: Judgement) -> list[float]:
    sentiments = (judgement.sentiment, *judgement.entities)
    return [getattr(each, label) for each in sentiments for label in LABELS] + list(judgement.topics.values())
