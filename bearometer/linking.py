"""Where a text names whom: one linker, for ingest (which symbols) and for the model (which words)."""

import re
from collections.abc import Iterator
from functools import lru_cache

__all__ = ["Span", "find_cashtags", "find_spans", "find_symbol"]

Span = tuple[int, int]
"""Start and end of some characters of a text, as in `text[start:end]`."""

_CASHTAG = re.compile(r"(?<![\w$])\$([A-Za-z]{1,6}(?:[.\-][A-Za-z]{1,2})?)(?!\w)")
_SYMBOL = re.compile(r"\$?([A-Z0-9][A-Z0-9.\-^=]{0,14})", re.ASCII)
_SHORT = 3
"""Symbols of so few letters are words too often to be found without regard to case."""
_LONGEST = 200
"""Characters; nobody's name is longer, and patterns of strangers' texts would fill the memory."""
_CLASS = r"(?![.\-][A-Za-z]{1,2}(?!\w))"
"""Behind a cashtag: not the `.B` of `$BRK.B`, which is part of another symbol."""
_BARE_CLASS = r"(?![.\-][A-Z](?!\w))"
"""Behind a bare symbol: one capital alone, for RIL.NS is RIL, and "IBM-HP" names IBM."""
_NO_AMOUNT = r"(?<![\w$€£])(?<!\d[.,])"
"""Before what begins with a digit: 3M is no part of $3M or of 1.3M."""


def find_cashtags(text: str) -> Iterator[tuple[str, Span]]:
    """Symbols written as `$AAPL` or `$BRK.B`, upper-case, each with its place; `$100` and `$5M` are money."""
    for match in _CASHTAG.finditer(text):
        yield match.group(1).upper(), match.span()


def find_spans(text: str, entity: str) -> tuple[Span, ...]:
    """Every place where the text names the entity, which is given by symbol (`AAPL`, `$AAPL`) or by name; may be none.

    A symbol is found as a cashtag in any case, or bare in capitals ("NBFCs" too); one of a single letter only as a
    cashtag; one of more than three letters as a whole word in any case too, if it stands nowhere else. A name is found
    as whole words in any case; if it is not there, the beginning of a longer word will do ("Railway" in "Railways").
    Nothing is found of what is longer than 200 characters. Amounts of money are no names (`$3M`).
    """
    entity = entity.strip()
    if len(entity) > _LONGEST:
        return ()
    for pattern in _patterns(entity):
        if spans := tuple(match.span() for match in pattern.finditer(text)):
            return spans
    return ()


def find_symbol(text: str, symbol: str) -> tuple[Span, ...]:
    """Every place where a symbol stands as such: as a cashtag in any case, or bare in capitals; may be none."""
    if len(symbol) > _LONGEST or not _SYMBOL.fullmatch(symbol) or symbol == "$":
        return ()
    return tuple(match.span() for match in _patterns(symbol)[0].finditer(text))


@lru_cache(maxsize=4096)
def _patterns(entity: str) -> tuple[re.Pattern[str], ...]:
    """What to look for, the surest first."""
    if not entity.strip("$"):
        return ()
    symbol = _SYMBOL.fullmatch(entity)
    if symbol:
        return tuple(re.compile(pattern) for pattern in _symbol_patterns(symbol.group(1), entity.startswith("$")))
    words = r"\s+".join(re.escape(word) for word in entity.split())
    before = _NO_AMOUNT if entity[0].isdecimal() else r"(?<!\w)"
    return (
        re.compile(rf"{before}{words}(?!\w)", re.IGNORECASE),
        re.compile(rf"{before}{words}", re.IGNORECASE),
    )


def _symbol_patterns(symbol: str, is_cashtag: bool) -> Iterator[str]:
    bare = re.escape(symbol)
    tagged = rf"(?<![\w$])\$(?i:{bare})(?!\w){_CLASS}"
    before = r"(?<![\w$])"
    if symbol[0].isdecimal():
        # `$3M` is money, whoever asks.
        tagged, before = r"(?!)", _NO_AMOUNT
    capitals = rf"{before}{bare}(?=s?(?!\w)){_BARE_CLASS}"
    yield tagged if len(symbol) == 1 else f"{tagged}|{capitals}"
    if len(symbol) > _SHORT and not is_cashtag:
        yield rf"{before}(?i:{bare})(?!\w){_BARE_CLASS}"
