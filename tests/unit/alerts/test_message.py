import unicodedata
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.message import (
    TEST_RULE,
    compose,
    expected_count,
    false_alert_budget,
    length_of_time,
    odds,
    render_text,
    sparkline,
    web_link,
)
from bearometer.alert import NotificationReason
from bearometer.settings import AlertSettings
from tests.sample_alerts import hostile_text, make_alert, make_delivery, make_post, make_resolved

SETTINGS = AlertSettings()


def test_the_headline_tells_the_whole_story() -> None:
    message = compose(make_delivery(), SETTINGS)
    assert message.headline == ("HBRM: 15 negative posts by 14 authors in 24 h, 0.1 expected; odds 1 in 10^15")


def test_more_authors_than_distinct_posts_are_explained_by_repeats() -> None:
    alert = make_alert()
    widely_shared = make_alert(peak=replace(alert.peak, authors=40))
    headline = compose(make_delivery(widely_shared), SETTINGS).headline
    assert headline.startswith("HBRM: 15 negative posts from 40 authors with repeats in 24 h")


def test_the_text_holds_the_evidence() -> None:
    text = render_text(compose(make_delivery(), SETTINGS))
    for part in (
        "2026-03-02 14:05 UTC",
        "at most one false alert per symbol in 20 years",
        "minilm-l6@1",
        "Harbor Mills warns of a weak quarter & shuts a plant",
        "grain_watch · 12,345 followers · 2026-03-02 12:05 UTC · said 12 more times · 93% negative",
        "https://example.com/posts/1?a=1&b=2",
    ):
        assert part in text


def test_the_end_of_an_alert_says_how_long_and_how_bad_it_was() -> None:
    message = compose(make_delivery(make_resolved(), reason=NotificationReason.RESOLVED), SETTINGS)
    assert message.resolved
    assert message.headline == (
        "HBRM: over after 2 days 5 h; at its worst 15 negative posts by 14 authors in 24 h, 0.1 expected"
    )
    assert ("Over at", "2026-03-04 19:05 UTC") in message.facts


def test_a_test_says_that_nothing_has_happened() -> None:
    message = compose(make_delivery(make_alert(rule=TEST_RULE)), SETTINGS)
    assert message.headline.startswith("This is a test, nothing has happened. HBRM: ")


def test_an_alert_without_evidence_can_still_be_told() -> None:
    message = compose(make_delivery(make_alert(evidence=None)), SETTINGS)
    assert (message.quotes, message.chart, message.chart_line) == ((), (), "")
    assert render_text(message).startswith("HBRM: 15 negative posts")


def test_a_post_without_author_followers_and_link_is_quoted_without_them() -> None:
    post = make_post(author=None, followers=None, url=None, repeats=0)
    (quote,) = compose(make_delivery(make_alert(posts=(post,))), SETTINGS).quotes
    assert quote.byline == "unknown author · 2026-03-02 12:05 UTC · 93% negative"
    assert quote.url is None


@given(symbol=hostile_text, text=hostile_text, author=hostile_text, url=hostile_text)
def test_nothing_from_a_post_adds_a_line_or_a_control_character(symbol: str, text: str, author: str, url: str) -> None:
    plain_lines = len(render_text(compose(make_delivery(), SETTINGS)).splitlines())
    post = make_post(text, author=author, url=url)
    shown = render_text(compose(make_delivery(make_alert(symbol, posts=(post,))), SETTINGS))
    assert len(shown.splitlines()) in (plain_lines, plain_lines - 1)  # a refused link takes its line with it
    assert not [c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs")]
    shown.encode()


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
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.com/a",
        "/a",
        "http://",
        "http://bank.example@evil.example/",
        "http://[::1/",
        "http://host:99999/",
        "https://a b.example/",
        "https://example.com/" + "a" * 3000,
        "ftp://example.com/a",
    ],
)
def test_only_web_addresses_become_links(url: str | None) -> None:
    assert web_link(url) is None


def test_a_link_is_re_encoded_and_stays_what_it_was() -> None:
    assert web_link("https://Example.com/a?b=1&c=%20#d") == "https://example.com/a?b=1&c=%20#d"
    assert web_link("https://example.com/a|b>c<d\"e'f") == "https://example.com/a%7Cb%3Ec%3Cd%22e%27f"
    assert web_link("https://münchen.example/ä") == "https://xn--mnchen-3ya.example/%C3%A4"


@given(hostile_text.map(lambda text: f"https://example.com/{text}"))
def test_no_link_holds_a_character_that_ends_it(url: str) -> None:
    link = web_link(url)
    if link is not None:
        assert link.isascii()
        assert not set(link) & set("<>|\"'\\ \r\n\t`")
        assert urlsplit(link).hostname == "example.com"
