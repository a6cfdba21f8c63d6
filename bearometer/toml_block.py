"""A table of settings as TOML text."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["toml_block"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def toml_block(header: str, fields: Mapping[str, Any]) -> str:
    """`header`, such as `[[ingest.feeds]]`, and a line for each field; texts, numbers, paths, lists and tables."""
    return "\n".join([header, *(f"{_key(name)} = {_value(value)}" for name, value in fields.items())]) + "\n"


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str() | Path():
            return _text(str(value))
        case tuple() | list():
            return f"[{', '.join(map(_value, value))}]"
        case Mapping():
            return f"{{ {', '.join(f'{_key(name)} = {_value(each)}' for name, each in value.items())} }}"
    message = f"{type(value).__name__} has no form in TOML"
    raise TypeError(message)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    escaped = (
        _ESCAPES.get(character, character if character.isprintable() else f"\\U{ord(character):08x}")
        for character in text
    )
    return f'"{"".join(escaped)}"'
