"""The monthly partitions of posts and mentions, made when the first post of a month is stored."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

__all__ = ["Partitions", "drop_month", "month_of", "stored_months"]

PARTITION_LOCK = 0x0BEA2002
LOCK_TIMEOUT_SECONDS = 5
"""Dropping waits for all that reads the table, and everything else that uses the table waits behind it."""
PARENTS = ("posts", "mentions")
NAME = re.compile(rf"(?:{'|'.join(PARENTS)})_(\d{{4,}})_(\d{{2}})")


class Partitions:
    """Makes the months that are missing; several workers may do so at once.

    A month's table is made on its own and then attached, in a short transaction: CREATE … PARTITION OF would lock
    the parent against every reader and writer, ATTACH does not. An advisory lock lets one worker at a time do it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: set[datetime] = set()

    def ensure(self, moments: Iterable[datetime]) -> None:
        """Return when each of these moments lies in a month that has its partitions."""
        missing = {month_of(moment) for moment in moments} - self._known
        if missing:
            with self._engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
                for start in sorted(missing):
                    for parent in PARENTS:
                        _make(connection, parent, start)
            self._known |= missing

    def forget(self) -> None:
        """Look anew at which months are there: somebody has dropped one."""
        self._known.clear()


def stored_months(connection: Connection) -> list[tuple[int, int]]:
    """The months, as (year, month), that have a partition of posts or of mentions; the oldest first."""
    query = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = ANY(CAST(:parents AS regclass[]))")
    names = connection.execute(query, {"parents": list(PARENTS)}).scalars()
    return sorted({(int(match[1]), int(match[2])) for name in names if (match := NAME.fullmatch(name))})


def drop_month(engine: Engine, year: int, month: int) -> None:
    """Drop a month's posts and mentions, if they are there: all or nothing.

    Whoever stores a post of that month meanwhile makes it anew. Fails with a lock timeout, and changes nothing, when
    a table stays in use: workers stand still for LOCK_TIMEOUT_SECONDS at most, for each table.
    """
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
        # In the order in which the stream's workers lock them; dropping a partition locks its parent first.
        for parent in PARENTS:
            connection.execute(text(f"DROP TABLE IF EXISTS {parent}_{year:04}_{month:02}"))


def month_of(moment: datetime) -> datetime:
    """The start, in UTC, of the month that `moment` lies in."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _make(connection: Connection, parent: str, start: datetime) -> None:
    name = f"{parent}_{start.year:04}_{start.month:02}"
    if connection.execute(text("SELECT to_regclass(:name) IS NULL"), {"name": name}).scalar_one():
        # Names and dates of our own making: DDL takes no parameters.
        connection.execute(text(f"CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
        bounds = f"FROM ({_bound(start.year, start.month)}) TO ({_bound(start.year, start.month + 1)})"
        connection.exec_driver_sql(f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES {bounds}")


def _bound(year: int, month: int) -> str:
    # Not a datetime: Postgres' calendar goes on where Python's ends.
    year, month = (year, month) if month <= 12 else (year + 1, 1)
    return f"'{year:04}-{month:02}-01 00:00:00+00'"
