"""The parts of the detector: surprises, tails, rhythm, what the past teaches, and windows."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from alerts.past import KEPT, CountPast, Prior, SharePast
from alerts.rhythm import Rhythm
from alerts.surprise import BINS_A_WEEK, count_crossings, count_high, share_crossings
from alerts.tail import GAP, Tail
from alerts.windows import Windows


def negative_binomial(mean: float, spread: float) -> Any:
    shape = 1 / spread
    return stats.nbinom(shape, shape / (shape + mean))


@pytest.mark.parametrize(("seen", "mean", "spread"), [(3, 0.5, 0.3), (9, 4.0, 0.1), (60, 20.0, 0.5)])
def test_a_day_s_bursts_of_k_begin_k_minus_mean_times_its_probability(seen: int, mean: float, spread: float) -> None:
    a_week = 7 * (seen - mean) * negative_binomial(mean, spread).pmf(seen)
    assert count_crossings(seen, mean, spread, 288) == pytest.approx(math.log(a_week), abs=1e-6)


def test_a_bin_is_crossed_no_more_often_than_it_is_looked_at() -> None:
    a_week = BINS_A_WEEK * negative_binomial(250.0, 0.001).sf(309)
    assert count_crossings(310, 250.0, 0.001, 1) == pytest.approx(math.log(a_week), abs=0.5)
    assert count_crossings(310, 250.0, 0.001, 1) >= math.log(a_week)


@settings(deadline=None, max_examples=50)
@given(
    st.floats(0.01, 500),
    st.floats(0.001, 2),
    st.sampled_from([1, 12, 72, 288]),
    st.integers(1, 500),
    st.integers(1, 50),
)
def test_the_more_is_seen_the_seldomer_it_is(mean: float, spread: float, bins: int, over: int, more: int) -> None:
    seen = math.ceil(mean) + over
    assert count_crossings(seen + more, mean, spread, bins) < count_crossings(seen, mean, spread, bins)


def test_a_share_without_spread_is_binomial() -> None:
    binomial = math.comb(20, 9) * 0.2**9 * 0.8**11
    often = 1e6
    assert share_crossings(9, 20, 0.2, 1e-7, 288, often) == pytest.approx(math.log(7 * 9 * binomial), abs=1e-4)
    assert share_crossings(9, 20, 0.2, 0.1, 288, often) > share_crossings(9, 20, 0.2, 1e-7, 288, often)


def test_where_few_posts_come_a_share_is_not_looked_at_more_often_than_they_do() -> None:
    a_week = 3.0
    assert share_crossings(1, 1, 0.2, 1e-7, 1, a_week) == pytest.approx(math.log(a_week * 0.2), abs=1e-4)
    assert share_crossings(1, 1, 0.2, 1e-7, 288, a_week) == pytest.approx(math.log(a_week * 0.2), abs=1e-4)


def test_where_many_come_of_a_sudden_a_share_is_looked_at_as_often_as_there_are_others_in_the_window() -> None:
    seldom, often = (share_crossings(8, 30, 0.1, 0.01, 12, a_week) for a_week in (0.1, 29.0))
    assert seldom == often < share_crossings(8, 30, 0.1, 0.01, 12, 1e6)


def test_a_spread_above_1_has_a_bound_too() -> None:
    distribution = negative_binomial(50.0, 5.5)
    a_week = BINS_A_WEEK * distribution.sf(55)
    assert count_crossings(56, 50.0, 5.5, 1) >= min(math.log(a_week), math.log(BINS_A_WEEK * 56 * distribution.pmf(56)))


@pytest.mark.parametrize("sigmas", [1.0, 2.0, 3.0, 4.0])
def test_bursts_of_many_posts_are_those_of_a_sliding_sum(sigmas: float) -> None:
    mean = 1e6
    seen = mean + sigmas * math.sqrt(mean)
    density = math.exp(-sigmas * sigmas / 2) / math.sqrt(2 * math.pi)
    assert count_crossings(seen, mean, 1e-9, 288) == pytest.approx(math.log(7 * sigmas * density), abs=0.02)


def test_a_burst_of_few_posts_begins_with_nearly_each_that_lifts_it() -> None:
    poisson = math.exp(-0.01) * 0.01**3 / 6
    assert count_crossings(3, 0.01, 1e-9, 288) == pytest.approx(math.log(7 * (3 - 0.01) * poisson), abs=1e-3)


@pytest.mark.parametrize(("mean", "spread"), [(0.5, 0.3), (5.0, 0.3), (50.0, 0.1), (500.0, 0.01)])
def test_what_is_high_is_exceeded_about_once_in_a_hundred_windows(mean: float, spread: float) -> None:
    high = count_high(mean, spread)
    assert negative_binomial(mean, spread).sf(math.floor(high) + 1) < 0.013
    assert negative_binomial(mean, spread).sf(math.floor(high) - 2) > 0.007


def test_a_new_tail_says_what_the_model_says_and_heavier_far_out() -> None:
    near, far = Tail(0, 3.5, 4.0).look(0, 0.1), Tail(0, 3.5, 4.0).look(0, 20.0)
    assert near == pytest.approx(math.log(3.5) - 0.1, abs=0.01)
    assert far > math.log(3.5) - 20 + 10


def test_a_tail_learns_the_bursts_of_its_symbol() -> None:
    quiet, loud = Tail(0, 3.5, 4.0), Tail(0, 3.5, 4.0)
    for week in range(50):
        quiet.look(week * BINS_A_WEEK, 0.5)
        loud.look(week * BINS_A_WEEK, 6.0)
    assert quiet.look(51 * BINS_A_WEEK, 5.0) < loud.look(51 * BINS_A_WEEK, 5.0) - 3


def test_a_burst_counts_once_by_its_peak_when_it_is_over() -> None:
    once, often = Tail(0, 3.5, 4.0), Tail(0, 3.5, 4.0)
    once.look(1000 + 40, 5.0)
    for bin, height in ((1000, 1.0), (1020, 5.0), (1040, 2.0)):
        often.look(bin, height)
    after = 1040 + GAP + 1
    assert often.look(after, 3.0) == pytest.approx(once.look(after, 3.0), abs=1e-3)
    same = often.look(after, 3.0)
    assert often.look(after, 3.0) == same


def test_the_rhythm_is_flat_until_there_is_data_and_its_mean_is_1() -> None:
    rhythm = Rhythm()
    assert rhythm.over(7, 12) == 1.0
    for hour in range(24 * 30):
        rhythm.teach(hour, 30.0 if hour % 24 < 12 else 0.0, 15.0, 0.3)
    assert rhythm.over(11 * 12 + 11, 72) == pytest.approx(1.9, abs=0.15)
    assert rhythm.over(23 * 12 + 11, 72) == pytest.approx(0.1, abs=0.15)
    assert sum(rhythm.over(hour * 12 + 11, 12) for hour in range(24)) == pytest.approx(24)
    assert rhythm.over(5, 288) == 1.0


def test_the_hours_of_a_steady_stream_are_known_exactly() -> None:
    rhythm = Rhythm()
    for hour in range(24 * 10):
        rhythm.teach(hour, 1900.0 if hour % 24 < 12 else 100.0, 1000.0, 0.001)
    assert rhythm.over(23 * 12 + 11, 12) == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize(("hour", "hours"), [(0, 0), (5, 3), (20, 30), (0, 240), (7, 24 * 400)])
def test_hours_of_rest_make_their_factors_smaller_and_leave_the_mean_at_1(hour: int, hours: int) -> None:
    rhythm = Rhythm()
    for h in range(240):
        rhythm.teach(h, float(h % 24), 12.0, 0.3)
    before = [rhythm.over(h * 12 + 11, 12) for h in range(24)]
    rhythm.rest(hour, hours, 6.0, 0.3)
    after = [rhythm.over(h * 12 + 11, 12) for h in range(24)]
    assert sum(after) == pytest.approx(24)
    if 0 < hours < 24:
        rested = {h % 24 for h in range(hour, hour + hours)}
        least_kept = min(after[h] / before[h] for h in range(24) if h not in rested)
        assert all(after[h] / before[h] < least_kept for h in rested)


def test_a_rate_that_never_changes_is_learned_without_bias() -> None:
    past = CountPast(12, 0.15, 0.25)
    for hour in range(24 * 40):
        past.teach(20.0 + (-4, 0, 4)[hour % 3], 1.0, KEPT**12)
    assert past.flat == pytest.approx(20, rel=0.02)
    assert past.spread < 0.05


def test_a_burst_is_clipped_before_it_teaches() -> None:
    past = CountPast(288, 0.15, 0.25)
    for _ in range(24 * 10):
        past.teach(100.0, 1.0, KEPT**12)
    learned, is_high = past.teach(5000.0, 1.0, KEPT**12)
    assert is_high
    assert learned < 250
    assert past.teach(5000.0, 1.0, KEPT**12, in_full=True) == (5000.0, False)


def test_the_prior_gives_way() -> None:
    past = CountPast(288, 0.15, 0.25)
    assert past.flat == pytest.approx(0.15)
    for _ in range(24):
        past.teach(1000.0, 1.0, KEPT**12)
    assert past.flat == pytest.approx(1000, rel=0.05)


def test_a_share_is_learned_and_a_single_bad_window_hardly() -> None:
    past = SharePast(12, Prior())
    for hour in range(24 * 20):
        past.teach(3.0 + (hour % 3 - 1), 10.0, KEPT**12)
    assert past.share == pytest.approx(0.3, abs=0.02)
    past.teach(10.0, 10.0, KEPT**12)
    assert past.share == pytest.approx(0.3, abs=0.02)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=30))
def test_windows_hold_the_sum_of_what_lies_in_them(steps: list[tuple[int, int, int, bool]]) -> None:
    lengths = (1, 12, 72, 288)
    windows, now = Windows(lengths, 0), 0
    said: list[tuple[int, int, int]] = []
    for amount, negative, rest, is_slide in steps:
        if is_slide:
            now += amount
            windows.slide(now)
        elif now - amount >= 0:
            windows.add(now - amount, negative, negative + rest)
            said.append((now - amount, negative, negative + rest))
        for place, length in enumerate(lengths):
            inside = [each for each in said if now - length < each[0] <= now]
            assert windows.negative[place] == sum(each[1] for each in inside)
            assert windows.posts[place] == sum(each[2] for each in inside)
        assert windows.is_empty == (not any(now - 288 < each[0] <= now and each[2] for each in said))
