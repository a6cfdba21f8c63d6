import math

import pytest

from bearometer.mention import Scored, Sentiment
from tests.fakes import NEUTRAL, make_post


@pytest.mark.parametrize("parts", [(0.5, 0.5, 0.5), (-0.1, 0.6, 0.5), (math.nan, 0.5, 0.5), (0.0, 0.0, 0.0)])
def test_what_is_no_distribution_is_no_sentiment(parts: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="are not probabilities"):
        Sentiment(*parts)


@pytest.mark.parametrize(
    ("parts", "label"),
    [
        ((0.5, 0.3, 0.2), "negative"),
        ((0.2, 0.5, 0.3), "neutral"),
        ((0.2, 0.3, 0.5), "positive"),
        ((0.4, 0.4, 0.2), "negative"),
        ((0.2, 0.4, 0.4), "neutral"),
    ],
)
def test_the_label_is_the_likeliest_and_of_equals_the_more_negative(
    parts: tuple[float, float, float], label: str
) -> None:
    assert Sentiment(*parts).label == label


def test_the_score_is_a_whole_number_of_millionths() -> None:
    assert Sentiment(0.25, 0.25, 0.5).score_micros == 250_000


def test_the_topic_is_the_likeliest_or_none() -> None:
    post = make_post("1")
    assert Scored(post, NEUTRAL, (), "m@1", {"Earnings": 0.7, "Macro": 0.3}).topic == "Earnings"
    assert Scored(post, NEUTRAL, (), "m@1").topic is None
