"""One SQL query of a person's own, read only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, text
from sqlalchemy.exc import DBAPIError

from bearometer.errors import Failed
from storage.failures import translated_errors

__all__ = ["Answer", "ask"]

CHUNK = 1000

# The server's own parser decides what one statement is: OPEN … FOR EXECUTE takes exactly one that gives rows. Sent
# by itself, the driver would run "SELECT 1; COMMIT; DROP TABLE posts" whole, read-only transaction or not.
OPEN_CURSOR = """
DO $$
DECLARE
    answer refcursor := 'answer';
BEGIN
    OPEN answer NO SCROLL FOR EXECUTE current_setting('bearometer.query');
END
$$
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """The columns of an answer, and its rows, which are fetched while they are read."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def ask(engine: Engine, query: str, timeout_seconds: float) -> Iterator[Answer]:
    """Run one query in a read-only transaction; the answer can be read until the `with` block ends.

    The server refuses every write, and more than one statement. Finding the rows may take `timeout_seconds`, and so
    may each thousand of them. A superuser's rights are put aside as far as the server allows (`pg_read_all_data`).
    What is left to a query is what its role may do by functions: give people a role that may do little.

    Failed, in the server's words, when the query is wrong or takes too long.
    """
    if "\0" in query:
        message = "the query holds a NUL character"
        raise Failed(message)
    with translated_errors(engine), engine.connect() as connection:
        with _in_the_servers_words():
            first = _open_cursor(connection, query, timeout_seconds)
            columns = tuple(first.keys())
            rows = _rows(connection, [tuple(row) for row in first])
        yield Answer(columns, rows)
        connection.rollback()


def _open_cursor(connection: Connection, query: str, timeout_seconds: float) -> CursorResult[Any]:
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    connection.execute(
        text("SELECT set_config('statement_timeout', :timeout, true), set_config('bearometer.query', :query, true)"),
        {"timeout": f"{max(1, round(timeout_seconds * 1000))}ms", "query": query.strip().rstrip(";")},
    )
    if connection.execute(text("SHOW is_superuser")).scalar_one() == "on":
        connection.execute(text("SET LOCAL ROLE pg_read_all_data"))
    connection.exec_driver_sql(OPEN_CURSOR)
    return connection.exec_driver_sql(f"FETCH {CHUNK} FROM answer")


def _rows(connection: Connection, rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    with translated_errors(connection.engine), _in_the_servers_words():
        while rows:
            yield from rows
            rows = [tuple(row) for row in connection.exec_driver_sql(f"FETCH {CHUNK} FROM answer")]


@contextmanager
def _in_the_servers_words() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        code: str = getattr(error.orig, "pgcode", None) or ""
        if code == "57014":
            message = "the query took too long and was ended: ask for less, or give it more time with --timeout"
            raise Failed(message) from error
        # Not the connection's troubles (08, 57, 53, 28): those are the server's, not the query's.
        if code[:2] in ("08", "57", "53", "28", ""):
            raise
        raise Failed(_explain(error)) from error
    except (ValueError, OverflowError) as error:
        # Such as the time `infinity`, or a query that is not Unicode.
        message = f"the query or its answer holds what Python cannot ({error}): cast it to text"
        raise Failed(message) from error


def _explain(error: DBAPIError) -> str:
    diagnostics = getattr(error.orig, "diag", None)
    said = str(getattr(diagnostics, "message_primary", None) or error.orig).strip()
    if "multi-query" in said or "cannot open" in said:
        return "only one statement, and only one that gives rows (SELECT, VALUES, TABLE, SHOW, EXPLAIN), can be asked"
    hint = getattr(diagnostics, "message_hint", None)
    return " ".join(f"the database says: {said}{f' ({hint})' if hint else ''}".split())
