"""A row of a file as a post: which field means what, and how times, numbers and symbols may be written."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from bearometer.errors import Misconfigured, Reason, Rejected
from ingest.source import RawPost

__all__ = ["FIELDS", "parse_field_map", "parse_row", "parse_time"]

FIELDS = (
    "id",
    "created_at",
    "text",
    "lang",
    "author",
    "followers",
    "retweets",
    "likes",
    "replies",
    "url",
    "symbols",
)
"""What a row may hold, by the names that Bearometer knows; all but `created_at` and `text` may be missing."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?(?:\d{1,5}|\d{9,17})(?:\.\d{1,9})?")
"""Digits that are an epoch; eight of them are a date of ISO 8601."""


def parse_field_map(option: str) -> dict[str, str]:
    """`text=body,created_at=date` as {"text": "body", "created_at": "date"}: our name, then the file's.

    Raises Misconfigured for a name on the left that is none of FIELDS, and for anything that is no pair.
    """
    mapped: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in option.split(","))):
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if not equals or not theirs or ours not in FIELDS:
            message = f"`--map` has {pair!r:.60}; it must be NAME=FIELD with NAME one of {', '.join(FIELDS)}"
            raise Misconfigured(message)
        mapped[ours] = theirs
    return mapped


def parse_row(row: Mapping[str, Any], names: Mapping[str, str], position: str) -> RawPost:
    """The post in a row whose field for each of FIELDS is called `names[field]`.

    Raises Rejected: NO_TEXT without a text, BAD_TIME for a time that cannot be read.
    """
    field = {ours: row.get(theirs) for ours, theirs in names.items()}
    text = field["text"]
    if not isinstance(text, str) or not text:
        detail = f"`{names['text']}` is missing" if text is None else "" if text == "" else "not a text"
        raise Rejected(Reason.NO_TEXT, detail)
    return RawPost(
        text=text,
        published_at=parse_time(field["created_at"]),
        position=position,
        native_id=_text(field["id"]),
        author=_text(field["author"]),
        followers=_number(field["followers"]),
        url=_text(field["url"]),
        language=_text(field["lang"]),
        symbols=_symbols(field["symbols"]),
        engagement=sum(_number(field[name]) or 0 for name in ("retweets", "likes", "replies")),
    )


def parse_time(value: object) -> datetime | None:
    """ISO 8601, or seconds, milliseconds or microseconds since 1970; without a zone it is taken as UTC.

    None for nothing at all; Rejected(BAD_TIME) for what cannot be read.
    """
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            value = value.strip()
            if not _NUMBER.fullmatch(value):
                moment = datetime.fromisoformat(value)
                return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
            value = float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            size = abs(value)
            unit = 1e6 if size >= 1e14 else 1e3 if size >= 1e11 else 1
            return _EPOCH + timedelta(seconds=value / unit)
    except (ValueError, OverflowError):
        pass
    raise Rejected(Reason.BAD_TIME, f"{value!r:.60} is neither ISO 8601 nor an epoch")


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value) or None


def _number(value: object) -> int | None:
    """A count as a person or a program may have written it; None when it is none."""
    try:
        if isinstance(value, str):
            value = float(value[:40].replace(",", "")) if value.strip() else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return int(value)
    except (ValueError, OverflowError):
        return None


def _symbols(value: object) -> tuple[str, ...]:
    """A list, or a cell such as `AAPL,MSFT`, `AAPL MSFT` or `["AAPL", "MSFT"]`."""
    if isinstance(value, str):
        cell = value.strip()
        if cell.startswith("["):
            try:
                value = orjson.loads(cell)
            except orjson.JSONDecodeError:
                value = re.sub(r"[\[\]'\"]", " ", cell)
    if isinstance(value, str):
        value = re.split(r"[\s,;|]+", value)
    if not isinstance(value, Sequence):
        return ()
    return tuple(symbol for symbol in value if isinstance(symbol, str) and symbol.strip())
