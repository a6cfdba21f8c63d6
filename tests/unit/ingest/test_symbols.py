"""Symbols in texts."""

import pytest

from bearometer.settings import IngestSettings
from ingest.symbols import MAX_SYMBOLS, clean_symbols, find_cashtags, find_symbols


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


def test_cashtags_tickers_and_names_are_found_in_order_without_repeats() -> None:
    text = "Walmart falls, $TGT too; AAPL up. Wal-Mart and Target warned, says JPMorgan"
    assert find_symbols(text, IngestSettings()) == ("WMT", "TGT", "AAPL", "JPM")
    assert find_symbols(text, IngestSettings(link_names=False)) == ("TGT",)


def test_a_flood_of_names_and_cashtags_is_cut() -> None:
    text = "Walmart " + " ".join(f"${chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(200))
    found = find_symbols(text, IngestSettings())
    assert len(found) == MAX_SYMBOLS and found[0] == "WMT"
