import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.mention import Sentiment
from model.answer import judge, softmax
from model.classifier import Judgement, Passage

ANY_FLOAT = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(st.lists(st.tuples(ANY_FLOAT, ANY_FLOAT, ANY_FLOAT), min_size=1))
def test_every_row_becomes_probabilities_or_none(rows: list[tuple[float, float, float]]) -> None:
    logits = np.array(rows, dtype=np.float32)
    answers = judge([Passage("x")] * len(rows), softmax(logits))
    for row, answer in zip(rows, answers, strict=True):
        assert (answer is None) == (not all(math.isfinite(part) for part in row))


def test_known_logits_give_known_probabilities() -> None:
    assert softmax(np.log(np.array([[0.2, 0.3, 0.5]]))).tolist() == [pytest.approx([0.2, 0.3, 0.5])]


def test_each_entity_gets_the_sentiment_of_the_text() -> None:
    sentiment = Sentiment(0.5, 0.25, 0.25)
    answers = judge([Passage("x", ("A", "B"))], np.array([[0.5, 0.25, 0.25]]))
    assert answers == [Judgement(sentiment, (sentiment, sentiment))]
