from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alerts.baseline import Baseline
from alerts.spike import Look, false_alerts_per_year, look_at, threshold
from bearometer.settings import AlertSettings

END = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
DAY = timedelta(days=1)
QUIET = Baseline(expected=0.1, shape=0.5)


def look(negative: int, *, authors: int = 99, baseline: Baseline = QUIET, warm: bool = True, **changes: float) -> Look:
    settings = AlertSettings.model_validate(changes)
    return look_at(
        symbol="ACME",
        end=END,
        window=DAY,
        negative=negative,
        authors=authors,
        baseline=baseline,
        warm=warm,
        settings=settings,
    )


def test_the_threshold_is_the_budget_over_windows_per_year_and_crossings_per_window() -> None:
    assert threshold(10, DAY, 0.05) == pytest.approx(0.05 / 365.25 / 10)
    assert threshold(10, timedelta(hours=1), 0.05) == pytest.approx(0.05 / 365.25 / 24 / 10)


@given(mean=st.floats(0.01, 100), shape=st.floats(0.1, 50), count=st.integers(1, 300))
def test_crossings_of_a_count_are_the_arrivals_just_below_it(mean: float, shape: float, count: int) -> None:
    """The identity that the threshold rests on: E[rate | k-1] · P(k-1) = k · P(k)."""
    law = stats.nbinom(shape, shape / (mean + shape))
    rate_just_below = (shape + count - 1) * mean / (shape + mean)
    assert rate_just_below * law.pmf(count - 1) == pytest.approx(count * law.pmf(count), rel=1e-6, abs=1e-200)


def test_a_crash_on_a_quiet_symbol_is_a_spike() -> None:
    seen = look(15)
    assert seen.over
    assert not seen.quiet
    assert seen.spike.start == END - DAY
    assert seen.spike.p_value < 1e-10


def test_an_ordinary_day_is_quiet() -> None:
    assert look(0).quiet
    assert look(1).quiet
    assert not look(1).over


def test_few_posts_or_few_authors_are_no_spike_however_unlikely() -> None:
    assert look(12, authors=3).over
    assert not look(12, authors=2).over
    assert not look(12, min_posts=13).over


def test_what_is_known_too_shortly_is_no_spike() -> None:
    assert not look(15, warm=False).over


def test_between_threshold_and_clearing_level_nothing_starts_and_nothing_ends() -> None:
    between = look(6, baseline=Baseline(expected=0.4, shape=0.5), min_posts=1)
    assert not between.over
    assert not between.quiet


def test_a_generous_budget_still_asks_for_more_than_usual() -> None:
    usual = look(100, baseline=Baseline(expected=120.0, shape=10.0), false_alerts_per_symbol_year=365)
    assert not usual.over
    assert usual.quiet


@given(st.floats(0.001, 365), st.floats(1, 1e6), st.integers(0, 200), st.floats(0.01, 50))
def test_no_look_is_both_over_and_quiet(budget: float, factor: float, negative: int, expected: float) -> None:
    seen = look(
        negative,
        baseline=Baseline(expected, 0.5),
        false_alerts_per_symbol_year=budget,
        clear_factor=factor,
    )
    assert not (seen.over and seen.quiet)


def test_a_spike_at_the_threshold_happens_as_often_as_the_budget_says() -> None:
    seen = look(10)
    assert false_alerts_per_year(seen.spike) == pytest.approx(seen.spike.p_value / threshold(10, DAY, 1.0), rel=1e-9)
