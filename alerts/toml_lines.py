"""On which line of a TOML text each key stands, which no reader of TOML for Python keeps."""

import contextlib
import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from re import Pattern

__all__ = ["Lines", "Place", "find_lines"]

Place = tuple[str | int, ...]
"""The way to a value: names of tables and keys, and positions in arrays from 0."""

_BETWEEN = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_STRINGS = (
    re.compile(r'"""(?:\\[\s\S]|(?!""")[^\\])*"""(?:"{0,2})'),
    re.compile(r"'''(?:(?!''')[\s\S])*'''(?:'{0,2})"),
    _BASIC,
    _LITERAL,
)
_OTHER_VALUE = re.compile(r"[^,\]}#\n]+")


@dataclass(frozen=True, slots=True)
class Lines:
    """Where things stand in a text; lines count from 1."""

    of: Mapping[Place, int]
    """For tables, keys and elements of arrays: where each begins."""
    twice: tuple[tuple[Place, int], ...]
    """Keys and tables that were there before, with the line on which they are there again."""

    def line(self, place: Place) -> int:
        """The line of this place, or of the nearest one around it that is known; 1 where none is."""
        while place and place not in self.of:
            place = place[:-1]
        return self.of.get(place, 1)


def find_lines(text: str) -> Lines:
    """Find every key of a text that `tomllib` takes; of any other text, those before it stops being TOML.

    Never raises.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    with contextlib.suppress(_Stuck, RecursionError):
        scanner.scan()
    return Lines(scanner.lines, tuple(scanner.twice))


class _Stuck(Exception):
    """Raised when the text is no TOML from here on."""


class _Scanner:
    """Walks over the text once. It need not judge values: `tomllib` has done so, or will."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Place, int] = {}
        self.twice: list[tuple[Place, int]] = []
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._lengths: dict[Place, int] = {}
        """How many tables each array of tables has so far."""
        self._implied: set[Place] = set()
        """Tables that are there only because something in them is: they may still be declared."""

    def scan(self) -> None:
        table: Place = ()
        while True:
            self._skip(_BETWEEN)
            if self._at == len(self._text):
                return
            line = self._line()
            if self._take("[["):
                table = self._add_table(self._key(), line)
                self._expect("]]")
            elif self._take("["):
                table = self._declare_table(self._key(), line)
                self._expect("]")
            else:
                self._pair(table)

    def _add_table(self, key: list[str], line: int) -> Place:
        array = (*self._enclosing(key[:-1], line), key[-1])
        if array in self.lines and array not in self._lengths:
            self.twice.append((array, line))
        self.lines.setdefault(array, line)
        number = self._lengths.get(array, 0)
        self._lengths[array] = number + 1
        self.lines[(*array, number)] = line
        return (*array, number)

    def _declare_table(self, key: list[str], line: int) -> Place:
        table = (*self._enclosing(key[:-1], line), key[-1])
        if table in self._implied:
            self._implied.remove(table)
            self.lines[table] = line
        else:
            self._note(table, line)
        return table

    def _enclosing(self, key: list[str], line: int) -> Place:
        """The table in which a header's last name stands: of an array of tables, the last one so far."""
        place: Place = ()
        for name in key:
            place = (*place, name)
            if place in self._lengths:
                place = (*place, self._lengths[place] - 1)
            elif place not in self.lines:
                self.lines[place] = line
                self._implied.add(place)
        return place

    def _pair(self, table: Place) -> None:
        line = self._line()
        *outer, last = self._key()
        for name in outer:
            table = (*table, name)
            self.lines.setdefault(table, line)
        self._note((*table, last), line)
        self._expect("=")
        self._value((*table, last))

    def _note(self, place: Place, line: int) -> None:
        if place in self.lines:
            self.twice.append((place, line))
        else:
            self.lines[place] = line

    def _value(self, place: Place) -> None:
        self._skip(_SPACE)
        if self._take("["):
            self._array(place)
        elif self._take("{"):
            self._inline_table(place)
        elif not any(self._skip(pattern) for pattern in (*_STRINGS, _OTHER_VALUE)):
            raise _Stuck

    def _array(self, place: Place) -> None:
        number = 0
        while not self._ends_with("]"):
            self.lines[(*place, number)] = self._line()
            self._value((*place, number))
            number += 1

    def _inline_table(self, place: Place) -> None:
        while not self._ends_with("}"):
            self._pair(place)

    def _ends_with(self, bracket: str) -> bool:
        """Go on to the next element, over a comma and lines; whether there is none, and the bracket was taken."""
        self._skip(_BETWEEN)
        if self._take(","):
            self._skip(_BETWEEN)
        return self._take(bracket)

    def _key(self) -> list[str]:
        parts = [self._name()]
        while self._take("."):
            parts.append(self._name())
        return parts

    def _name(self) -> str:
        self._skip(_SPACE)
        start = self._at
        if not any(self._skip(pattern) for pattern in (_BARE, _BASIC, _LITERAL)):
            raise _Stuck
        name = self._text[start : self._at]
        self._skip(_SPACE)
        if not name.startswith('"'):
            return name.strip("'")
        try:
            return str(tomllib.loads(f"name = {name}")["name"])
        except tomllib.TOMLDecodeError:
            raise _Stuck from None

    def _line(self) -> int:
        return bisect_left(self._ends, self._at) + 1

    def _skip(self, pattern: Pattern[str]) -> bool:
        """Go over what the pattern matches here; whether that is anything."""
        match = pattern.match(self._text, self._at)
        if match is None or match.end() == self._at:
            return False
        self._at = match.end()
        return True

    def _take(self, token: str) -> bool:
        if not self._text.startswith(token, self._at):
            return False
        self._at += len(token)
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise _Stuck
