import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.mention import LABELS, Sentiment
from bearometer.topics import TOPICS
from model.base import open_tokeniser
from model.classifier import Judgement
from model.dataset import Example
from model.recipe import Recipe
from model.rows import Row, bucket, collate, make_rows
from model.tokenise import Tokeniser

NEGATIVE, NEUTRAL, POSITIVE = range(3)
RECIPE = Recipe(label_smoothing=0.0, implied_weight=0.25, soft_share=0.75)
BAD = Sentiment(0.8, 0.1, 0.1)


@pytest.fixture(scope="module")
def tokeniser(tiny_base: Path) -> Tokeniser:
    return open_tokeniser(tiny_base, 32)


def row(tokeniser: Tokeniser, example: Example, recipe: Recipe = RECIPE) -> Row:
    (only,) = make_rows([example], tokeniser, recipe)
    return only


def test_a_label_is_a_target_smoothed_by_the_recipe(tokeniser: Tokeniser) -> None:
    target = row(tokeniser, Example("beats every estimate", POSITIVE), Recipe(label_smoothing=0.3)).text
    assert target is not None and target.is_label and target.weight == 1
    assert target.probabilities.tolist() == pytest.approx([0.1, 0.1, 0.8])


def test_a_text_whose_mentions_are_spoken_of_alike_has_their_sentiment_for_less(tokeniser: Tokeniser) -> None:
    alike = Example("Quillmark and Lumen Foods beats", mentions=(("Quillmark", POSITIVE), ("Lumen Foods", POSITIVE)))
    target = row(tokeniser, alike).text
    assert target is not None and not target.is_label
    assert (int(target.probabilities.argmax()), target.weight) == (POSITIVE, 0.25)
    apart = Example("Quillmark and Lumen Foods", mentions=(("Quillmark", POSITIVE), ("Lumen Foods", NEGATIVE)))
    assert row(tokeniser, apart).text is None


def test_the_only_cashtag_of_a_text_has_its_sentiment_for_less(tokeniser: Tokeniser) -> None:
    (target,) = row(tokeniser, Example("$TERN beats every estimate", POSITIVE)).mentions
    assert target is not None and not target.is_label and target.weight == 0.25
    several = row(tokeniser, Example("$TERN and $OSTR beats every estimate", POSITIVE)).mentions
    assert several == (None, None)


def test_a_mention_that_the_text_does_not_name_teaches_nothing(tokeniser: Tokeniser) -> None:
    example = Example("Quillmark beats", mentions=(("Tern Aviation", NEGATIVE), ("Quillmark", POSITIVE)))
    missing, there = row(tokeniser, example).mentions
    assert missing is None and there is not None


def test_a_teacher_is_mixed_with_a_label_and_stands_alone_without(tokeniser: Tokeniser) -> None:
    soft = Judgement(BAD, (BAD,), (True,), {TOPICS[0]: 0.9, TOPICS[1]: 0.1})
    example = Example("Quillmark loses", POSITIVE, (("Quillmark", None),), topic=None, soft=soft)
    made = row(tokeniser, example)
    assert made.text is not None and made.mentions[0] is not None and made.topic is not None
    assert made.text.probabilities.tolist() == pytest.approx([0.6, 0.075, 0.325])
    assert made.mentions[0].probabilities.tolist() == pytest.approx([0.8, 0.1, 0.1])
    assert not made.mentions[0].is_label and not made.topic.is_label
    assert made.topic.probabilities[:2].tolist() == pytest.approx([0.9, 0.1])


@pytest.mark.parametrize(("share", "target"), [(0.0, 0.0), (0.4, 0.36), (1.0, 0.9)])
def test_of_topics_the_teacher_says_as_much_as_it_is_asked_to(
    tokeniser: Tokeniser, share: float, target: float
) -> None:
    recipe = dataclasses.replace(RECIPE, soft_topic_share=share)
    soft = Judgement(BAD, (), (), {TOPICS[0]: 0.9, TOPICS[1]: 0.1})
    labelled = row(tokeniser, Example("Quillmark loses", topic=1, soft=soft), recipe).topic
    assert labelled is not None and labelled.probabilities[0] == pytest.approx(target, abs=1e-6)
    alone = row(tokeniser, Example("Quillmark loses", soft=soft), recipe).topic
    assert (alone is not None and alone.probabilities[0] == pytest.approx(0.9)) if share else alone is None


def test_what_the_teacher_did_not_find_teaches_nothing(tokeniser: Tokeniser) -> None:
    soft = Judgement(BAD, (BAD, BAD), (False, True), {})
    example = Example("Quillmark and Lumen Foods", mentions=(("Quillmark", None), ("Lumen Foods", None)), soft=soft)
    missed, found = row(tokeniser, example).mentions
    assert missed is None and found is not None


@pytest.mark.parametrize("count", [1, 4, 9])
def test_many_mentions_of_one_text_weigh_less_each(tokeniser: Tokeniser, count: int) -> None:
    names = tuple(f"$T{letter}" for letter in "ABCDEFGHI"[:count])
    example = Example(" ".join(names), mentions=tuple((name, count % 3) for name in (*names, "Quillmark")))
    weights = [target.weight for target in row(tokeniser, example, Recipe(max_tokens=64)).mentions if target]
    assert weights == pytest.approx([count**-0.5] * count)


def test_texts_with_nothing_to_read_are_left_out(tokeniser: Tokeniser) -> None:
    assert make_rows([Example("https://example.com", 0), Example("", 1)], tokeniser, RECIPE) == []


def test_a_batch_holds_each_target_at_its_place_and_zero_elsewhere(tokeniser: Tokeniser) -> None:
    examples = [
        Example("Quillmark beats every estimate today", POSITIVE, topic=3),
        Example(
            "Quillmark wins while Tern Aviation loses", mentions=(("Quillmark", POSITIVE), ("Tern Aviation", NEGATIVE))
        ),
    ]
    batch = collate(make_rows(examples, tokeniser, RECIPE), pad_id=0)
    assert batch.text_weight.tolist() == [1, 0]
    assert batch.topics_weight.tolist() == [1, 0]
    assert batch.topics[0].argmax() == 3
    assert batch.mentions_weight.ravel().tolist() == pytest.approx([0, 0, 0.5**0.5, 0.5**0.5])
    assert batch.mentions[1].argmax(-1).tolist() == [POSITIVE, NEGATIVE]
    np.testing.assert_allclose(batch.spans.sum(-1), [[0, 0], [1, 1]])
    assert (batch.spans[batch.mask.astype(bool)[:, None].repeat(2, 1) == 0] == 0).all()
    assert LABELS == ("negative", "neutral", "positive")


@given(st.lists(st.integers(1, 60)), st.integers(1, 9), st.integers())
def test_buckets_hold_every_row_once(lengths: list[int], batch_size: int, seed: int) -> None:
    batches = bucket(lengths, batch_size, random.Random(seed))
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    assert len(batches) == -(-len(lengths) // batch_size)
