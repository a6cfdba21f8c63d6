"""Bytes and back: what travels on the topics, as JSON with a version in front.

A reader accepts every version up to its own, ignores fields it does not know, and rejects newer versions.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from bearometer.errors import Reason, Rejected
from bearometer.post import Heartbeat, Post, is_symbol

__all__ = ["VERSION", "DeadLetter", "decode", "decode_dead_letter", "encode", "encode_dead_letter"]

VERSION = 1

MAX_NAME_BYTES = 1_200
"""Longest id, source, fingerprint or symbol: two of them stay below the 2,704 bytes of a key in Postgres."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be used: why, where it lay, and its bytes, unchanged, to publish it again."""

    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    failed_at: datetime
    key: bytes | None
    value: bytes | None


def encode(message: Post | Heartbeat) -> bytes:
    """Bytes of a message of the posts topic; `decode` gives the same message back."""
    kind = "post" if isinstance(message, Post) else "heartbeat"
    fields = {name: getattr(message, name) for name in message.__dataclass_fields__}
    return orjson.dumps({"v": VERSION, "type": kind, **fields}, option=orjson.OPT_UTC_Z)


def decode(value: bytes | None) -> Post | Heartbeat:
    """The message in these bytes; Rejected(UNDECODABLE) when it is none that we know."""
    fields = _load(value)
    try:
        match fields.get("type"):
            case "post":
                return _decode_post(fields)
            case "heartbeat":
                return Heartbeat(source=_text(fields["source"]), at=_time(fields["at"]))
            case other:
                raise Rejected(Reason.UNDECODABLE, f"unknown type {other!r}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Rejected(Reason.UNDECODABLE, f"{type(error).__name__}: {error}") from error


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """Bytes of a message of the dead-letter topic."""
    fields = {name: getattr(letter, name) for name in letter.__dataclass_fields__}
    for name in ("key", "value"):
        fields[name] = None if fields[name] is None else base64.b64encode(fields[name]).decode()
    return orjson.dumps({"v": VERSION, "type": "dead", **fields}, option=orjson.OPT_UTC_Z)


def decode_dead_letter(value: bytes | None) -> DeadLetter:
    """The dead letter in these bytes; Rejected(UNDECODABLE) when it is none."""
    fields = _load(value)
    try:
        return DeadLetter(
            reason=_text(fields["reason"]),
            detail=_text(fields["detail"]),
            topic=_text(fields["topic"]),
            partition=int(fields["partition"]),
            offset=int(fields["offset"]),
            failed_at=_time(fields["failed_at"]),
            key=_bytes(fields["key"]),
            value=_bytes(fields["value"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Rejected(Reason.UNDECODABLE, f"{type(error).__name__}: {error}") from error


def _load(value: bytes | None) -> Mapping[str, Any]:
    try:
        fields = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise Rejected(Reason.UNDECODABLE, f"not JSON: {error}") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("v"), int):
        raise Rejected(Reason.UNDECODABLE, "no version")
    if fields["v"] > VERSION:
        raise Rejected(Reason.UNDECODABLE, f"version {fields['v']} is newer than {VERSION}: update this worker")
    return fields


def _decode_post(fields: Mapping[str, Any]) -> Post:
    return Post(
        id=_name(fields["id"]),
        source=_name(fields["source"]),
        text=_text(fields["text"]),
        published_at=_time(fields["published_at"]),
        ingested_at=_time(fields["ingested_at"]),
        fingerprint=_name(fields["fingerprint"]),
        symbols=tuple(_symbol(symbol) for symbol in _list(fields, "symbols")),
        author=_optional(fields, "author", str),
        followers=_optional(fields, "followers", int),
        url=_optional(fields, "url", str),
        links=tuple(_text(link) for link in _list(fields, "links")),
        language=_optional(fields, "language", str) or "und",
        engagement=_optional(fields, "engagement", int) or 0,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = f"{value!r:.80} is not text"
        raise TypeError(message)
    return value


def _name(value: object) -> str:
    """What the stores have an index on, and an index takes no long keys."""
    name = _text(value)
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        message = f"{name!r:.80} is longer than {MAX_NAME_BYTES} bytes"
        raise ValueError(message)
    return name


def _symbol(value: object) -> str:
    symbol = _name(value)
    if not is_symbol(symbol):
        message = f"{symbol!r:.80} is no symbol: it stands for the market or a topic"
        raise ValueError(message)
    return symbol


def _optional(fields: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    value = fields.get(name)
    # JSON's true is a number to Python and to no column.
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        message = f"`{name}` is {value!r:.80}, not {kind.__name__}"
        raise TypeError(message)
    return value


def _list(fields: Mapping[str, Any], name: str) -> list[object]:
    return _optional(fields, name, list) or []


def _time(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        message = f"{value!r:.80} has no time zone"
        raise ValueError(message)
    return moment.astimezone(UTC)


def _bytes(value: object) -> bytes | None:
    return None if value is None else base64.b64decode(_text(value), validate=True)
