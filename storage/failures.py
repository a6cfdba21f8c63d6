"""What an error of the Postgres driver means for us: retry, wait for the server, call a person, or a defect."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from bearometer.errors import BearometerError, Misconfigured, Transient, Unavailable

__all__ = ["translated_errors", "where"]

# SQLSTATE codes and classes, https://www.postgresql.org/docs/current/errcodes-appendix.html
RETRY = {"40001": "serialization failure", "40P01": "deadlock", "55P03": "lock timeout", "57014": "statement timeout"}
SERVER_AWAY = ("08", "53", "57P", "28")
SCHEMA_MISSING = {"42P01", "42703", "3F000"}


@contextmanager
def translated_errors(engine: Engine) -> Iterator[None]:
    """Give the errors of the database driver their fate; those that are defects pass unchanged."""
    try:
        yield
    except DBAPIError as error:
        translated = _translate(error, engine)
        if translated is None:
            raise
        raise translated from error


def _translate(error: DBAPIError, engine: Engine) -> BearometerError | None:
    code: str | None = getattr(error.orig, "pgcode", None)
    first_line = _first_line(error.orig)
    place = where(engine)
    if code in RETRY:
        return Transient(f"Postgres at {place}: {RETRY[code]}, to be tried again")
    if code in SCHEMA_MISSING:
        return Misconfigured(f"the database {place} lacks what this program needs ({first_line}): `bearometer migrate`")
    if code == "42501":
        return Misconfigured(f"Postgres at {place}: {first_line}")
    if code == "25006":
        return Unavailable(f"Postgres at {place} takes no writes (a standby?): {first_line}")
    no_answer = code is None and isinstance(error, OperationalError | InterfaceError)
    if error.connection_invalidated or no_answer or (code is not None and code.startswith(SERVER_AWAY)):
        return Unavailable(f"Postgres at {place} cannot be used: {first_line}")
    return None


def where(engine: Engine) -> str:
    """Host, port and database, without user and password."""
    url = engine.url
    host = url.host or _text(url.query.get("host")) or "the local socket"
    return f"{host}:{url.port or 5432}/{url.database or ''}"


def _text(value: str | tuple[str, ...] | None) -> str:
    return ",".join(value) if isinstance(value, tuple) else value or ""


def _first_line(error: Any) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["connection lost"]
    return lines[0].rsplit("FATAL:", maxsplit=1)[-1].strip()
