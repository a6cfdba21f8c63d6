"""Bring a database to the schema that this program needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from bearometer.errors import Misconfigured, Transient
from storage.failures import translated_errors, where

__all__ = ["current_revision", "head_revision", "known_revisions", "migrate"]

MIGRATION_LOCK = 0x0BEA2001
"""Advisory locks of Bearometer begin with 0x0BEA; each has a number of its own."""
LOCK_TIMEOUT_SECONDS = 5
"""A change of a table waits for all that reads it, and everything else that uses the table waits behind it."""
LOCK_NOT_AVAILABLE = "55P03"


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Run what is missing of migrations/versions, in one transaction; gives the revision before and after.

    Safe to run by several at once: they take turns, and the later ones find nothing to do. Unavailable when the
    server does not answer, Misconfigured when the database is newer than this program. Transient, and nothing is
    changed, when a table that is to be changed stays in use for LOCK_TIMEOUT_SECONDS: running workers stand still
    for so long at most, for each table.
    """
    with translated_errors(engine), _busy_tables_are_named(engine), engine.begin() as connection:
        # Waiting for another's migration, and a migration itself, may take longer than any other statement.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        before = current_revision(connection)
        if before is not None and before not in known_revisions():
            message = f"the database is at schema {before}, newer than this program: update Bearometer"
            raise Misconfigured(message)
        # Only from here on: another's migration, waited for above, may take its time.
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, head_revision()


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; None when Bearometer's tables are not there."""
    return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str:
    """The revision that this program needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def known_revisions() -> frozenset[str]:
    """All revisions up to the one that this program needs."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


@contextmanager
def _busy_tables_are_named(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
            raise
        message = (
            f"the tables of {where(engine)} were in use for {LOCK_TIMEOUT_SECONDS} s (a long query?), "
            "and nothing was changed: run `bearometer migrate` again"
        )
        raise Transient(message) from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
