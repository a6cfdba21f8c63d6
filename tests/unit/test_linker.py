"""Which companies a text names: hard cases, what never changes the answer, and how long it takes."""

import time
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.gazetteer.read import Level, read_gazetteer
from bearometer.link_measure import measure
from bearometer.linker import Linker, open_linker

CASES: list[dict[str, Any]] = [
    orjson.loads(line) for line in (Path(__file__).parents[1] / "data" / "linker_cases.jsonl").read_bytes().splitlines()
]
SAFE = [case for case in CASES if case["kind"] in {"trap", "boilerplate"}]
TEXTS = [case["text"] for case in CASES]
GAZETTEER = read_gazetteer()
SURE = sorted(key for key, entry in GAZETTEER.names.items() if entry.symbol and entry.level is Level.SURE)


@pytest.fixture(scope="module")
def linker() -> Linker:
    return open_linker()


def _linked(linker: Linker, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(linker.symbols(text)))


def test_of_the_hard_cases_nearly_all_are_right(linker: Linker) -> None:
    measured = measure(enumerate(CASES, start=1), linker)
    assert measured.texts >= 400
    assert measured.precision >= 0.99
    assert measured.recall >= 0.98


@pytest.mark.parametrize("case", SAFE, ids=lambda case: case["text"])
def test_what_only_looks_like_a_company_is_not_linked(linker: Linker, case: dict[str, Any]) -> None:
    assert _linked(linker, case["text"]) == tuple(case["symbols"])


@pytest.mark.parametrize("case", [case for case in CASES if case["symbols"]][::7], ids=lambda case: case["text"])
def test_a_link_stands_where_it_says_and_says_why(linker: Linker, case: dict[str, Any]) -> None:
    links = linker.find(case["text"])
    spans = [link.span for link in links]
    assert all(0 <= start < end <= len(case["text"]) for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert all(link.cues and link.score == sum(weight for weight, _ in link.cues) for link in links)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Wal-Mart's profit", ["Wal-Mart"]),
        ("J. P. Morgan and JPMorgan Chase & Co.", ["J. P. Morgan", "JPMorgan Chase"]),
        ("Bank of America Merrill Lynch", ["Bank of America Merrill Lynch"]),
        ("I sold my Ford. Motor shows bore me, said the Ford Motor chief", ["Ford", "Ford Motor"]),
        ("Nestlé\u2019s cafés", ["Nestlé"]),
        ("$WMT: Walmart (NYSE: WMT) falls", ["$WMT", "Walmart", "WMT"]),
    ],
)
def test_the_longest_name_is_the_one_that_is_meant(linker: Linker, text: str, named: list[str]) -> None:
    assert [text[slice(*link.span)] for link in linker.find(text)] == named


def test_a_company_with_several_tickers_goes_by_the_one_that_is_stated(linker: Linker) -> None:
    assert _linked(linker, "$GOOG slides: Google loses in court") == ("GOOG",)
    assert _linked(linker, "Google loses in court") == ("GOOGL",)
    assert _linked(linker, "Facebook slows, $FB down") == ("FB",)


def test_a_text_is_searched_by_symbol_first_and_by_its_names_else(linker: Linker) -> None:
    text = "Walmart falls and $TGT with it; Target warned"
    (walmart,), (target,), missing = linker.locate(text, ("WMT", "TGT", "AAPL"))
    assert (text[slice(*walmart)], text[slice(*target)], missing) == ("Walmart", "$TGT", ())
    assert [linker.name_in(text, symbol) for symbol in ("WMT", "TGT", "AAPL")] == ["Walmart", "$TGT", "AAPL"]
    assert linker.name_in("Google falls", "GOOG") == "Google"


NAMES = st.sampled_from(SURE)
SETTINGS = ("{}", "{} falls 5%", "Shares of {} plunge", "Why {}'s profit fell", "({})", "“{}”, they said", "#1: {}!")


@given(name=NAMES, frame=st.sampled_from(SETTINGS), change=st.sampled_from((str, str.upper, str.lower, str.title)))
def test_the_case_of_a_plain_name_never_matters(name: str, frame: str, change: Any) -> None:
    linker = open_linker()
    symbol = GAZETTEER.names[name].symbol
    assert symbol in _linked(linker, frame.format(change(name)))


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_the_unicode_form_never_matters(linker: Linker, form: Any) -> None:
    for text in TEXTS:
        assert _linked(linker, unicodedata.normalize(form, text)) == _linked(linker, text)


@pytest.mark.parametrize(
    "around",
    [
        " {} ",
        "\n{}\n",
        "{}.",
        "{}!!",
        "({})",
        "\u2026 {} \u2026",
        "\u201c{}\u201d",
        "*{}*",
        "\U0001f680 {}",
        "\u200b{}",
        "> {}",
    ],
)
def test_signs_around_a_text_never_matter(linker: Linker, around: str) -> None:
    for text in TEXTS:
        assert _linked(linker, around.format(text)) == _linked(linker, text)


@pytest.mark.parametrize(
    ("sign", "other"), [("'", "\u2019"), ("-", "\u2010"), ("-", "\u2013"), (" ", "\u00a0"), (" ", "  ")]
)
def test_apostrophes_dashes_and_spaces_may_be_of_any_kind(linker: Linker, sign: str, other: str) -> None:
    for text in TEXTS:
        assert _linked(linker, text.replace(sign, other)) == _linked(linker, text)


@given(st.text(alphabet=st.sampled_from("Walmart $&.'-#@(:NYSE)ßİ́ﬁ½\n\x00\U0001f680Target"), max_size=60))
def test_any_text_is_linked_without_overlaps(text: str) -> None:
    spans = [link.span for link in open_linker().judge(text)]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize(
    "text",
    [
        "Apple " * 20_000,
        "Target the gap, " * 10_000,
        "$AAPL " * 20_000,
        "J. P. " * 20_000,
        "é" * 100_000,
        "a\u0301" * 50_000,
        "NYSE: " * 20_000,
        "& " * 50_000,
        "on Facebook and " * 8_000,
        "Facebook and " * 8_000,
        "GAP gap " * 15_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_hostile_text_of_a_hundred_thousand_characters_is_soon_done(linker: Linker, text: str) -> None:
    began = time.process_time()
    linker.judge(text)
    assert time.process_time() - began < 2
