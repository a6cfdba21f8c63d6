"""The sources of posts in Postgres: where each goes on, how it is doing, and whether somebody has paused it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Row, func, select, text
from sqlalchemy.dialects.postgresql import insert

from bearometer.source_progress import SourceProgress
from bearometer.terminal import plain
from storage.failures import translated_errors
from storage.tables import sources

__all__ = ["SourceRow", "SourceStore"]

MAX_CURSOR_BYTES = 65_535
MAX_ERROR_CHARS = 500


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source as it is stored; the counts are of all time."""

    name: str
    kind: str
    cursor: str | None
    paused: bool
    posts: int
    errors: int
    last_error: str | None
    newest_published_at: datetime | None
    polled_at: datetime | None


class SourceStore:
    """Reads and writes the table `sources`; may be shared by threads. Unavailable when Postgres does not answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rows(self) -> list[SourceRow]:
        """All sources that ever were noted, by name."""
        with translated_errors(self._engine), self._engine.connect() as connection:
            return [_row(row) for row in connection.execute(select(sources).order_by(sources.c.name))]

    def cursor(self, name: str) -> str | None:
        """Where a source goes on; None for one without a place."""
        with translated_errors(self._engine), self._engine.connect() as connection:
            found: str | None = connection.execute(
                select(sources.c.cursor).where(sources.c.name == name)
            ).scalar_one_or_none()
        return found

    def paused(self) -> frozenset[str]:
        """The names of those that are paused."""
        with translated_errors(self._engine), self._engine.connect() as connection:
            return frozenset(connection.execute(select(sources.c.name).where(sources.c.paused)).scalars())

    def note(self, progress: Sequence[SourceProgress]) -> None:
        """Add the counts and set the rest, for all of them or for none."""
        if not progress:
            return
        added = insert(sources).values([_values(each) for each in sorted(progress, key=lambda each: each.name)])
        new = added.excluded
        changed: dict[str, Any] = {
            "kind": new.kind,
            "cursor": func.coalesce(new.cursor, sources.c.cursor),
            "posts": sources.c.posts + new.posts,
            "errors": sources.c.errors + new.errors,
            "last_error": new.last_error,
            "newest_published_at": func.greatest(sources.c.newest_published_at, new.newest_published_at),
            "polled_at": func.greatest(sources.c.polled_at, new.polled_at),
            "updated_at": text("clock_timestamp()"),
        }
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(added.on_conflict_do_update(index_elements=["name"], set_=changed))

    def set_paused(self, names: Iterable[str], paused: bool) -> None:
        """Have the workers leave them alone within seconds, or take them up again; also before their first start."""
        rows = [{"name": name, "paused": paused} for name in sorted(set(names))]
        if not rows:
            return
        added = insert(sources).values(rows)
        changed = {"paused": added.excluded.paused, "updated_at": text("clock_timestamp()")}
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(added.on_conflict_do_update(index_elements=["name"], set_=changed))


def _values(progress: SourceProgress) -> dict[str, Any]:
    cursor = progress.cursor
    if cursor is not None and len(cursor.encode()) > MAX_CURSOR_BYTES:
        cursor = None  # the one before is as right, only older
    error = progress.last_error
    return {
        "name": progress.name,
        "kind": progress.kind,
        "cursor": cursor,
        "posts": progress.posts,
        "errors": progress.errors,
        "last_error": None if error is None else plain(error, MAX_ERROR_CHARS),
        "newest_published_at": progress.newest_published_at,
        "polled_at": progress.polled_at,
    }


def _row(row: Row[Any]) -> SourceRow:
    return SourceRow(
        name=row.name,
        kind=row.kind,
        cursor=row.cursor,
        paused=row.paused,
        posts=row.posts,
        errors=row.errors,
        last_error=row.last_error,
        newest_published_at=_utc(row.newest_published_at),
        polled_at=_utc(row.polled_at),
    )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
