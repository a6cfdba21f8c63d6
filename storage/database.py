"""The way to Postgres: an engine, and a check that says in one line what is wrong."""

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from bearometer.errors import Misconfigured
from bearometer.settings import PostgresSettings
from storage.failures import translated_errors, where
from storage.migrate import current_revision, head_revision, known_revisions

__all__ = ["check_database", "connect", "open_database"]


def connect(settings: PostgresSettings) -> Engine:
    """An engine for `settings`; connects when first used. Misconfigured when the URL is none for Postgres.

    Sessions are in UTC and named `bearometer`; a statement ends after `statement_timeout_seconds`. Keep-alives end
    the session of a machine that vanished after half a minute, and with it the locks that it held; the evaluator's
    lease is stricter.
    """
    options = {
        "statement_timeout": f"{settings.statement_timeout_seconds}s",
        "timezone": "UTC",
        "jit": "off",
        "tcp_keepalives_idle": 15,
        "tcp_keepalives_interval": 5,
        "tcp_keepalives_count": 3,
    }
    return create_engine(
        _postgres_url(settings),
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": settings.connect_timeout_seconds,
            "application_name": "bearometer",
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,  # milliseconds; keep-alives do not run while something sent is unanswered
        },
    )


def open_database(settings: PostgresSettings) -> Engine:
    """An engine on a database that this program can work with; raises as `check_database`."""
    engine = connect(settings)
    check_database(engine)
    return engine


def check_database(engine: Engine) -> None:
    """Return if this program can work with the database; else raise one line that says what to do.

    Unavailable when the server does not answer or refuses us, Misconfigured when the schema is missing, older or
    newer than this program. Blocks for the connection's timeout at most.
    """
    with translated_errors(engine), engine.connect() as connection:
        revision = current_revision(connection)
        version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if version < 140_000:
        message = f"Postgres at {where(engine)} is version {version // 10_000}; it must be 14 or newer"
        raise Misconfigured(message)
    if revision is None:
        message = f"the database {where(engine)} has no tables of Bearometer: run `bearometer migrate`"
        raise Misconfigured(message)
    if revision not in known_revisions():
        message = f"the database {where(engine)} is at schema {revision}, newer than this program: update Bearometer"
        raise Misconfigured(message)
    if revision != head_revision():
        message = (
            f"the database {where(engine)} is at schema {revision}, this program needs {head_revision()}: "
            "run `bearometer migrate`"
        )
        raise Misconfigured(message)


def _postgres_url(settings: PostgresSettings) -> URL:
    try:
        url = make_url(settings.url.get_secret_value())
    except (ArgumentError, ValueError):  # its text holds the URL, and with it the password
        message = "`postgres.url` is no URL; it must be like postgresql://user:password@host:5432/database"
        raise Misconfigured(message) from None
    if url.drivername.split("+")[0] not in ("postgresql", "postgres"):
        message = f"`postgres.url` is for {url.drivername}; it must begin with postgresql://"
        raise Misconfigured(message)
    return url.set(drivername="postgresql+psycopg2")
