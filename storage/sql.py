"""Ask and show: a query, its answer as a table on the terminal or in one of the formats of export.py."""

import itertools
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import IO, Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bearometer.settings import PostgresSettings
from bearometer.terminal import plain
from storage.database import connect
from storage.export import write_csv, write_json, write_parquet
from storage.query import Answer, ask

__all__ = ["Format", "print_query", "write_query"]

Format = Literal["table", "csv", "json", "parquet"]

SHOWN_ROWS = 100
SHOWN_CHARACTERS = 200


def print_query(settings: PostgresSettings, query: str, limit: int = SHOWN_ROWS, timeout_seconds: float = 60) -> bool:
    """Print the answer's first `limit` rows as a table; True when there were more. Raises as `ask`."""
    sys.stdout.flush()
    return write_query(settings, query, "table", sys.stdout.buffer, limit=limit, timeout_seconds=timeout_seconds)


def write_query(
    settings: PostgresSettings,
    query: str,
    format_: Format,
    file: IO[bytes],
    *,
    limit: int | None = None,
    timeout_seconds: float = 60,
    spreadsheet: bool = False,
) -> bool:
    """Write the answer's first `limit` rows (all when None); True when there were more.

    CSV and JSON are written while the rows come; a table and Parquet hold them in memory first.
    """
    engine = connect(settings)
    try:
        with ask(engine, query, timeout_seconds) as answer:
            rows = itertools.islice(answer.rows, limit)
            match format_:
                case "csv":
                    write_csv(answer, rows, file, spreadsheet)
                case "json":
                    write_json(answer, rows, file)
                case "parquet":
                    write_parquet(answer, rows, file)
                case "table":
                    _write_table(answer, rows, file)
            return limit is not None and next(answer.rows, None) is not None
    finally:
        engine.dispose()


def _write_table(answer: Answer, rows: Iterator[Sequence[Any]], file: IO[bytes]) -> None:
    shown = [[_cell(value) for value in row] for row in rows]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in answer.columns:
        table.add_column(Text(plain(name)), overflow="fold")
    for row in shown:
        table.add_row(*row)
    terminal = file is sys.stdout.buffer and sys.stdout.isatty()
    # A file or a pipe has no width: whatever reads it should find each row on one line.
    width = None if terminal else 20 + sum(SHOWN_CHARACTERS for _ in answer.columns)
    console = Console(file=sys.stdout, width=width) if terminal else Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(table)
    lines = capture.get().splitlines()
    file.write("".join(line.rstrip() + "\n" for line in lines).encode())
    file.flush()


def _cell(value: Any) -> Text:
    match value:
        case None:
            return Text("")
        case bool() | int():
            return Text(str(value), justify="right")
        case float():
            return Text(f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}", justify="right")
        case datetime():
            return Text(f"{value:%Y-%m-%d %H:%M:%S}", no_wrap=True)
        case _:
            return Text(plain(str(value), SHOWN_CHARACTERS))
