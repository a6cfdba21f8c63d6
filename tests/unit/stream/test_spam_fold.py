"""What is one spelling, and what stays two words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.spam_fold import fold


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("C\u2019mon", "c'mon"),
        ("ÜBER", "uber"),
        ("U\u0308ber", "uber"),
        ("Straße", "strasse"),
        ("\uff24\uff49\uff53\uff43\uff4f\uff52\uff44", "discord"),
        ("D\u0456scord", "discord"),
        ("tele\u200bgr\u00adam", "telegram"),
        ("\U0001d409oin", "join"),
        ("\uff04ACME", "$acme"),
    ],
)
def test_these_are_the_same_word(written: str, meant: str) -> None:
    assert fold(written) == meant


@pytest.mark.parametrize("word", ["\u0441\u043e\u0440", "иду", "кризис", "が", "한국", "苹果", "हिन्दी"])
def test_a_word_of_one_other_alphabet_is_left_as_it_is(word: str) -> None:
    assert fold(word) == word


@given(st.text(max_size=200))
def test_what_is_folded_stays_as_it_is(text: str) -> None:
    assert fold(fold(text)) == fold(text)
