"""Which words made the model say what it says: the parts of an explanation, and occlusion, which works on any model.

Occlusion hides words and asks again (Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901, with patches of
pictures; Li et al. 2016, https://arxiv.org/abs/1612.08220, with words). A word weighs the mean of what the label's
probability loses without it, and of what it gains from the word alone: the last and the first term of the word's
Shapley value. The loss alone overlooks what is said twice: without "fraud", a plunge is still bad news. Measured with
minilm-l6-int8@226de1f2 on 50 tweets, what removing the three heaviest words takes from the label: 0.75 with both terms,
0.70 with the loss alone, 0.65 with the gain alone, 0.73 with Shapley values from four random orders at twice the cost,
0.20 with words taken by chance.

Gradients, for which the model must be one of torch, are in `model.explain_torch`.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from math import isclose
from statistics import median
from typing import Any

from bearometer.errors import Failed
from bearometer.linking import Span, find_spans
from bearometer.mention import LABELS, Label, Sentiment
from model.classifier import Classifier, Judgement, Passage
from model.text import clean

__all__ = [
    "MAX_WORDS",
    "Explanation",
    "Word",
    "explain_by_occlusion",
    "read_words",
    "readable",
    "split_words",
    "without",
]

MAX_WORDS = 512
"""No model reads more tokens than that, and a word takes at least one."""
MAX_CHARS = 100 * MAX_WORDS
"""No token is longer than 100 characters."""
UNREAD = 1e-4
"""Two answers are to the same tokens when no probability differs by more than this share. Measured on the shipped int8
weights, cut to 32 tokens: 0 without a word past the last token, at least 0.003 without one that was read."""
UNKNOWING = 1 / 3
"""The label's probability where nothing is left to judge."""
CLEANINGS = 5
"""What was escaped more often than that stays as it is."""

_WORD = re.compile(r"[$#@€£]?[+\-]?[$€£]?\w+(?:(?:[.'\u2019&\-]|,(?=\d))\w+)*%?|[^\w\s$#@€£+\-]+|[^\w\s]")
"""A word with what belongs to it (`$AAPL`, `-3.5%`, `1,000`, `Moody's`, `year-end`), or a run of signs (`!!`, `🚀`)."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its part in the answer."""

    text: str
    start: int
    end: int
    """As in `explanation.text[start:end]`."""
    weight: float
    """How much of the label's probability is due to it; negative where it speaks against the label."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a text, or what it says of an entity, has a label's probability."""

    text: str
    """What the model read, without links."""
    entity: str | None
    found: bool
    """Whether the text names the entity; where it does not, the text's own sentiment is explained."""
    label: Label
    """The label that is explained, which is not always the likeliest."""
    sentiment: Sentiment
    words: tuple[Word, ...]
    """All words, in the text's order."""
    method: str
    model: str

    @property
    def probability(self) -> float:
        """What is explained: the label's probability."""
        return float(getattr(self.sentiment, self.label))

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        return {**asdict(self), "probability": self.probability}

    def strongest(self, count: int, least: float = 0.0) -> tuple[Word, ...]:
        """Up to `count` words that speak for the label with more than `least`, the strongest first."""
        ranked = sorted(self.words, key=lambda word: (-word.weight, word.start))
        return tuple(word for word in ranked[:count] if word.weight > least)


def readable(text: str) -> str:
    """The text as a model reads it: clean, however often it is cleaned, and nothing in it that UTF-8 cannot carry."""
    for _ in range(CLEANINGS):
        before, text = text, clean(text)
        if text == before:
            break
    return text.encode("utf-8", "replace").decode("utf-8")


def split_words(text: str) -> list[Span]:
    """Where the words are; together they hold every character that is not white space."""
    return [match.span() for match in _WORD.finditer(text)]


def read_words(text: str) -> tuple[str, list[Span]]:
    """As much of the text, readable, as any model reads, and where its words are; bounded, whatever strangers write."""
    text = readable(text)[:MAX_CHARS]
    spans = [match.span() for match in islice(_WORD.finditer(text), MAX_WORDS)]
    return text[: spans[-1][1]] if spans else "", spans


def without(text: str, spans: Sequence[Span]) -> str:
    """The text with some words left out."""
    kept, at = [], 0
    for start, end in sorted(spans):
        kept.append(text[at:start])
        at = end
    return "".join([*kept, text[at:]])


def explain_by_occlusion(
    classifier: Classifier, text: str, entity: str | None = None, label: Label | None = None, max_words: int = MAX_WORDS
) -> Explanation:
    """Explain the label (the likeliest when None) of the text, or of what it says of the entity.

    The text is classified first, and what the classifier reads of it is found; then all variants of that, two for each
    word, are classified as one batch. The entity's own words are in each of them, since without them nothing is said
    of it, and have weight 0; so do the words past the first `max_words`, and those that are not read. Raises Failed
    when there is nothing to judge.
    """
    text, spans = read_words(text)
    entities = () if entity is None else (entity,)
    (whole,) = classifier.classify(classifier.prepare([Passage(text, entities)]))
    if whole is None:
        message = "there is nothing in the text that the model can judge"
        raise Failed(message)
    # Without a word, others that were cut off would take its place: they must not be there.
    spans_read = spans[: _count_read(classifier, text, spans, entities, whole)]
    read = text[: spans_read[-1][1]]
    own = _touching(spans_read, find_spans(read, entity)) if entity is not None else set()
    asked = [place for place in range(min(len(spans_read), max_words)) if place not in own]
    variants = [
        *(without(read, [spans[place]]) for place in asked),
        *(" ".join(text[spans[kept][0] : spans[kept][1]] for kept in sorted([*own, place])) for place in asked),
    ]
    judgements = classifier.classify(classifier.prepare([Passage(variant, entities) for variant in variants]))
    sentiment = _answer(whole)
    label = label or sentiment.label
    said = [UNKNOWING if judgement is None else float(getattr(_answer(judgement), label)) for judgement in judgements]
    left, alone = said[: len(asked)], said[len(asked) :]
    # Most words alone say nothing: the one in the middle stands for "nothing", which the model has never seen.
    nothing = median(alone) if alone else 0.0
    weights = [0.0] * len(spans)
    for place, by_others, by_it in zip(asked, left, alone, strict=True):
        weights[place] = float(getattr(sentiment, label) - by_others + by_it - nothing) / 2
    return Explanation(
        text=text,
        entity=entity,
        found=any(whole.found),
        label=label,
        sentiment=sentiment,
        words=tuple(
            Word(text[start:end], start, end, weight) for (start, end), weight in zip(spans, weights, strict=True)
        ),
        method="occlusion",
        model=classifier.version,
    )


def _answer(judgement: Judgement) -> Sentiment:
    """The entity's sentiment where one was asked for, else the text's."""
    return judgement.entities[0] if judgement.entities else judgement.sentiment


def _count_read(
    classifier: Classifier, text: str, spans: Sequence[Span], entities: tuple[str, ...], whole: Judgement
) -> int:
    """How many of the words, at least 1, give the answer of all; asks once where that is all, else ten times."""

    def is_enough(count: int) -> bool:
        (judgement,) = classifier.classify(classifier.prepare([Passage(text[: spans[count - 1][1]], entities)]))
        return judgement is not None and _is_same(_answer(judgement), _answer(whole))

    count = len(spans)
    if count == 1 or not is_enough(count - 1):
        return count
    return 1 + bisect_left(range(1, count), True, key=is_enough)


def _is_same(one: Sentiment, other: Sentiment) -> bool:
    """Whether two answers are so equal that the classifier must have read the same tokens."""
    return all(isclose(getattr(one, label), getattr(other, label), rel_tol=UNREAD) for label in LABELS)


def _touching(spans: Sequence[Span], others: Sequence[Span]) -> set[int]:
    """Which spans overlap any of the others; both are in order, and none overlaps another of its own."""
    touching, at = set(), 0
    for place, (start, end) in enumerate(spans):
        while at < len(others) and others[at][1] <= start:
            at += 1
        if at < len(others) and others[at][0] < end:
            touching.add(place)
    return touching
