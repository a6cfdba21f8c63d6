from hypothesis import given
from hypothesis import strategies as st

from bearometer.terminal import plain


def test_escape_sequences_and_bidirectional_marks_are_taken_out() -> None:
    assert plain("\x1b[2Jred \u202ealert\x07\r\nnew\tline") == "[2Jred alert new line"


def test_a_long_text_is_cut() -> None:
    assert plain("word " * 300, limit=10) == "word word…"


@given(st.text())
def test_no_text_moves_the_cursor(text: str) -> None:
    line = plain(text)
    assert len(line) <= 500
    assert all(character == " " or character.isprintable() for character in line)
