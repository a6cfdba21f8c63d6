"""A classifier that answers by a rule of the test's own: what evaluation says of it can be worked out by hand."""

from collections.abc import Callable, Sequence

from bearometer.linking import find_spans
from bearometer.mention import LABELS, Sentiment
from bearometer.topics import TOPICS
from model.classifier import Judgement, Passage
from model.dataset import Example
from model.evaluate import TaskResult, task_results

Rule = Callable[[str, str | None], str | None]
"""The label of a text, or of an entity in it; None for no answer."""


def by_words(text: str, entity: str | None = None) -> str:
    """`negative` with the word falls, `positive` with rises, else `neutral`."""
    return "negative" if "falls" in text else "positive" if "rises" in text else "neutral"


def sure(label: str, confidence: float = 0.9) -> Sentiment:
    rest = (1 - confidence) / 2
    return Sentiment(**{each: confidence if each == label else rest for each in LABELS})


class RuleClassifier:
    """Says each label with the same confidence, and the same topic of every text."""

    def __init__(self, rule: Rule = by_words, confidence: float = 0.9, topic: str | None = None) -> None:
        self.version = f"{getattr(rule, '__name__', 'rule')}@1"
        self.judged: list[Passage] = []
        self._rule, self._confidence = rule, confidence
        self._topics = {each: float(each == topic) for each in TOPICS} if topic else {}

    def prepare(self, passages: Sequence[Passage]) -> Sequence[Passage]:
        return list(passages)

    def classify(self, prepared: Sequence[Passage]) -> list[Judgement | None]:
        self.judged.extend(prepared)
        return [self._judge(passage) for passage in prepared]

    def _judge(self, passage: Passage) -> Judgement | None:
        label = self._rule(passage.text, None)
        if label is None:
            return None
        entities = tuple(
            sure(self._rule(passage.text, entity) or label, self._confidence) for entity in passage.entities
        )
        found = tuple(bool(find_spans(passage.text, entity)) for entity in passage.entities)
        return Judgement(sure(label, self._confidence), entities, found, self._topics)


def answers(truth: Sequence[int], predicted: Sequence[int], rows: Sequence[int] | None = None) -> TaskResult:
    """The result of a task `sentiment` with these labels; or, with the rows given, of `mentions` of several a row."""
    if rows is None:
        examples = [Example("a", label) for label in truth]
        judgements = [Judgement(sure(LABELS[label])) for label in predicted]
        return task_results(judgements, examples)["sentiment"]
    grouped: dict[int, list[tuple[int, int]]] = {}
    for row, label, given in zip(rows, truth, predicted, strict=True):
        grouped.setdefault(row, []).append((label, given))
    examples = [
        Example("a", mentions=tuple((str(number), label) for number, (label, _) in enumerate(pairs)))
        for pairs in grouped.values()
    ]
    judgements = [
        Judgement(sure("neutral"), tuple(sure(LABELS[given]) for _, given in pairs), (True,) * len(pairs))
        for pairs in grouped.values()
    ]
    return task_results(judgements, examples)["mentions"]
