"""Which companies a text names, by their ticker symbols."""

import re
from collections.abc import Iterable

from bearometer import linking
from bearometer.linker import open_linker
from bearometer.settings import IngestSettings

__all__ = ["MAX_SYMBOLS", "clean_symbols", "find_cashtags", "find_symbols"]

MAX_SYMBOLS = 100
"""More symbols than this in one post are spam; the first ones are kept."""

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.\-^=]{0,14}", re.ASCII)


def find_cashtags(text: str) -> tuple[str, ...]:
    """Symbols written as `$AAPL` or `$BRK.B`, upper-case, in order, without repeats; `$100` and `$5M` are money."""
    return _distinct(symbol for symbol, _ in linking.find_cashtags(text))


def find_symbols(text: str, settings: IngestSettings) -> tuple[str, ...]:
    """Symbols of the companies that a text names by cashtag, ticker or name, in order of appearance, without repeats.

    Only cashtags when `link_names` is off. The names are read with the first text: Misconfigured, naming the line, when
    the user's file of them is wrong.
    """
    if not settings.link_names:
        return find_cashtags(text)
    return _distinct(open_linker(settings.gazetteer).symbols(text))


def clean_symbols(symbols: Iterable[str]) -> tuple[str, ...]:
    """Symbols that a source states: upper-case, without `$`, without repeats; what is none is left out."""
    stripped = (symbol.strip().removeprefix("$").upper() for symbol in symbols)
    return _distinct(symbol for symbol in stripped if _SYMBOL.fullmatch(symbol))


def _distinct(symbols: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for symbol in symbols:
        found[symbol] = None
        if len(found) == MAX_SYMBOLS:
            break
    return tuple(found)
