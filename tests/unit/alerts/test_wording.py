from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.wording import (
    SPAM,
    bar_length,
    bar_name,
    expected_count,
    false_alert_budget,
    how_often,
    length_of_time,
    like_this,
    odds,
    percent,
    spam_left_out,
    sparkline,
    stories_told,
)
from bearometer.alert import ChartPoint
from stream.spam import CODES
from tests.sample_alerts import START


@pytest.mark.parametrize(
    ("p_value", "words"),
    [
        (1.0, "1 in 1"),
        (0.5, "1 in 2"),
        (0.01, "1 in 100"),
        (4.3e-7, "1 in 2,300,000"),
        (1e-15, "1 in 10^15"),
        (3e-15, "1 in 10^14"),
        (1e-300, "1 in 10^300"),
        (0.0, "less than 1 in 10^300"),
    ],
)
def test_odds_are_said_as_a_person_says_them(p_value: float, words: str) -> None:
    assert odds(p_value) == words


@given(st.floats(0, 1))
def test_every_probability_has_odds(p_value: float) -> None:
    assert "1 in " in odds(p_value)


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (0.0, "less than 0.001"),
        (0.0213, "0.02"),
        (0.1, "0.1"),
        (0.096, "0.1"),
        (3.44, "3.4"),
        (12.4, "12"),
        (1234.5, "1,234"),
    ],
)
def test_an_expected_count_has_the_digits_that_matter(expected: float, words: str) -> None:
    assert expected_count(expected) == words


@pytest.mark.parametrize(
    ("per_year", "words"),
    [
        (0.05, "at most one false alert per symbol in 20 years"),
        (1.0, "at most one false alert per symbol a year"),
        (4.0, "at most 4 false alerts per symbol a year"),
        (0.4, "at most one false alert per symbol in 2.5 years"),
    ],
)
def test_the_budget_is_said_in_words(per_year: float, words: str) -> None:
    assert false_alert_budget(per_year) == words


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(0), "0 min"),
        (timedelta(minutes=-3), "0 min"),
        (timedelta(minutes=45), "45 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=24), "24 h"),
        (timedelta(hours=25, minutes=10), "1 day 1 h"),
        (timedelta(days=3), "3 days"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(length: timedelta, words: str) -> None:
    assert length_of_time(length) == words


def test_a_sparkline_shows_the_latest_counts_and_nothing_when_there_are_none() -> None:
    assert sparkline([0, 1, 7]) == "▁▂█"
    assert sparkline([9, 0, 1], width=2) == "▁█"
    assert sparkline([]) == sparkline([0, 0]) == ""


@pytest.mark.parametrize(
    ("per_year", "words"),
    [
        (0.0, "less than once in 1,000 years"),
        (0.0009, "less than once in 1,000 years"),
        (1 / 9, "about once in 9 years"),
        (1 / 8.7, "about once in 9 years"),
        (1 / 143, "about once in 140 years"),
        (0.4, "about once in 2.5 years"),
        (0.5, "about once in 2 years"),
        (1.0, "about once a year"),
        (3.7, "about 4 times a year"),
        (52.2, "about 52 times a year"),
        (1e9, "about 100,000 times a year"),
    ],
)
def test_how_often_something_comes_is_said_in_years(per_year: float, words: str) -> None:
    assert how_often(per_year) == words


@given(st.floats(0, allow_nan=False, allow_infinity=True))
def test_every_rate_has_words(per_year: float) -> None:
    assert "year" in how_often(per_year)


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (1 / 12, "such a burst"),
        (1, "such a burst"),
        (6, "6 hours like these"),
        (24, "a day like this"),
        (72, "such days"),
    ],
)
def test_a_window_is_named_by_its_length(hours: float, words: str) -> None:
    assert like_this(timedelta(hours=hours)) == words


@pytest.mark.parametrize(("share", "words"), [(0.0, "0%"), (0.001, "less than 1%"), (0.624, "62%"), (1.0, "100%")])
def test_a_share_is_said_in_percent(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("minutes", "name"),
    [(1, "minute"), (5, "5 minutes"), (60, "hour"), (360, "6 hours"), (1440, "day"), (2880, "2 days")],
)
def test_a_bar_is_named_by_what_it_stands_for(minutes: int, name: str) -> None:
    points = [ChartPoint(START + n * timedelta(minutes=minutes), 0, 0.0) for n in range(3)]
    assert bar_name(bar_length(points)) == name


@pytest.mark.parametrize(
    ("posts", "stories", "words"),
    [
        (84, 31, "84 posts tell 31 stories"),
        (1, 1, "1 post tells 1 story"),
        (3000, 1, "3,000 posts tell 1 story"),
        (84, None, "84 with repeats"),
    ],
)
def test_posts_tell_stories(posts: int, stories: int | None, words: str) -> None:
    assert stories_told(posts, stories) == words


@pytest.mark.parametrize(
    ("posts", "reasons", "words"),
    [
        (0, (), ""),
        (1, (("promotion", 1),), "1 further post was left out as spam: promotion"),
        (
            37,
            (("same-text", 30), ("many-symbols", 7)),
            "37 further posts were left out as spam: 30 identical text from many accounts, 7 too many symbols",
        ),
        (9, (("rate", 2),), "9 further posts were left out as spam: 2 too many posts of one account, 7 other reasons"),
        (2, (), "2 further posts were left out as spam: other reasons"),
        (2, (("", 1), ("\x1b[2J", 1)), "2 further posts were left out as spam: 1 no reason given, 1 [2J"),
    ],
)
def test_spam_is_told_by_its_number_and_why(posts: int, reasons: tuple[tuple[str, int], ...], words: str) -> None:
    assert spam_left_out(posts, reasons) == words


def test_every_reason_for_spam_has_words() -> None:
    assert set(SPAM) == set(CODES)
