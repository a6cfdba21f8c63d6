import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.text import clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Quillmark falls https://example.com/a?b=c today", "Quillmark falls today"),
        ("HTTP://EXAMPLE.COM", ""),
        ("see www.example.com, please", "see please"),
        ("a chart pic.twitter.com/abc and t.co/xyz", "a chart and"),
        ("Bread &amp; Butter &lt;up&gt;", "Bread & Butter <up>"),
        ("  two\n\nlines\tand\u00a0more ", "two lines and more"),
        ("nothing at.com/all to do, $BRK.B", "nothing at.com/all to do, $BRK.B"),
        (f"up &#{'9' * 5_000}; down", "up down"),
    ],
)
def test_links_escapes_and_white_space_go(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text())
def test_a_cleaned_text_holds_single_spaces_only(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == cleaned.strip()
    assert not re.search(r"\s\s|[\n\t\r]", cleaned)
