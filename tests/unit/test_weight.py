import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.weight import MAX_WEIGHT, author_weight


@pytest.mark.parametrize(
    ("followers", "weight"),
    [(None, 1), (0, 1), (-4, 1), (9, 2), (99, 3), (9_999, 5), (999_999, 7), (1_000_000, 7), (10**30, 7)],
)
def test_a_weight_is_one_and_a_step_more_for_each_tenfold_up_to_a_million(followers: int | None, weight: float) -> None:
    assert author_weight(followers) == pytest.approx(weight)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**40))
def test_more_followers_never_weigh_less_and_nobody_weighs_less_than_one(followers: int, more: int) -> None:
    fewer_weigh, more_weigh = author_weight(followers), author_weight(followers + more)
    assert 1 <= fewer_weigh <= more_weigh <= MAX_WEIGHT
    assert math.isfinite(more_weigh)
