"""The words that made the top post negative, in each medium."""

import dataclasses
import json
from html import escape

from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from alerts.html import render_html
from alerts.message import compose, find_words, render_text
from alerts.slack_blocks import render_slack
from bearometer.settings import AlertSettings
from tests.receivers import slack_problems
from tests.sample_alerts import hostile_text, make_alert, make_delivery, make_post

SETTINGS = AlertSettings()
WORDS = ("weak", "shuts", "quarter & shuts")


def test_every_medium_shows_them_with_their_post() -> None:
    message = compose(make_delivery(make_alert(posts=(make_post(words=WORDS),))), SETTINGS)
    line = "Strongest words: weak, shuts, quarter & shuts"
    assert f"\n   {line}\n" in render_text(message)
    assert escape(line) in render_html(message, None)
    assert "Strongest words: weak, shuts, quarter &amp; shuts" in json.dumps(render_slack(message))


def test_the_page_marks_them_in_the_text_the_longest_first() -> None:
    page = render_html(compose(make_delivery(make_alert(posts=(make_post(words=WORDS),))), SETTINGS), None)
    marked = [part.partition(">")[2] for part in page.replace("</b>", "<b").split("<b") if part.startswith(' style="b')]
    assert marked == ["weak", "quarter &amp; shuts"]


def test_a_post_without_them_is_shown_as_before() -> None:
    message = compose(make_delivery(), SETTINGS)
    for shown in (render_text(message), render_html(message, None), json.dumps(render_slack(message))):
        assert "Strongest words" not in shown
        assert "<b style" not in shown


def test_a_word_is_marked_as_a_whole_word_only() -> None:
    assert find_words("cut the cuts: cut! 14% $cut", ("cut", "14%", "$cut")) == ((0, 3), (14, 17), (19, 22), (23, 27))


def test_at_most_five_short_words_are_shown() -> None:
    words = tuple(f"{letter}{'x' * 200}" for letter in "abcdefgh")
    (quote,) = compose(make_delivery(make_alert(posts=(make_post(words=words),))), SETTINGS).quotes
    assert quote.strongest.count(",") == 4
    assert len(quote.strongest) < 250


@examples(deadline=None)
@given(text=hostile_text, words=st.lists(hostile_text, max_size=6))
def test_marks_never_change_what_a_page_says(text: str, words: list[str]) -> None:
    marked = make_alert(posts=(make_post(text, words=tuple(words)),))
    (quote,) = compose(make_delivery(marked), SETTINGS).quotes
    assert all(0 <= start < end <= len(quote.text) for start, end in quote.marks)
    plain = dataclasses.replace(
        compose(make_delivery(marked), SETTINGS), quotes=(dataclasses.replace(quote, marks=()),)
    )
    page = render_html(dataclasses.replace(plain, quotes=(quote,)), None)
    accent = '<b style="border-bottom:2px solid #c0392b">'
    assert page.count("<b ") == page.count(accent) == len(quote.marks)
    assert page.replace(accent, "").replace("</b>", "") == render_html(plain, None)
    assert "\n" not in quote.strongest


@examples(deadline=None)
@given(words=st.lists(hostile_text, max_size=6), text=hostile_text)
def test_no_word_breaks_a_slack_message(words: list[str], text: str) -> None:
    post = make_post(text, words=tuple(words))
    payload = render_slack(compose(make_delivery(make_alert(posts=(post,) * 10)), SETTINGS))
    assert slack_problems(json.loads(json.dumps(payload))) == []
    assert not [mark for mark in ("<!", "<@", "<#", "@here", "@channel") if mark in json.dumps(payload)]
