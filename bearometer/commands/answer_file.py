"""The answer to a query in a file: the format by the name's ending, and never half a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bearometer.whole_file import written_whole

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

    with written_whole(path) as part, part.open("wb") as file:
        return write_query(
            settings, query, format_, file, limit=limit, timeout_seconds=timeout_seconds, spreadsheet=spreadsheet
        )
