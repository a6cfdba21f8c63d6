"""Symbols in texts."""

import pytest

from ingest.symbols import MAX_SYMBOLS, clean_symbols, find_cashtags


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("$ACME and $wile fall", ("ACME", "WILE")),
        ("$BRK.B, $ACME.", ("BRK.B", "ACME")),
        ("$ACME $acme", ("ACME",)),
        ("costs $100, $5M, US$ACME, $$ACME", ()),
        ("$TOOLONGNAME $a_b", ()),
        ("$ACME.Buy now", ("ACME",)),
    ],
)
def test_cashtags_are_found_and_money_is_not(text: str, symbols: tuple[str, ...]) -> None:
    assert find_cashtags(text) == symbols


def test_what_is_no_symbol_is_left_out() -> None:
    assert clean_symbols(["acme", "$WILE", "*", "", "a b", "<b>", "^GSPC", "ACME"]) == ("ACME", "WILE")


def test_a_flood_of_symbols_is_cut() -> None:
    text = " ".join(f"${chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(200))
    assert len(find_cashtags(text)) == MAX_SYMBOLS
