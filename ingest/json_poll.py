"""Any HTTP interface that answers with a list in JSON."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from bearometer.clock import Clock
from bearometer.errors import Misconfigured, Reason, Rejected, Transient
from bearometer.source_base import reveal
from bearometer.source_settings import JsonSettings
from ingest.fetch import shown_url, with_params
from ingest.normalise import fingerprint
from ingest.polled import Page, Place, Web, join_sentences, read_items, read_json
from ingest.rows import FIELDS, parse_row
from ingest.source import RawPost
from ingest.text import strip_html

__all__ = ["JsonList", "dig"]

_MAX_CURSOR_CHARS = 4_000
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What the name of a header is made of: RFC 9110, 5.6.2."""
_SAME = {name: name for name in FIELDS}


def dig(found: Any, path: str) -> Any:
    """What lies at a dotted path of names and list positions, such as `data.0.title`; None when nothing does."""
    for step in filter(None, path.split(".")):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and len(step) < 10 and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


@dataclass(slots=True)
class JsonList:
    """An entry of the list is one post; without an `id` its address or its text tells it from others.

    Misconfigured when a variable of the environment is missing, or a header cannot be sent.
    """

    settings: JsonSettings
    clock: Clock
    params: dict[str, str] = field(init=False)
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        where = f"ingest.sources.{self.settings.name}"
        self.params = {name: reveal(value, f"{where}.params.{name}") for name, value in self.settings.params.items()}
        self.headers = {name: reveal(value, f"{where}.headers.{name}") for name, value in self.settings.headers.items()}
        for name, value in self.headers.items():
            if not (_TOKEN.fullmatch(name) and value.isascii() and value.isprintable() and value == value.strip()):
                message = (
                    f"`{where}.headers` has a name that is none, or a value with a space around it or that is not "
                    "printable ASCII; no request can hold it"
                )
                raise Misconfigured(message)

    def ask(self, web: Web, place: Place, known: Callable[[str], bool], where: str) -> Page:
        """One answer; `place` holds the value of `cursor_param`."""
        settings = self.settings
        old = place.get("cursor")
        params = dict(self.params)
        if settings.cursor_param is not None and isinstance(old, str | int | float):
            params[settings.cursor_param] = str(old)
        url = with_params(settings.url, params)
        body = web.get(url, "application/json", self.headers)
        if body is None:
            return Page((), place)
        answer = read_json(body, url)
        found = dig(answer, settings.items)
        if not isinstance(found, list):
            message = f"{shown_url(url)} has no list at {settings.items or 'the top of its answer'!r:.80}"
            raise Transient(message)
        new = self._cursor(answer, found, old)
        if isinstance(new, str) and len(new) > _MAX_CURSOR_CHARS:
            message = f"{shown_url(url)} has a cursor of {len(new)} characters; it must be {_MAX_CURSOR_CHARS} at most"
            raise Transient(message)
        items = read_items(found, where, self._post)
        # An answer that holds nothing new ends a round, whatever it says of a next page.
        more = new != old and not all(known(item.key) for item in items)
        return Page(items, {"cursor": new} if new is not None else place, more=more)

    def _cursor(self, answer: Any, found: list[Any], old: Any) -> str | int | float | None:
        """The next value of the parameter: never less than the old one if it is of the items; None for none."""
        settings = self.settings
        if settings.cursor_path is not None:
            values = [dig(answer, settings.cursor_path)]
        elif settings.cursor_field is not None:
            values = [*(dig(entry, settings.cursor_field) for entry in found), old]
        else:
            return None
        usable = [value for value in values if isinstance(value, str | int | float) and not isinstance(value, bool)]
        return max(usable, key=_order, default=old)

    def _post(self, entry: Any, position: str) -> RawPost:
        if not isinstance(entry, dict):
            raise Rejected(Reason.UNDECODABLE, "no object")
        paths = self.settings.fields
        row = {name: dig(entry, paths.get(name, name)) for name in FIELDS}
        title = dig(entry, paths["title"]) if "title" in paths else None
        texts = [part for part in (title, row["text"]) if isinstance(part, str)]
        row["text"] = join_sentences([strip_html(part) for part in texts] if self.settings.html else texts)
        if row["created_at"] is None and "created_at" not in paths:
            row["created_at"] = self.clock.now().isoformat()
        if row["id"] is None:
            # Not left to the time, which may be that of the answer.
            row["id"] = row["url"] or fingerprint(row["text"])
        elif isinstance(row["id"], dict | list):
            row["id"] = orjson.dumps(row["id"]).decode()
        return parse_row(row, _SAME, position)


def _order(value: str | float) -> tuple[float, str]:
    """Numbers by size, also those that are written as text; other texts, such as times, by their letters."""
    try:
        return float(value), ""
    except ValueError:
        return 0.0, str(value)
