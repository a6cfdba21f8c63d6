"""Where a text names whom."""

import time

import pytest

from bearometer.linking import find_cashtags, find_spans, find_symbol


@pytest.mark.parametrize(
    ("text", "entity", "found"),
    [
        ("$aapl and AAPL fall", "AAPL", ["$aapl", "AAPL"]),
        ("the costs of Costco", "COST", []),
        ("an opening bell", "OPEN", []),
        ("an open door", "OPEN", ["open"]),
        ("Both NBFCs and BHELs margins", "NBFC", ["NBFC"]),
        ("Railways rise", "Railway", ["Railway"]),
        ("revenue of $3M", "3M", []),
        ("revenue of $3M", "$3M", []),
        ("revenue of 1.3M, or €3M", "3M", []),
        ("$3M Company, no: 3m company", "3M Company", ["3m company"]),
        ("3M cuts 900 jobs; so does GE,3M", "3M", ["3M", "3M"]),
        ("$BRK.B and BRK-A and $brk.b fall", "BRK", []),
        ("$BRK.B and BRK.B fall", "BRK.B", ["$BRK.B", "BRK.B"]),
        ("Up: $BRK. But not $BRK-like", "BRK", ["$BRK", "$BRK"]),
        ("$GOOG.L falls", "GOOG", []),
        ("RIL.NS falls", "RIL", ["RIL"]),
        ("S&P in the U.S. and S", "S", []),
        ("$S and $s, not $SNAP or $S.A", "S", ["$S", "$s"]),
        ("the F word, $F", "F", ["$F"]),
    ],
)
def test_who_is_named_is_found_and_what_only_looks_like_it_is_not(text: str, entity: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in find_spans(text, entity)] == found


@pytest.mark.parametrize("text", ["$BRK.B falls", "$brk-a falls", "$AAPL falls", "$F falls", "buy $AAPL.Now"])
def test_what_ingest_calls_a_symbol_is_found_where_it_stands(text: str) -> None:
    ((symbol, span),) = find_cashtags(text)
    assert find_spans(text, symbol) == (span,)


def test_a_name_of_a_megabyte_costs_nothing_and_is_not_found() -> None:
    longest = "Quillmark " * 20
    assert find_spans(f"{longest}falls", longest)
    name = "Quillmark " * 100_000
    began = time.perf_counter()
    assert find_spans(name, name) == ()
    assert time.perf_counter() - began < 1, "compiling it would take seconds"


@pytest.mark.parametrize(
    ("text", "symbol", "found"),
    [
        ("$wmt and WMT, not wmt or Walmart", "WMT", ["$wmt", "WMT"]),
        ("an open door", "OPEN", []),
        ("the F word, $F", "F", ["$F"]),
        ("Walmart falls", "Walmart", []),
        ("$ and $$", "$", []),
    ],
)
def test_a_symbol_stands_as_such_only_as_a_cashtag_or_in_capitals(text: str, symbol: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in find_symbol(text, symbol)] == found
