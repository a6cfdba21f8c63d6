"""What may stand in a rules file: every key, and what each takes."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import time
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from alerts.rules import SCALES
from bearometer.alert import Measure, Severity
from bearometer.topics import TOPICS
from ingest.symbols import clean_symbols

__all__ = [
    "FILE_KEYS",
    "MARKET_KEYS",
    "OLD_NAMES",
    "QUIET_KEYS",
    "RULE_KEYS",
    "SELECTORS",
    "SUPPLY_KEYS",
    "Reader",
    "Wrong",
    "nearest",
    "read_symbol",
    "read_symbols",
]

Reader = Callable[[object], Any]
"""From a value as TOML has it to what we use. Raises Wrong."""

LONGEST_SECONDS = 366 * 86_400
GREATEST_NUMBER = 1e300
GREATEST_COUNT = 1_000_000
SYMBOL_WANTED = 'a ticker symbol: up to 15 letters, digits and ".", "-", "^", "=", such as "BRK.B"'
LENGTH_WANTED = 'a length of time such as "90s", "30m", "2h", "1d", "1h30m", or a whole number of seconds'
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(s|min|m|h|d|w) ?", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_PATTERN = re.compile(r"(?:[A-Z0-9.\-^=*?]|\[!?[A-Z0-9.\-^=]+\]){1,60}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_ROUTE = re.compile(r"\S{1,200}")
_SOURCE = re.compile(r"(?:[a-z0-9_.\-*?]|\[!?[a-z0-9_.\-]+\]){1,100}", re.ASCII)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Wrong(Exception):
    """Raised for a value that cannot be used: which element of a list, or None; the value; what is allowed."""

    def __init__(self, *faults: tuple[int | None, object, str]) -> None:
        self.faults = faults


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that somebody may have meant, whatever the letter case; None when none is near."""
    by_letters = {each.lower(): each for each in known}
    close = get_close_matches(name[:60].lower(), by_letters, n=1)
    return by_letters[close[0]] if close else None


def read_symbol(value: object) -> str:
    """A symbol as posts have it: upper-case, without `$`."""
    symbols = clean_symbols([value]) if isinstance(value, str) and len(value) < 100 else ()
    if not symbols:
        raise Wrong((None, value, SYMBOL_WANTED))
    return symbols[0]


def _pattern(value: object) -> str:
    if value == "market" or (isinstance(value, str) and value.startswith("#")):
        raise Wrong((None, value, f"{SYMBOL_WANTED}; topics and market have keys of their own"))
    if isinstance(value, str) and not any(mark in value for mark in "*?["):
        return read_symbol(value)
    if isinstance(value, str) and _PATTERN.fullmatch(value.strip().upper()):
        return value.strip().upper()
    raise Wrong((None, value, f'{SYMBOL_WANTED}, or a pattern of symbols with "*", "?", "[AB]"'))


def _topic(value: object) -> str:
    known = {topic.lower(): topic for topic in TOPICS} | {"*": "*"}
    if isinstance(value, str) and value.strip().lower() in known:
        return known[value.strip().lower()]
    close = nearest(value, TOPICS) if isinstance(value, str) else None
    wanted = f'a topic; the nearest is "{close}"' if close else f'a topic, or "*" for every one: {"; ".join(TOPICS)}'
    raise Wrong((None, value, wanted))


def _name(value: object) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise Wrong((None, value, 'a name of letters, digits, ".", "_" and "-", of 64 characters at most'))


def _route(value: object) -> str:
    if isinstance(value, str) and _ROUTE.fullmatch(value) and value.isprintable():
        return value
    raise Wrong((None, value, 'the name of a route or a pattern of names, such as "slack" or "email:*"'))


def _source(value: object) -> str:
    if isinstance(value, str) and _SOURCE.fullmatch(value):
        return value
    raise Wrong((None, value, 'the name of a source or a pattern of names, such as "feeds" or "news-*"'))


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise Wrong((None, value, "true or false"))


def _one_of(members: Iterable[StrEnum]) -> Reader:
    known = {str(each): each for each in members}

    def read(value: object) -> StrEnum:
        if isinstance(value, str) and value.strip().lower() in known:
            return known[value.strip().lower()]
        raise Wrong((None, value, _alternatives([f'"{each}"' for each in known])))

    return read


def _scale(value: object) -> str:
    if isinstance(value, str) and value in SCALES:
        return value
    raise Wrong((None, value, _alternatives([f'"{scale}"' for scale in SCALES])))


def _whole(least: int) -> Reader:
    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= GREATEST_COUNT:
            return value
        raise Wrong((None, value, f"a whole number from {least} to {GREATEST_COUNT:,}"))

    return read


def _number(least: float = 0, most: float = GREATEST_NUMBER, wanted: str = "a finite number above 0") -> Reader:
    """A finite number, above 0 in any case."""

    def read(value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 and least <= value <= most:
            return float(value)
        raise Wrong((None, value, wanted))

    return read


def _length(least: int = 0) -> Reader:
    """A length of time in seconds."""
    wanted = LENGTH_WANTED + (f"; {least} seconds or more" if least else "")

    def read(value: object) -> int:
        seconds: float = -1
        if isinstance(value, str) and re.fullmatch(rf"(?:{_LENGTH.pattern})+", value.strip(), re.ASCII):
            seconds = sum(float(number) * _UNITS[unit] for number, unit in _LENGTH.findall(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            seconds = value
        if not least <= seconds <= LONGEST_SECONDS:
            raise Wrong((None, value, f"{wanted}; a year at most" if seconds > LONGEST_SECONDS else wanted))
        return round(seconds)

    return read


def _or(word: str, meaning: object, read: Reader) -> Reader:
    """What `read` takes, or this one word."""

    def read_or(value: object) -> Any:
        if value == word:
            return meaning
        try:
            return read(value)
        except Wrong as wrong:
            raise Wrong(*((at, found, f'{wanted}, or "{word}"') for at, found, wanted in wrong.faults)) from None

    return read_or


def _list(read: Reader, of: str, empty: bool = False) -> Reader:
    """A list, each element once; one value alone is a list of one."""

    def read_list(value: object) -> tuple[Any, ...]:
        if isinstance(value, str):
            return (read(value),)
        if not isinstance(value, list) or not (value or empty):
            raise Wrong((None, value, f"a list of {of}"))
        found: dict[Any, None] = {}
        faults: list[tuple[int | None, object, str]] = []
        for number, element in enumerate(value):
            try:
                found[read(element)] = None
            except Wrong as wrong:
                faults += [(number, element, wanted) for _, _, wanted in wrong.faults]
        if faults:
            raise Wrong(*faults)
        return tuple(found)

    return read_list


def _scales(value: object) -> tuple[str, ...]:
    chosen = _list(_scale, "lengths of window")(value)
    return tuple(scale for scale in SCALES if scale in chosen)


def _days(value: object) -> tuple[int, ...]:
    def read(day: object) -> int:
        if isinstance(day, str) and day.strip().lower()[:3] in _DAYS:
            return _DAYS.index(day.strip().lower()[:3])
        raise Wrong((None, day, _alternatives([f'"{each}"' for each in _DAYS])))

    return tuple(sorted(_list(read, "weekdays")(value)))


def _time_of_day(value: object) -> time:
    if isinstance(value, time):
        return value.replace(second=0, microsecond=0)
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match[1] == "24" and match[2] != "00"):
        raise Wrong((None, value, 'a time of day from "00:00" to "24:00"'))
    return time(int(match[1]) % 24, int(match[2]))


def _zone(value: object) -> str:
    if isinstance(value, str) and value in _zones():
        return value
    close = nearest(value, _zones()) if isinstance(value, str) else None
    such = f"; the nearest is {close}" if close else ", such as Europe/Zurich or UTC"
    raise Wrong((None, value, f"the name of a time zone{such}"))


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _alternatives(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


read_symbols = _list(read_symbol, "ticker symbols", empty=True)

SELECTORS = ("symbols", "lists", "sectors", "topics", "market")
"""Keys that say what a rule watches. A rule that has one of them takes none of them from the defaults."""

RULE_KEYS: Mapping[str, Reader] = {
    "name": _name,
    "measure": _one_of(measure for measure in Measure if measure.is_of_posts),
    "scales": _scales,
    "symbols": _list(_pattern, "ticker symbols", empty=True),
    "lists": _list(_name, "names of lists", empty=True),
    "sectors": _list(_name, "names of sectors", empty=True),
    "topics": _list(_topic, "topics", empty=True),
    "market": _bool,
    "exclude": _list(_pattern, "ticker symbols", empty=True),
    "exclude_lists": _list(_name, "names of lists", empty=True),
    "exclude_sectors": _list(_name, "names of sectors", empty=True),
    "exclude_topics": _list(_topic, "topics", empty=True),
    "inhibits": _list(_pattern, "ticker symbols", empty=True),
    "inhibits_lists": _list(_name, "names of lists", empty=True),
    "inhibits_sectors": _list(_name, "names of sectors", empty=True),
    "inhibits_topics": _list(_topic, "topics", empty=True),
    "false_alerts_per_symbol_year": _number(most=365, wanted="a number above 0, 365 at most"),
    "at_least": _number(),
    "min_posts": _whole(1),
    "min_authors": _whole(1),
    "min_sources": _whole(1),
    "pending": _length(),
    "clear_factor": _number(least=1, wanted="a number, 1 or more"),
    "clear_after": _length(),
    "cooldown": _length(),
    "escalate_factor": _or("never", math.inf, _number(least=1, wanted="a number, 1 or more")),
    "repeat": _or("never", None, _length(300)),
    "severity": _one_of(Severity),
    "routes": _list(_route, "names of routes"),
    "quiet_hours": _list(_name, "names of quiet hours", empty=True),
}
"""Keys of `[[rule]]`, and of `[defaults]` but for the name."""

QUIET_KEYS: Mapping[str, Reader] = {
    "name": _name,
    "start": _time_of_day,
    "end": _time_of_day,
    "zone": _zone,
    "days": _days,
    "unless": _or("never", None, _one_of(Severity)),
}
"""Keys of `[[quiet_hours]]`."""

SUPPLY_KEYS: Mapping[str, Reader] = {
    "kind": _one_of(measure for measure in Measure if not measure.is_of_posts),
    "name": _name,
    "sources": _list(_source, "names of sources"),
    "exclude": _list(_source, "names of sources", empty=True),
    "after": _length(60),
    **{key: RULE_KEYS[key] for key in ("pending", "clear_after", "cooldown", "repeat", "severity", "routes")},
    **{key: RULE_KEYS[key] for key in ("quiet_hours", "inhibits")},
    **{f"inhibits_{kind}": RULE_KEYS[f"inhibits_{kind}"] for kind in ("lists", "sectors", "topics")},
}
"""Keys of `[[supply]]`."""

MARKET_KEYS: Mapping[str, Reader] = {
    "false_alerts_per_year": _or("none", None, _number()),
    "group_at": _whole(2),
    "route_cap_per_hour": _whole(1),
}
"""Keys of `[market]`."""

FILE_KEYS = ("defaults", "market", "lists", "sectors", "quiet_hours", "rule", "supply")

OLD_NAMES: Mapping[str, str] = {
    "pending_seconds": "pending",
    "clear_seconds": "clear_after",
    "cooldown_seconds": "cooldown",
    "repeat_seconds": "repeat",
    "budget": "false_alerts_per_symbol_year",
    "threshold": "at_least",
    "rules": "rule",
    "timezone": "zone",
    "watchlists": "lists",
    "from": "start",
    "to": "end",
}
"""What people may write, after the settings or other tools, and what it is called here."""
