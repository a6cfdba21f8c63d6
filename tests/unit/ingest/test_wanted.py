import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.wanted import Wanted, with_symbols


def wanted(*keywords: str, cashtags: bool = False, languages: tuple[str, ...] = ()) -> Wanted:
    return Wanted(keywords, cashtags=cashtags, languages=languages)


@pytest.mark.parametrize(
    ("keyword", "text", "found"),
    [
        ("acme", "ACME falls", True),
        ("acme", "acmeist art", False),
        ("acme", "an $ACME call", True),
        ("$acme", "an $ACME call", True),
        ("$acme", "an acme call", False),
        ("$BRK.B", "sold $brk.b today", True),
        ("Wile & Sons", "at WILE, sons!", True),
        ("Wile & Sons", "wile and sons", False),
        ("Wile & Sons", "wile", False),
        ("stra\u00dfe", "STRASSE", True),
        ("\u6771\u8299", "\u6771\u8299 falls", True),
        ("acme", "", False),
    ],
)
def test_words_and_phrases_are_found_whatever_their_case_and_punctuation(keyword: str, text: str, found: bool) -> None:
    assert wanted(keyword)(text) is found


def test_a_cashtag_is_enough_where_cashtags_count_and_money_is_none() -> None:
    assert wanted(cashtags=True)("buy $ACME")
    assert not wanted(cashtags=True)("for $100 or $5M")
    assert wanted("wile", cashtags=True)("buy $ACME")
    assert not wanted("wile")("buy $ACME")


def test_without_anything_to_look_for_everything_is_wanted() -> None:
    assert wanted()("lunch")
    assert wanted("&", " ")("lunch")


def test_a_language_that_is_not_stated_passes() -> None:
    speaks = wanted(languages=("en-US", "DE")).speaks
    assert speaks(["en"]) and speaks(["fr", "de-AT"]) and speaks([]) and speaks(["nonsense!"])
    assert not speaks(["fr"])
    assert wanted().speaks(["fr"])


@given(st.lists(st.text(max_size=8), max_size=5), st.text(max_size=60), st.integers(0, 5))
def test_a_keyword_is_found_in_any_text_that_holds_it_between_blanks(
    keywords: list[str], text: str, which: int
) -> None:
    usable = [word for word in keywords if any(character.isalnum() for character in word)]
    if usable:
        keyword = usable[which % len(usable)]
        assert wanted(*keywords)(f"{text} {keyword} {text}")


def test_many_keywords_cost_no_more_than_a_few() -> None:
    many = wanted(*(f"word{number} corp" for number in range(5_000)))
    text = "nothing of that kind is said here, however long it is " * 20
    started = time.process_time()
    for _ in range(200):
        assert not many(text)
    assert time.process_time() - started < 2


def test_stated_symbols_come_with_those_of_the_text() -> None:
    assert with_symbols(("WILE",), "about $ACME and $WILE") == ("WILE", "ACME")
    assert with_symbols((), "about $ACME") == ()
