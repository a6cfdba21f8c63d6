"""An answer as CSV, as JSON lines and as Parquet; the first two row by row."""

import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import IO, Any
from uuid import UUID

import orjson

from bearometer.errors import Failed, MissingExtra
from storage.query import Answer

__all__ = ["write_csv", "write_json", "write_parquet"]

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""https://owasp.org/www-community/attacks/CSV_Injection"""
ROW_GROUP = 10_000
PARQUET_TYPES = (bool, int, float, Decimal, str, bytes, datetime, date, time, timedelta, list)


def write_csv(answer: Answer, rows: Iterator[Sequence[Any]], file: IO[bytes], spreadsheet: bool) -> None:
    """RFC 4180 in UTF-8 with a header; NULL is an empty field, lists and objects are JSON.

    For a `spreadsheet`, text that it would take for a formula gets an apostrophe in front; numbers stay numbers.
    """
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\r\n")
    for row in itertools.chain([answer.columns], rows):
        writer.writerow([_csv_value(value, spreadsheet) for value in row])
        file.write(line.getvalue().encode())
        line.seek(0)
        line.truncate()


def write_json(answer: Answer, rows: Iterator[Sequence[Any]], file: IO[bytes]) -> None:
    """One JSON object a line."""
    _refuse_equal_names(answer.columns)
    for row in rows:
        file.write(_json(dict(zip(answer.columns, row, strict=True))) + b"\n")


def write_parquet(answer: Answer, rows: Iterator[Sequence[Any]], file: IO[bytes]) -> None:
    """A Parquet file; the whole answer is held in memory. MissingExtra without pyarrow.

    Lists of text and numbers stay lists; objects are JSON text.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        package, extra = "pyarrow", "parquet"
        raise MissingExtra(package, extra) from None
    _refuse_equal_names(answer.columns)
    columns: list[list[Any]] = [[] for _ in answer.columns]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(_parquet_value(value))
    arrays = []
    for name, column in zip(answer.columns, columns, strict=True):
        try:
            arrays.append(pa.array(column))
        except (pa.ArrowException, OverflowError) as error:
            message = f"column `{name}` has values of different types, which Parquet cannot hold: cast it in the query"
            raise Failed(message) from error
    pq.write_table(pa.table(dict(zip(answer.columns, arrays, strict=True))), file, row_group_size=ROW_GROUP)


def _csv_value(value: Any, spreadsheet: bool) -> Any:
    match value:
        case None | bool() | int() | float() | Decimal():
            return value
        case str():
            text = value
        case datetime() | date() | time():
            return value.isoformat()
        case dict() | list():
            text = _json(value).decode()
        case _:
            text = str(value)
    return f"'{text}" if spreadsheet and text.startswith(FORMULA_STARTS) else text


def _parquet_value(value: Any) -> Any:
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value)):
        return _json(value).decode()
    return value if value is None or isinstance(value, PARQUET_TYPES) else str(value)


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=_json_default, option=orjson.OPT_NON_STR_KEYS)


def _json_default(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case timedelta():
            return value.total_seconds()
        case memoryview():
            return bytes(value).hex()
        case UUID():
            return str(value)
        case _:
            return str(value)


def _refuse_equal_names(columns: Sequence[str]) -> None:
    for name in columns:
        if columns.count(name) > 1:
            message = f"two columns are called `{name}`: name them apart with AS"
            raise Failed(message)
