import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.terms import find_new_terms
from tests.sample_alerts import hostile_text

PAST = [f"Harbor Mills sells flour in town {chr(97 + n)}" for n in range(26)]
ELSEWHERE = [f"the market is quiet in street {chr(97 + n)}" for n in range(26)]


def terms(window: list[str], past: list[str] | None = None, symbol: str = "HBRM") -> list[str]:
    found = find_new_terms(window, PAST if past is None else past, ELSEWHERE, symbol)
    return [new.term for new in found]


def test_what_nobody_said_before_and_many_say_now_is_new() -> None:
    window = ["flour recall hits bakers", "recall at the mill", "why the recall?", "Harbor Mills sells flour"]
    (new,) = find_new_terms(window, PAST, ELSEWHERE, "HBRM")
    assert (new.term, new.seen) == ("recall", 3)
    assert 0 < new.expected < 0.1


def test_what_is_always_said_of_the_company_is_not_new() -> None:
    assert terms(["flour again", "more flour", "flour, flour", "flour!"]) == []


def test_what_is_said_of_everybody_is_not_new_for_a_company_without_a_past() -> None:
    window = ["quiet market, lawsuit", "a market lawsuit", "lawsuit and market", "market"]
    assert terms(window, past=[]) == ["lawsuit"]


def test_nothing_is_new_where_nothing_was_said_before() -> None:
    assert find_new_terms(["recall"] * 5, [], [], "HBRM") == ()


def test_two_texts_are_too_few() -> None:
    assert terms(["the recall", "a recall", "calm"]) == []


def test_words_that_go_together_are_one_term() -> None:
    assert terms([f"profit warning {n}" for n in "abcd"]) == ["profit warning"]
    assert terms(["profit warning", "profit, a warning", "profit: warning", "no warning"]) == ["warning", "profit"]


def test_each_word_is_in_one_term_and_there_are_five_at_most() -> None:
    words = ["alpha", "bravo", "delta", "gamma", "kappa", "lambda", "omega"]
    found = terms([f"{word} {other}" for word in words for other in words])
    assert len(found) == 5
    assert len({word for term in found for word in term.split()}) == sum(len(term.split()) for term in found)


@pytest.mark.parametrize(
    "word",
    [
        "$HBRM",
        "$ZETA",
        "#HBRM",
        "HBRM",
        "@harbor_mills",
        "https://evil.example/recall",
        "because",
        "october",
        "2,300",
        "14%",
    ],
)
def test_links_handles_symbols_and_empty_words_are_no_terms(word: str) -> None:
    assert terms([f"{word} {n}" for n in range(9)]) == []


@pytest.mark.parametrize(("symbol", "name"), [("WMT", "walmart"), ("PFE", "Pfizer"), ("HBRM", "#HarborMills")])
def test_what_the_symbol_is_short_for_is_no_term(symbol: str, name: str) -> None:
    assert terms([f"{name} {n}" for n in "abcd"], symbol=symbol) == []


def test_a_hashtag_is_a_word() -> None:
    assert terms([f"#boycott {n}" for n in "abcd"]) == ["boycott"]


def test_case_and_possessives_do_not_matter() -> None:
    assert terms(["RECALL", "Recall's", "recall\u2019s", "the recall"]) == ["recall"]


@settings(deadline=None)
@given(st.lists(hostile_text, max_size=8), st.lists(hostile_text, max_size=4), hostile_text)
def test_whatever_the_texts_hold_terms_are_short_words_and_their_order_does_not_matter(
    window: list[str], past: list[str], symbol: str
) -> None:
    found = find_new_terms(window, past, ELSEWHERE, symbol)
    assert found == find_new_terms(window[::-1], past[::-1], ELSEWHERE, symbol)
    for new in found:
        assert all(part.replace("'", "").isalpha() for part in new.term.split(" "))
        assert len(new.term) <= 61
        assert new.seen >= max(3, 3 * new.expected)
