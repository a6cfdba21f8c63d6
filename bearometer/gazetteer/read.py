"""The gazetteer: names to symbols, read from the files that ship and from a user's."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from bearometer.errors import Misconfigured
from bearometer.gazetteer.words import Words, split_words
from bearometer.link_words import ACRONYMS
from bearometer.terminal import plain

__all__ = ["Entry", "Gazetteer", "Level", "read_gazetteer"]

NOBODY = "-"
"""Stands where a symbol stands: the name is never linked, and hides the shorter ones in it."""
MAX_BYTES = 50_000_000
MAX_WORDS = 12
_LEAST_JOINED = 7
"""Letters of a name that is written as one word in a hashtag."""
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.\-^=]{0,14}", re.ASCII)
_TICKER = re.compile(r"[A-Z]{2,5}", re.ASCII)
_HEADER = ("symbol", "name")


class Level(StrEnum):
    """What a name needs to be linked; the words of the column `ambiguous`."""

    SURE = ""
    """Always the company."""
    CASE = "case"
    """The company when written with its capitals; by context when not."""
    WORD = "word"
    """A noun or a person's name as well: by context."""
    VERB = "verb"
    """A verb or an adjective as well: by context, and in small letters hardly ever."""


_LEVELS = {**{level.value: level for level in Level}, "no": Level.SURE, "yes": Level.WORD}


@dataclass(frozen=True, slots=True)
class Entry:
    """A name, and whom it names."""

    name: str
    symbol: str | None
    """None: nobody."""
    level: Level


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """All names. Immutable once read; about 10,000 entries and 3 MB as it ships."""

    names: Mapping[str, Entry]
    """Folded words, parted by spaces, to the entry."""
    tickers: frozenset[str]
    """Symbols that may stand bare in a text: two to five letters, and no acronym of something else."""
    company: Mapping[str, str]
    """Another ticker of a company to its main one: GOOG to GOOGL, FB to META."""


@dataclass(slots=True)
class _Draft:
    names: dict[str, Entry] = field(default_factory=dict)
    joined: dict[str, Entry] = field(default_factory=dict)
    """Names of several words, without the spaces."""
    symbols: set[str] = field(default_factory=set)
    company: dict[str, str] = field(default_factory=dict)


def read_gazetteer(own: Path | None = None) -> Gazetteer:
    """What ships and the user's own CSV, which wins; takes some 40 ms.

    The columns of the CSV are `symbol`, `name` and, if need be, `ambiguous` (yes, no, or one of the levels); several
    names of one kind are parted by `|`; lines that begin with # are comments. Raises Misconfigured, naming the line.
    """
    draft = _Draft()
    folder = files("bearometer.gazetteer")
    for name in ("companies.csv", "names.csv"):
        _add(draft, folder.joinpath(name).read_text("utf-8"), name)
    if own is not None:
        _add(draft, _read_own(own), str(own))
    return Gazetteer(
        names={**draft.joined, **draft.names},
        tickers=frozenset(symbol for symbol in draft.symbols - ACRONYMS if _TICKER.fullmatch(symbol)),
        company=draft.company,
    )


def _read_own(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            message = f"`ingest.gazetteer` {path} has more than {MAX_BYTES:,} bytes"
            raise Misconfigured(message)
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        message = f"`ingest.gazetteer` {path} is not UTF-8"
        raise Misconfigured(message) from None
    except OSError as error:
        message = f"`ingest.gazetteer` {path} cannot be read: {(error.strerror or str(error)).lower()}"
        raise Misconfigured(message) from None


def _add(draft: _Draft, content: str, file: str) -> None:
    """Add a file's rows; of two names with the same words the later one stands."""
    lines = content.splitlines()
    reader = csv.reader(line if not line.startswith("#") else "" for line in lines)
    try:
        for cells in reader:
            if not cells:
                continue
            row = [cell.strip() for cell in cells]
            if reader.line_num == 1 and tuple(row[:2]) == _HEADER:
                continue
            for name, symbol, level in _read_row(row):
                _add_name(draft, name, symbol, level)
    except (ValueError, csv.Error) as error:
        message = f"{plain(file)}, line {reader.line_num}: {error}"
        raise Misconfigured(message) from None


def _read_row(row: list[str]) -> Iterator[tuple[str, str | None, Level]]:
    if len(row) < 2 or len(row) > 3:
        message = f"it has {len(row)} columns; it must have symbol,name or symbol,name,ambiguous"
        raise ValueError(message)
    symbol = row[0].upper().removeprefix("$")
    if symbol != NOBODY and not _SYMBOL.fullmatch(symbol):
        message = f"`{plain(row[0], 40)}` is no symbol such as WMT, BRK.B or 7203.T (- for nobody)"
        raise ValueError(message)
    level = _LEVELS.get(row[2].lower() if len(row) == 3 else "")
    if level is None:
        message = f"ambiguous is `{plain(row[2], 40)}`; it must be yes, no, {', '.join(filter(None, Level))} or empty"
        raise ValueError(message)
    names = [name.strip() for name in row[1].split("|")]
    for name in names:
        if not 1 <= len(split_words(name)) <= MAX_WORDS:
            message = f"the name is `{plain(name, 40)}`; it must have 1 to {MAX_WORDS} words"
            raise ValueError(message)
        yield name, None if symbol == NOBODY else symbol, level


def _add_name(draft: _Draft, name: str, symbol: str | None, level: Level) -> None:
    if symbol is not None:
        draft.symbols.add(symbol)
    if name.startswith("$") and symbol is not None:
        other = name.removeprefix("$").upper()
        draft.symbols.add(other)
        draft.company[other] = symbol
        return
    words = split_words(name)
    if max(map(len, words.folded)) == 1 and "&" not in words.folded and "." not in name:
        return  # "K + S" would be everybody with these initials
    entry = Entry(name, symbol, level)
    joined = "".join(words.folded)
    draft.joined.pop(joined, None)
    for key in _spellings(words):
        draft.names[key] = entry
        if symbol is None and len(words) == 1:
            del draft.names[key]  # it hides no shorter name
    # What is written as one word is no other word by chance, but small letters still tell nothing.
    if symbol is not None and len(words) > 1 and len(joined) >= _LEAST_JOINED and joined.isalnum():
        draft.joined[joined] = entry


def _spellings(words: Words) -> Iterable[str]:
    """`coca cola` and `cocacola`, `johnson & johnson` and `johnson and johnson`, `macy s` and `macys`."""
    folded = words.folded
    yield " ".join(folded)
    parts = [folded[0]]
    for place, word in enumerate(folded[1:]):
        if words.gap(place) in {"-", "'", "\u2019"}:
            parts[-1] += word
        else:
            parts.append(word)
    yield " ".join(parts)
    if "&" in folded[1:-1] and min(len(folded[0]), len(folded[-1])) > 1:
        yield " ".join("and" if word == "&" else word for word in folded)
