"""The answer to a query in a file: the format by the name's ending, and never half a file."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bearometer.errors import Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from bearometer.settings import PostgresSettings

__all__ = ["SUFFIXES", "Format", "write_answer"]

Format = Literal["table", "csv", "json", "parquet"]
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".txt": "table",
}


def write_answer(
    settings: "PostgresSettings",
    query: str,
    format_: Format,
    path: Path,
    *,
    limit: int | None = None,
    timeout_seconds: float = 60,
    spreadsheet: bool = False,
) -> bool:
    """Write the answer's first `limit` rows (all when None) to the file; True when there were more.

    It has another name until it is whole: an error leaves no half file, and an old one as it was. Misconfigured when
    it cannot be written; else raises as `write_query`.
    """
    from storage.sql import write_query

    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            more = write_query(
                settings, query, format_, file, limit=limit, timeout_seconds=timeout_seconds, spreadsheet=spreadsheet
            )
        part.replace(path)
    except OSError as error:
        message = f"{plain(str(path))} cannot be written: {error.strerror or error}"
        raise Misconfigured(message) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return more
