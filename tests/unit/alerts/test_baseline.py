import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alerts.baseline import learn_baseline, upper_tail

DAYS = 1.0
HALF_LIFE = 14.0


@given(
    count=st.integers(1, 2_000),
    mean=st.floats(1e-3, 1e3),
    shape=st.floats(0.05, 100.0),
)
def test_the_upper_tail_agrees_with_scipy(count: int, mean: float, shape: float) -> None:
    reference = float(stats.nbinom.sf(count - 1, shape, shape / (mean + shape)))
    if reference > 1e-280:
        assert upper_tail(count, mean, shape) == pytest.approx(reference, rel=1e-7)
    else:
        assert 0 < upper_tail(count, mean, shape) < 1e-270


def test_the_upper_tail_is_the_sum_of_the_probabilities_where_that_can_be_written_out() -> None:
    q = 0.2 / (0.2 + 1)  # shape 1 is the geometric distribution
    assert upper_tail(30, 0.2, 1.0) == pytest.approx(q**30, rel=1e-10)
    assert upper_tail(1, 0.2, 1.0) == pytest.approx(q, rel=1e-10)


def test_a_hopeless_tail_is_tiny_and_not_zero() -> None:
    assert upper_tail(100_000, 0.01, 50.0) == 1e-300
    assert math.isfinite(1 / upper_tail(10**7, 1e-6, 1e-3))


@given(mean=st.floats(1e-3, 1e3), shape=st.floats(0.05, 100.0), count=st.integers(0, 500))
def test_more_posts_are_never_more_likely(mean: float, shape: float, count: int) -> None:
    assert upper_tail(count + 1, mean, shape) <= upper_tail(count, mean, shape) * (1 + 1e-9)


def test_nothing_known_expects_little_and_is_wide() -> None:
    new = learn_baseline([], 0, 0, HALF_LIFE, DAYS)
    assert new.expected == pytest.approx(0.15)
    assert new.p_value(3) > 0.005


def test_a_steady_rate_is_learned_whatever_its_height() -> None:
    for rate in (1, 20, 3_000):
        past = learn_baseline([(day, rate) for day in range(60)], 0, 60, HALF_LIFE, DAYS)
        assert past.expected == pytest.approx(rate, rel=0.1)


def test_a_busy_newcomer_is_no_surprise_after_three_days() -> None:
    past = learn_baseline([(0, 280), (1, 310), (2, 300)], 0, 3, HALF_LIFE, DAYS)
    assert past.p_value(330) > 0.1


def test_silence_is_learned_too() -> None:
    short, long = learn_baseline([], 0, 3, HALF_LIFE, DAYS), learn_baseline([], 0, 60, HALF_LIFE, DAYS)
    assert long.expected < short.expected < 0.15
    assert long.p_value(5) < short.p_value(5) < 1e-4


@pytest.mark.parametrize("burst_day", [2, 30, 59])
def test_one_burst_is_not_the_new_normal(burst_day: int) -> None:
    quiet = [(day, 1) for day in range(60)]
    burst = [(day, 500 if day == burst_day else 1) for day in range(60)]
    before = learn_baseline(quiet, 0, 60, HALF_LIFE, DAYS)
    after = learn_baseline(burst, 0, 60, HALF_LIFE, DAYS)
    assert after.expected < 2 * before.expected
    assert after.p_value(50) < 1e-6


def test_a_rate_that_stays_high_is_learned_within_two_weeks() -> None:
    counts = [(day, 2 if day < 60 else 40) for day in range(74)]
    assert learn_baseline(counts[:61], 0, 61, HALF_LIFE, DAYS).p_value(40) < 1e-6
    assert learn_baseline(counts, 0, 74, HALF_LIFE, DAYS).p_value(40) > 0.01


def test_uneven_days_make_a_wide_baseline() -> None:
    even = learn_baseline([(day, 10) for day in range(60)], 0, 60, HALF_LIFE, DAYS)
    uneven = learn_baseline([(day, (2, 30, 1, 7)[day % 4]) for day in range(60)], 0, 60, HALF_LIFE, DAYS)
    assert even.expected == pytest.approx(uneven.expected, rel=0.2)
    assert uneven.shape < even.shape / 2
    assert uneven.p_value(40) > 30 * even.p_value(40)


def test_the_recent_past_counts_more() -> None:
    rising = learn_baseline([(day, 1 if day < 30 else 5) for day in range(60)], 0, 60, HALF_LIFE, DAYS)
    falling = learn_baseline([(day, 5 if day < 30 else 1) for day in range(60)], 0, 60, HALF_LIFE, DAYS)
    assert rising.expected > 1.5 * falling.expected


@given(st.dictionaries(st.integers(0, 99), st.integers(1, 1_000)), st.integers(1, 400))
def test_any_past_gives_a_usable_baseline(counts: dict[int, int], count: int) -> None:
    baseline = learn_baseline(sorted(counts.items()), 0, 100, HALF_LIFE, DAYS)
    assert 0 < baseline.expected < 1_001
    assert 0 < baseline.shape <= 10
    assert 0 < baseline.p_value(count) <= 1


def test_periods_without_mentions_need_not_be_given() -> None:
    sparse = learn_baseline([(3, 2), (40, 1)], 0, 60, HALF_LIFE, DAYS)
    full = learn_baseline([(d, {3: 2, 40: 1}.get(d, 0)) for d in range(60)], 0, 60, HALF_LIFE, DAYS)
    assert full.expected == pytest.approx(sparse.expected)
    assert full.shape == pytest.approx(sparse.shape)
