"""Sketches of posts of our own making, for the tests of the stories."""

import hashlib
from datetime import datetime
from typing import Any

import redis

from bearometer.post import Post
from bearometer.sketch import Sketch, make_sketch
from tests.stored_samples import NOON

RECALL = "Harbourmill recalls every toaster oven of the spring series after two kitchens burned in Lund"
RECALL_SHARED = "Harbourmill recalls every toaster oven of the spring series after two kitchens burned"
RECALL_CREDITED = (
    "BREAKING: Harbourmill recalls every toaster oven of the spring series after two kitchens burned in Lund!!"
)
MERGER = "The board of Quillwater agrees on a merger with its oldest rival from across the river"
ROSES = "Nobody at the flower show in Ghent expected so many people to queue for pale roses"


def told(
    id_: str,
    text: str = RECALL,
    *,
    published_at: datetime = NOON,
    author: str | None = "ann",
    source: str = "test",
    symbols: tuple[str, ...] = ("HBRM",),
) -> Sketch:
    """The sketch of a post whose fingerprint follows from its text."""
    fingerprint = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return make_sketch(
        Post(
            id=f"{source}:{id_}",
            source=source,
            text=text,
            published_at=published_at,
            ingested_at=published_at,
            fingerprint=fingerprint,
            symbols=symbols,
            author=author,
        )
    )


def held_in(client: redis.Redis) -> dict[bytes, bytes]:
    """Every key of Redis with all that it holds."""
    keys: Any = client.scan_iter()
    held: dict[bytes, bytes] = {}
    for key in keys:
        fields: Any = client.hgetall(key) if client.type(key) == b"hash" else {}
        content: Any = client.get(key) if client.type(key) == b"string" else b""
        held[key] = b"\n".join([content, *fields, *fields.values()])
    return held
