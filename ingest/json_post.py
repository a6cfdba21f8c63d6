"""A post in a JSON object that somebody else wrote, wherever it came from."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from bearometer.errors import Reason, Rejected
from ingest.json_poll import dig
from ingest.normalise import fingerprint
from ingest.rows import FIELDS, parse_row
from ingest.source import RawPost

__all__ = ["read_post"]

_SAME = {name: name for name in FIELDS}


def read_post(
    entry: Any, fields: Mapping[str, str], position: str, received_at: datetime, native_id: str | None = None
) -> RawPost:
    """The post whose fields lie at the dotted paths of `fields`, or under their own names; Rejected when it is none.

    Without a time it is of `received_at`. Without an id it has `native_id`; without that one, an id that follows from
    author, time and text, or from author and text where it has no time, so that sending it again changes nothing.
    """
    if not isinstance(entry, dict):
        raise Rejected(Reason.UNDECODABLE, "no object")
    row = {name: dig(entry, fields.get(name, name)) for name in FIELDS}
    if row["id"] is None:
        row["id"] = native_id
    elif isinstance(row["id"], dict | list):
        row["id"] = orjson.dumps(row["id"]).decode()
    if row["created_at"] is None or row["created_at"] == "":
        row["created_at"] = received_at.isoformat()
        if row["id"] is None:
            row["id"] = fingerprint(f"{row['author']}\x1f{row['text']}")
    return parse_row(row, _SAME, position)
