"""The texts of these days with what the model said of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from storage.failures import translated_errors
from storage.feedback_statements import RECENT
from storage.post_statements import NO_TIMEOUT

__all__ = ["RecentText", "read_recent_texts"]

CHUNK = 1000


@dataclass(frozen=True, slots=True)
class RecentText:
    """One text, however often it was posted."""

    text: str
    score: float
    """Positive minus negative."""
    topic: str | None
    model: str


def read_recent_texts(engine: Engine, since: datetime, limit: int) -> Iterator[list[RecentText]]:
    """At most `limit` distinct texts stored at `since` or later, in chunks.

    Which ones is decided by their fingerprints, which are digests: an even sample of the time, the same each time.
    Reads and sorts every post of that time, however long that takes.
    """
    with translated_errors(engine), engine.connect() as connection:
        connection.execute(NO_TIMEOUT)
        streaming = connection.execution_options(yield_per=CHUNK)
        for rows in streaming.execute(RECENT, {"since": since, "limit": limit}).partitions():
            yield [RecentText(*row) for row in rows]
