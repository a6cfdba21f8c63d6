"""What the evaluator knows of the sources: when each was last heard of, and what is wrong with it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from storage.tables import sources

__all__ = ["SourceState", "read_sources"]

_NOT_OF_THE_PRESENT = ("file", "")
"""Kinds of which nothing can be said: files are replayed at any time, and what has no kind has not been run yet."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source of posts of the present, as its ingest worker last wrote it down."""

    name: str
    paused: bool
    last_error: str | None
    """What is wrong now, in a source's own words: not to be trusted."""
    newest_published_at: datetime | None
    """Of the newest post; None before the first."""
    polled_at: datetime | None
    """When all was well with it for the last time; None when it never was."""
    updated_at: datetime
    """When anything of it was last written down: every few seconds while a worker runs it."""


def read_sources(connection: Connection) -> list[SourceState]:
    """All that a worker ever ran, but files."""
    wanted = select(sources).where(sources.c.kind.not_in(_NOT_OF_THE_PRESENT)).order_by(sources.c.name)
    rows = connection.execute(wanted)
    return [
        SourceState(
            name=row.name,
            paused=row.paused,
            last_error=row.last_error,
            newest_published_at=_utc(row.newest_published_at),
            polled_at=_utc(row.polled_at),
            updated_at=row.updated_at.astimezone(UTC),
        )
        for row in rows
    ]


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
