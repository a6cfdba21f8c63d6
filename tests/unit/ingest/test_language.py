"""Which language a post is in: a wrong "not English" loses it."""

# ruff: noqa: RUF001 # look-alikes are meant

import json
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.language import ENGLISH_TAG, UNDETERMINED, clean_language, decide_language
from ingest.language_words import ENGLISH, ENGLISH_MARKET, FOREIGN

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "data/language_cases.jsonl").read_text(encoding="utf-8").splitlines()
]
SCORED = {ENGLISH_TAG, UNDETERMINED}
ENGLISH_CASES = [case for case in CASES if case["language"] in SCORED]
FOREIGN_CASES = [case for case in CASES if case["language"] not in SCORED]
STATED = ("en", "es", "de", "fr", "in", "sk", "tl", "nl", "da", "hi", "ja", "zh", "und", "", "zxx", "not a tag")


@pytest.mark.parametrize("case", ENGLISH_CASES, ids=lambda case: case["text"][:40])
def test_no_english_post_is_called_another_language(case: dict[str, str]) -> None:
    assert decide_language(case.get("stated"), case["text"]) in SCORED
    assert decide_language(None, case["text"]) in SCORED
    assert decide_language("en", case["text"]) in SCORED


def test_other_languages_are_caught_and_mostly_named_right() -> None:
    decided = [(decide_language(case.get("stated"), case["text"]), case["language"]) for case in FOREIGN_CASES]
    caught = [(found, language) for found, language in decided if found not in SCORED]
    assert len(caught) > 0.93 * len(decided)
    assert sum(found == language for found, language in caught) > 0.95 * len(caught)


@pytest.mark.parametrize("stated", ["sk", "tl", "in", "nl", "de", "es-MX"])
@pytest.mark.parametrize("text", ["$NTHW $HRBR $QMRK", "NTHW HRBR QMRK", "🚀🚀 $NTHW +3%", "#stocks @someone", ""])
def test_a_stated_language_is_not_believed_of_a_text_without_words(stated: str, text: str) -> None:
    assert decide_language(stated, text) == UNDETERMINED


def test_a_stated_language_is_believed_of_a_text_too_short_to_say() -> None:
    assert decide_language(None, "$NTHW subiendo fuerte") == UNDETERMINED
    assert decide_language("es-AR", "$NTHW subiendo fuerte") == "es"


def test_a_stated_language_is_not_believed_against_english_words() -> None:
    assert decide_language("fr", "Northwater Inc. shares up after results") == ENGLISH_TAG
    assert decide_language("ja", "Northwater Inc. shares up after results") == ENGLISH_TAG


def test_a_stated_english_gives_way_to_a_text_that_is_clearly_something_else() -> None:
    assert decide_language("en", "株価が急落した $NTHW") == "ja"
    assert decide_language("en", "Die Aktie fällt nach den Zahlen weiter, und der Vorstand schweigt") == "de"
    assert decide_language("en", "Quartzmark in free fall") == ENGLISH_TAG


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("跌停 $NTHW", "zh"),
        ("$NTHW 売り", "ja"),
        ("매도", "ko"),
        ("продаю $NTHW", "ru"),
        ("прибуток її", "uk"),
        ("הפסד גדול", "he"),
        ("خسارة كبيرة", "ar"),
        ("बेचो अभी", "hi"),
        ("ขายเลย", "th"),
    ],
)
def test_another_writing_is_enough(text: str, language: str) -> None:
    assert decide_language(None, text) == language


def test_a_foreign_name_in_its_own_writing_leaves_a_post_english() -> None:
    assert decide_language(None, "Harborside (ハーバーサイド) recalls two million cars over its airbags") == ENGLISH_TAG


@pytest.mark.parametrize("stated", [None, "en", "fr", "de", "pt", "tr", "vi"])
@pytest.mark.parametrize(
    "text",
    [
        "Société Générale CEO resigns after $5bn trading loss",
        "Deutsche Börse halts trading",
        "Électricité de France warns on profit",
        "Petróleo Brasileiro CEO ousted",
        "Türkiye Garanti Bankasi sued",
        "Tổng công ty Hàng không Việt Nam doubles fleet",
        "PETRÓLEO BRASILEIRO SLASHES CAPEX",
    ],
)
def test_names_do_not_make_a_headline_foreign(stated: str | None, text: str) -> None:
    assert decide_language(stated, text) in SCORED


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Acciones de Apple caen tras el earnings call", "es"),
        ("Tesla-Aktie bricht nach Rückruf ein", "de"),
        ("L'action Société Générale chute de 9 %", "fr"),
        ("Deutsche Börse setzt den Handel aus", "de"),
        ("Hòa Phát tăng sản lượng thép", "vi"),
    ],
)
def test_names_and_loan_words_do_not_make_a_headline_english(text: str, language: str) -> None:
    assert decide_language(None, text) == language


@given(st.lists(st.sampled_from(("Société", "Générale", "Müller", "Ağaoğlu", "Nguyễn", "Łódź", "São")), min_size=1))
def test_names_alone_are_no_other_language(names: list[str]) -> None:
    assert decide_language(None, " ".join(names)) == UNDETERMINED
    assert decide_language("en", " ".join(names)) == ENGLISH_TAG


def test_letters_that_only_look_foreign_are_no_other_language() -> None:
    for text in ("ВUУ ТНЕ DIР nоw", "bυy тнe dιp", "𝕓𝕦𝕪 𝕥𝕙𝕖 𝕕𝕚𝕡", "ꜰᴀʟʟɪɴɢ ᴋɴɪꜰᴇ", "BÜY THÉ DÏP NØW"):
        assert decide_language(None, text) in SCORED


def test_no_word_is_in_english_and_another_list() -> None:
    for language, words in FOREIGN.items():
        assert not words & (ENGLISH | ENGLISH_MARKET), language


@pytest.mark.parametrize("tag", ["zxx", "mul", "qme", "qht", "", "x", "1234", "und"])
def test_a_tag_that_names_no_language_is_undetermined(tag: str) -> None:
    assert clean_language(tag) == UNDETERMINED


@given(st.sampled_from(STATED) | st.none(), st.text(max_size=300))
def test_any_text_has_a_language_and_always_the_same(stated: str | None, text: str) -> None:
    found = decide_language(stated, text)
    assert found == clean_language(found) == decide_language(stated, text)


@given(
    st.sampled_from(STATED) | st.none(), st.lists(st.sampled_from(("$NTHW", "#buy", "@me", "12%", "🚀", "…", "QMRK")))
)
def test_a_text_without_words_is_always_scored(stated: str | None, pieces: list[str]) -> None:
    assert decide_language(stated, " ".join(pieces)) in SCORED


def test_a_long_text_costs_no_more_than_its_beginning() -> None:
    decide_language(None, "una frase para que se lea el modelo")
    for unit in ("a", "a.", "ünd ", "/" * 7, "$", "か", "́", "e\u0301\u0323", "и-"):
        began = process_time()
        decide_language("es", unit * 300_000)
        assert process_time() - began < 0.1
