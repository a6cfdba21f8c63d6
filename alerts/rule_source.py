"""A rules file as it was read, and what is wrong with it, line by line."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alerts.rule_keys import OLD_NAMES, Reader, Wrong, nearest
from alerts.toml_lines import Lines, Place, find_lines
from bearometer.errors import Misconfigured
from bearometer.terminal import plain

__all__ = ["Problem", "Source", "open_source", "read_text", "shown"]

MAX_BYTES = 4_000_000
_AT_LINE = re.compile(r" \((?:at line (\d+), column \d+|at end of document)\)$")
_TOO_MANY_DIGITS = re.compile(r"\d[\d_]{4000,}")
_MARKED_TWICE = ("rule", "quiet_hours", "supply")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one line of a rules file, or of a list of symbols beside it."""

    path: Path
    line: int
    """From 1."""
    text: str
    is_warning: bool = False
    """The rules hold all the same."""

    def __str__(self) -> str:
        """One line, as compilers write it; safe for a terminal."""
        return plain(f"{self.path}:{self.line}: {'warning: ' if self.is_warning else ''}{self.text}", limit=1000)


@dataclass(slots=True)
class Source:
    """The tables of a file, where they stand in it, and the problems found so far, each once."""

    path: Path
    table: Mapping[str, Any]
    lines: Lines
    problems: dict[Problem, None] = field(default_factory=dict)

    def complain(self, place: Place, text: str, is_warning: bool = False) -> None:
        """Note a problem of what stands at this place."""
        self.problems[Problem(self.path, self.lines.line(place), text, is_warning)] = None

    def refuse(self, place: Place, key: str, value: object, wanted: str) -> None:
        """Note that a key has a value that it cannot have."""
        self.complain(place, f"`{key}` is {shown(value)}; it must be {wanted}")

    def unknown(self, place: Place, name: str, known: Iterable[str]) -> None:
        """Note that a key is none."""
        known = list(known)
        close = nearest(name, known) if OLD_NAMES.get(name) not in known else OLD_NAMES[name]
        meant = f"did you mean `{close}`?" if close else f"it must be one of {', '.join(known)}"
        self.complain(place, f"`{name}` is unknown; {meant}")

    def read(self, value: object, place: Place, keys: Mapping[str, Reader]) -> dict[str, Any]:
        """What a table says, by key; what is wrong is noted and left out."""
        found: dict[str, Any] = {}
        if not isinstance(value, dict):
            self.refuse(place, str(place[0]), value, "a table")
            return found
        for key, each in value.items():
            if key not in keys:
                self.unknown((*place, key), key, keys)
                continue
            try:
                found[key] = keys[key](each)
            except Wrong as wrong:
                self.note((*place, key), key, wrong)
        return found

    def element(self, place: Place, value: object) -> Place:
        """Where this value first stands in the list at a place."""
        found: Any = self.table
        for part in place:
            found = found[part]
        return (*place, found.index(value)) if isinstance(found, list) else place

    def note(self, place: Place, key: str, wrong: Wrong) -> None:
        """Note what is wrong with a value, or with each of a list's elements."""
        for number, value, wanted in wrong.faults:
            if number is None:
                self.refuse(place, key, value, wanted)
            else:
                self.complain((*place, number), f"`{key}` has {shown(value)}; each must be {wanted}")


def open_source(path: Path) -> Source:
    """Read a file of TOML. Where it is none, there are no tables, and the problem says why.

    Raises Misconfigured when there is no such file, or it cannot be read.
    """
    text = read_text(path)
    lines = find_lines(text)
    try:
        return Source(path, tomllib.loads(text), lines)
    except RecursionError:
        return _broken(path, Problem(path, 1, "this is no TOML: too many brackets within brackets"))
    except tomllib.TOMLDecodeError as error:
        said = _AT_LINE.search(str(error))
        line = int(said[1]) if said and said[1] else text.rstrip().count("\n") + 1
        reason = _AT_LINE.sub("", str(error))
        again = [(place, at) for place, at in lines.twice if at <= line]
        if again:
            return _broken(path, *(_twice(path, place, at, lines) for place, at in again))
        there = text.split("\n")[line - 1].strip()
        words = f"{reason[:1].lower()}{reason[1:]}, in {shown(there)}"
        return _broken(path, Problem(path, line, f"this is no TOML: {words}"))
    except ValueError:
        digits = _TOO_MANY_DIGITS.search(text)
        line = text.count("\n", 0, digits.start() if digits else 0) + 1
        return _broken(path, Problem(path, line, "this is no TOML: a number of thousands of digits"))


def read_text(path: Path) -> str:
    """The text of a file in UTF-8. Raises Misconfigured when there is none, it is too long, or cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            message = f"the file {path} has more than {MAX_BYTES:,} bytes"
            raise Misconfigured(message)
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        message = f"the file {path} does not exist"
        raise Misconfigured(message) from None
    except UnicodeDecodeError as error:
        message = f"the file {path} is not in UTF-8: {error.reason} at byte {error.start:,}"
        raise Misconfigured(message) from None
    except (OSError, ValueError) as error:
        message = f"the file {path} cannot be read: {error}"
        raise Misconfigured(message) from None


def shown(value: object) -> str:
    """A value as an error names it, cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{plain(value, 60)}"'
    if isinstance(value, dict | list):
        return f"{'an empty' if not value else 'a'} {'table' if isinstance(value, dict) else 'list'}"
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number of more than 30 digits"
    return plain(f"{value:g}" if isinstance(value, float) else str(value), 60)


def _broken(path: Path, *problems: Problem) -> Source:
    return Source(path, {}, Lines({}, ()), dict.fromkeys(problems))


def _twice(path: Path, place: Place, line: int, lines: Lines) -> Problem:
    name = ".".join(str(part) for part in place if isinstance(part, str))
    hint = f"; several are written [[{name}]], with two brackets" if name in _MARKED_TWICE else ""
    return Problem(path, line, f"`{name}` is there twice; it was there on line {lines.line(place)}{hint}")
