"""HTML of feeds, reduced to its text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.text import strip_html


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Acme <b>falls</b></p>", "Acme falls"),
        ("a < b and c > d", "a < b and c > d"),
        ("one<br/>two", "one two"),
        ("x <!-- <b> hidden --> y", "x y"),
        ("x <script>alert('<p>')</script> y", "x y"),
        ("x <STYLE>p {}</Style> y", "x y"),
        ("never <b closed", "never <b closed"),
    ],
)
def test_tags_vanish_and_words_stay(markup: str, text: str) -> None:
    assert " ".join(strip_html(markup).split()) == text


@given(st.text())
def test_text_without_tags_is_left_alone(text: str) -> None:
    plain = text.replace("<", "")
    assert strip_html(plain) == plain


@pytest.mark.parametrize("markup", ["<" * 999_000, "<!--" * 240_000, "<script>" * 120_000 + "</script", "<a" * 499_000])
def test_broken_markup_takes_linear_time(markup: str) -> None:
    started = time.process_time()
    strip_html(markup)
    assert time.process_time() - started < 10
