from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alerts.spike import is_less_likely, yearly
from bearometer.alert import Spike

END = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def spike(p_value: float, per_year: float | None = None, window: timedelta = DAY) -> Spike:
    return Spike("ACME", END - window, END, 10, 0.1, p_value, 9, per_year=per_year)


@given(mean=st.floats(0.01, 100), shape=st.floats(0.1, 50), count=st.integers(1, 300))
def test_crossings_of_a_count_are_the_arrivals_just_below_it(mean: float, shape: float, count: int) -> None:
    """The identity that the rate of crossings rests on: E[rate | k-1] · P(k-1) = k · P(k)."""
    law = stats.nbinom(shape, shape / (mean + shape))
    rate_just_below = (shape + count - 1) * mean / (shape + mean)
    assert rate_just_below * law.pmf(count - 1) == pytest.approx(count * law.pmf(count), rel=1e-6, abs=1e-200)


def test_what_is_known_of_a_year_is_said_and_else_it_follows_from_the_probability() -> None:
    assert yearly(spike(1e-6, per_year=0.02)) == 0.02
    assert yearly(spike(1e-6)) == pytest.approx(365.25 * 10 * 1e-6)
    assert yearly(spike(1e-6, window=timedelta(hours=1))) == pytest.approx(24 * 365.25 * 10 * 1e-6)


def test_windows_of_different_lengths_compare_by_the_year() -> None:
    short, long = spike(1e-9, 0.2, timedelta(hours=1)), spike(1e-7, 0.1)
    assert is_less_likely(long, short)
    assert not is_less_likely(short, long)
    assert is_less_likely(spike(1e-7, 0.0001), short, factor=1000)
    assert not is_less_likely(long, short, factor=1000)


def test_one_that_an_older_version_found_compares_by_its_probability() -> None:
    assert is_less_likely(spike(1e-10, 0.2), spike(1e-6), factor=1000)
    assert not is_less_likely(spike(1e-6), spike(1e-9, 0.2))
    assert not is_less_likely(spike(0.0), spike(0.0), factor=1000)
