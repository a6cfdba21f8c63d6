"""The monthly partitions of posts and mentions, made when the first post of a month is stored."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

__all__ = ["Partitions"]

PARTITION_LOCK = 0x0BEA2002


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
        missing = {_month(moment) for moment in moments} - self._known
        if missing:
            with self._engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
                for start in sorted(missing):
                    for parent in ("posts", "mentions"):
                        _make(connection, parent, start)
            self._known |= missing

    def forget(self) -> None:
        """Look anew at which months are there: somebody has dropped one."""
        self._known.clear()


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


def _month(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
