"""Named lists of symbols: written in a rules file, or in a file beside it with one symbol a line."""

from collections.abc import Iterator
from pathlib import Path

from alerts.rule_keys import RULE_KEYS, Wrong, read_symbol, read_symbols
from alerts.rule_source import Problem, Source, read_text, shown
from alerts.toml_lines import Place
from bearometer.errors import Misconfigured

__all__ = ["Groups", "read_groups"]

Groups = dict[str, tuple[str, ...] | None]
"""Symbols by the name of their list or sector; None where they are wrong."""


def read_groups(source: Source, kind: str) -> Groups:
    """The table `[lists]` or `[sectors]`; what is wrong is noted in the source."""
    table = source.table.get(kind, {})
    if not isinstance(table, dict):
        source.refuse((kind,), kind, table, f"a table: [{kind}]")
        return {}
    return {name: _read_group(source, (kind, name), value) for name, value in table.items()}


def _read_group(source: Source, place: Place, value: object) -> tuple[str, ...] | None:
    kind, name = place
    try:
        RULE_KEYS["name"](name)
    except Wrong as wrong:
        source.complain(place, f"`{kind}` has {shown(name)}; each must be {wrong.faults[0][2]}")
        return None
    key = f"{kind}.{name}"
    if isinstance(value, str):
        return _read_file(source, place, key, value)
    try:
        symbols: tuple[str, ...] = read_symbols(value)
    except Wrong as wrong:
        source.note(place, key, wrong)
        return None
    return symbols


def _read_file(source: Source, place: Place, key: str, name: str) -> tuple[str, ...] | None:
    path = source.path.parent / name
    try:
        text = read_text(path)
    except Misconfigured as error:
        wanted = "a list of ticker symbols, or the name of a file beside this one with one symbol a line"
        source.refuse(place, key, name, f"{wanted}: {error}")
        return None
    found = list(_read_lines(source, path, text))
    return None if None in found else tuple(dict.fromkeys(symbol for symbol in found if symbol))


def _read_lines(source: Source, path: Path, text: str) -> Iterator[str | None]:
    for number, line in enumerate(text.split("\n"), start=1):
        symbol = line.partition("#")[0].strip()
        if symbol:
            try:
                yield read_symbol(symbol)
            except Wrong as wrong:
                source.problems[Problem(path, number, f"{shown(symbol)} must be {wrong.faults[0][2]}")] = None
                yield None
