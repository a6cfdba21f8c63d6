"""From examples to what a step of training reads: token ids, the mentions' tokens, and targets with their weights."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bearometer.mention import LABELS, Sentiment
from bearometer.topics import TOPICS
from model.classifier import Judgement, Passage
from model.dataset import Example, distinct_cashtags
from model.recipe import Recipe
from model.tokenise import Encoded, Tokeniser, pad, span_weights

__all__ = ["Batch", "Row", "bucket", "collate", "make_rows", "span_weights"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Target:
    """Probabilities to learn, and how much they count."""

    probabilities: Floats
    weight: float
    is_label: bool
    """Whether somebody said so, and it neither follows from another label nor comes from a teacher alone."""


@dataclass(frozen=True, slots=True)
class Row:
    """One text, tokenised, with the targets that it has."""

    encoded: Encoded
    text: Target | None
    mentions: tuple[Target | None, ...]
    """One for each of `encoded.spans`."""
    topic: Target | None


@dataclass(frozen=True, slots=True)
class Batch:
    """B rows, padded to T tokens and E mentions; a target of weight zero is to be ignored."""

    ids: npt.NDArray[np.int64]
    """[B, T]."""
    mask: npt.NDArray[np.int64]
    spans: Floats
    """[B, E, T]; the weights of each mention's tokens sum to 1."""
    text: Floats
    """[B, 3]."""
    text_weight: Floats
    """[B]."""
    mentions: Floats
    """[B, E, 3]."""
    mentions_weight: Floats
    topics: Floats
    """[B, number of topics]."""
    topics_weight: Floats


def make_rows(examples: Sequence[Example], tokeniser: Tokeniser, recipe: Recipe) -> list[Row]:
    """Tokenise, and settle what each text teaches; texts with nothing to read are left out.

    Two labels are implied, and count for `recipe.implied_weight`: a text whose mentions are all spoken of alike has
    their sentiment, and the only cashtag of a text has the text's. Where a teacher's answer is there it is mixed with
    the label by `recipe.soft_share`, and stands alone where there is no label; of a mention that the teacher did not
    find it says nothing, and nothing of topics where `recipe.soft_topic_share` is 0.

    Of a text with n mentions to learn from each counts 1/sqrt(n) as much: their losses are summed, and a post that
    lists twenty cashtags would outweigh twenty that speak of one company.
    """
    mentions = [_mentions(example) for example in examples]
    encoded = tokeniser.encode_passages(
        [
            Passage(example.text, tuple(name for name, _, _ in named))
            for example, named in zip(examples, mentions, strict=True)
        ]
    )
    return [
        _row(example, named, code, recipe)
        for example, named, code in zip(examples, mentions, encoded, strict=True)
        if code is not None
    ]


def bucket(lengths: Sequence[int], batch_size: int, shuffler: random.Random) -> list[list[int]]:
    """Cut the places of all rows into batches of similar lengths, in random order; each place exactly once."""
    places = list(range(len(lengths)))
    shuffler.shuffle(places)
    pool = batch_size * 50  # sorted within a pool only, so that a batch's rows differ from epoch to epoch
    batches: list[list[int]] = []
    for start in range(0, len(places), pool):
        ordered = sorted(places[start : start + pool], key=lengths.__getitem__)
        batches += [ordered[cut : cut + batch_size] for cut in range(0, len(ordered), batch_size)]
    shuffler.shuffle(batches)
    return batches


def collate(rows: Sequence[Row], pad_id: int) -> Batch:
    """Pad rows to one batch."""
    ids, mask = pad([row.encoded.ids for row in rows], pad_id)
    spans = span_weights([row.encoded for row in rows], ids.shape[1])
    text, text_weight = _stack([row.text for row in rows], len(LABELS))
    topics, topics_weight = _stack([row.topic for row in rows], len(TOPICS))
    mentions = np.zeros((*spans.shape[:2], len(LABELS)), dtype=np.float32)
    mentions_weight = np.zeros(spans.shape[:2], dtype=np.float32)
    for place, row in enumerate(rows):
        for number, target in enumerate(row.mentions):
            if target:
                mentions[place, number] = target.probabilities
                mentions_weight[place, number] = target.weight
    return Batch(ids, mask, spans, text, text_weight, mentions, mentions_weight, topics, topics_weight)


def _mentions(example: Example) -> list[tuple[str, int | None, bool]]:
    """Each entity with its label, if known, and whether that label is implied."""
    named = example.mentions or tuple((symbol, None) for symbol in distinct_cashtags(example.text))
    if len(named) == 1 and named[0][1] is None and example.label is not None and distinct_cashtags(example.text):
        return [(named[0][0], example.label, True)]
    return [(name, label, False) for name, label in named]


def _row(example: Example, named: list[tuple[str, int | None, bool]], encoded: Encoded, recipe: Recipe) -> Row:
    label, implied = example.label, False
    stated = {label for _, label, _ in named}
    if label is None and len(stated) == 1:
        label, implied = next(iter(stated)), True
    soft = example.soft
    topics = _topic_numbers(soft) if soft and soft.topics and recipe.soft_topic_share else None
    # Where the teacher did not find a mention its answer is the text's.
    answers = zip(example.mentions, soft.entities, soft.found, strict=True) if soft else ()
    teacher = {name: sentiment for (name, _), sentiment, found in answers if found}
    sentiments = [teacher.get(name) for name, _, _ in named]
    mentions = [
        _target(label, implied, _numbers(sentiment) if sentiment else None, len(LABELS), recipe)
        if encoded.spans[number].size
        else None
        for number, ((_, label, implied), sentiment) in enumerate(zip(named, sentiments, strict=True))
    ]
    share = 1 / math.sqrt(max(1, sum(target is not None for target in mentions)))
    return Row(
        encoded,
        _target(label, implied, _numbers(soft.sentiment) if soft else None, len(LABELS), recipe),
        tuple(target and replace(target, weight=share * target.weight) for target in mentions),
        _target(example.topic, False, topics, len(TOPICS), recipe, recipe.soft_topic_share),
    )


def _target(
    label: int | None,
    implied: bool,
    soft: npt.NDArray[np.float64] | None,
    classes: int,
    recipe: Recipe,
    soft_share: float | None = None,
) -> Target | None:
    """`soft_share` is the recipe's where it is not given."""
    if label is None:
        return None if soft is None else Target(soft.astype(np.float32), 1.0, is_label=False)
    hard = np.full(classes, recipe.label_smoothing / classes)
    hard[label] += 1 - recipe.label_smoothing
    if soft is None:
        return Target(hard.astype(np.float32), recipe.implied_weight if implied else 1.0, not implied)
    given = recipe.soft_share if soft_share is None else soft_share
    share = 1.0 if implied else given  # a teacher knows better than a guess
    return Target(((1 - share) * hard + share * soft).astype(np.float32), 1.0, not implied)


def _numbers(sentiment: Sentiment) -> npt.NDArray[np.float64]:
    return np.asarray([sentiment.negative, sentiment.neutral, sentiment.positive])


def _topic_numbers(judgement: Judgement) -> npt.NDArray[np.float64]:
    return np.asarray([judgement.topics.get(topic, 0.0) for topic in TOPICS])


def _stack(targets: Sequence[Target | None], classes: int) -> tuple[Floats, Floats]:
    probabilities = np.zeros((len(targets), classes), dtype=np.float32)
    weights = np.zeros(len(targets), dtype=np.float32)
    for place, target in enumerate(targets):
        if target:
            probabilities[place], weights[place] = target.probabilities, target.weight
    return probabilities, weights
