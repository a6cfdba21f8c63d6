import dataclasses
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.mention import Sentiment
from model.answer import Outputs, judge
from model.classifier import Judgement, Passage
from model.folder import ModelFolder
from model.groups import Group, Prepared
from model.scaling import Scaling

ANY_FLOAT = st.floats(width=32, allow_nan=True, allow_infinity=True)
FOLDER = ModelFolder(Path("none"), "none", (0, 1, 2), 32, 0, {}, topics=("Earnings", "Macro"))


def prepared(*mentions: tuple[int | None, ...]) -> Prepared:
    """One group of as many texts as there are arguments."""
    rows = len(mentions)
    passages = [Passage("x", tuple(f"E{number}" for number, _ in enumerate(each))) for each in mentions]
    nothing = np.zeros((rows, 4), dtype=np.int64)
    return Prepared(
        passages, list(mentions), [Group(list(range(rows)), nothing, nothing, np.zeros((rows, 1, 4), dtype=np.float32))]
    )


def logits(*rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Logits of given probabilities."""
    result: npt.NDArray[np.float64] = np.log(np.array(rows, dtype=np.float64))
    return result


@given(st.lists(st.tuples(ANY_FLOAT, ANY_FLOAT, ANY_FLOAT), min_size=1))
def test_every_row_becomes_probabilities_or_none(rows: list[tuple[float, float, float]]) -> None:
    answers = judge(prepared(*[()] * len(rows)), [Outputs(np.array(rows, dtype=np.float32))], FOLDER)
    for row, answer in zip(rows, answers, strict=True):
        assert (answer is None) == (not all(math.isfinite(part) for part in row))


def test_an_entity_has_its_own_sentiment_and_one_that_is_not_named_has_the_texts() -> None:
    outputs = Outputs(
        logits([0.5, 0.25, 0.25]),
        logits([[0.1, 0.1, 0.8], [0.8, 0.1, 0.1], [0.2, 0.6, 0.2]]),
        logits([0.9, 0.1]),
    )
    (answer,) = judge(prepared((1, None, 0, 1)), [outputs], FOLDER)
    assert answer is not None
    assert [sentiment.label for sentiment in answer.entities] == ["negative", "negative", "positive", "negative"]
    assert answer.entities[1] == answer.sentiment
    assert answer.found == (True, False, True, True)
    assert answer.topics == {"Earnings": pytest.approx(0.9), "Macro": pytest.approx(0.1)}


def test_a_model_without_mentions_gives_each_entity_the_sentiment_of_the_text() -> None:
    folder = dataclasses.replace(FOLDER, topics=(), label_order=(2, 0, 1))
    sentiment = Sentiment(0.25, 0.5, 0.25)
    answers = judge(prepared((0, None)), [Outputs(logits([0.5, 0.25, 0.25]))], folder)
    assert answers == [Judgement(sentiment, (sentiment, sentiment), (False, False), {})]


def test_each_head_has_its_own_scaling() -> None:
    scalings = {"text": Scaling(2.0), "mention": Scaling(0.5), "topic": Scaling()}
    folder = dataclasses.replace(FOLDER, scalings=scalings)
    row = [0.1, 0.2, 0.7]
    (answer,) = judge(prepared((0,)), [Outputs(logits(row), logits([row]), logits([0.3, 0.7]))], folder)
    assert answer is not None
    assert answer.sentiment.positive == pytest.approx(0.7**0.5 / (0.1**0.5 + 0.2**0.5 + 0.7**0.5))
    assert answer.entities[0].positive == pytest.approx(0.7**2 / (0.1**2 + 0.2**2 + 0.7**2))
    assert answer.topics["Macro"] == pytest.approx(0.7)


@pytest.mark.parametrize("head", ["text", "mentions", "topics"])
def test_a_number_that_is_not_finite_makes_the_whole_answer_none(head: str) -> None:
    parts = {
        "text": np.zeros((2, 3)),
        "mentions": np.zeros((2, 1, 3)),
        "topics": np.zeros((2, 2)),
    }
    parts[head][1] = np.nan
    answers = judge(prepared((0,), (0,)), [Outputs(**parts)], FOLDER)
    assert [answer is None for answer in answers] == [False, True]


def test_what_is_padded_harms_nobody() -> None:
    mentions = np.zeros((2, 2, 3))
    mentions[0, 1] = np.nan  # the first text has one mention only
    answers = judge(prepared((0,), (0, 1)), [Outputs(np.zeros((2, 3)), mentions, np.zeros((2, 2)))], FOLDER)
    assert None not in answers
