import csv
import io
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import Failed
from storage.export import write_csv, write_json, write_parquet
from storage.query import Answer

MOMENT = datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def answer(*rows: tuple[Any, ...]) -> Answer:
    return Answer(tuple(f"c{n}" for n in range(len(rows[0]))), iter(rows))


def test_values_of_every_kind_are_written_in_each_format() -> None:
    row = (
        None,
        True,
        7,
        0.1,
        Decimal("1.50"),
        'é,"\n',
        MOMENT,
        date(2024, 1, 2),
        time(3, 4),
        timedelta(hours=1),
        [1],
        {"a": None},
        memoryview(b"\xff"),
        UUID(int=1),
    )

    text, lines, table = io.BytesIO(), io.BytesIO(), io.BytesIO()
    given = answer(row)
    write_csv(given, iter([row]), text, spreadsheet=False)
    write_json(given, iter([row]), lines)
    write_parquet(given, iter([row, row]), table)

    assert next(csv.reader(io.StringIO(text.getvalue().decode(), newline=""))) == list(given.columns)
    assert json.loads(lines.getvalue())["c4"] == 1.5
    assert json.loads(lines.getvalue())["c9"] == 3600
    assert json.loads(lines.getvalue())["c12"] == "ff"
    assert pq.read_table(io.BytesIO(table.getvalue())).column("c6").to_pylist() == [MOMENT, MOMENT]


def test_a_column_that_parquet_cannot_hold_is_named() -> None:
    with pytest.raises(Failed, match="column `c0`"):
        write_parquet(answer((1,)), iter([(1,), ("text",)]), io.BytesIO())


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_any_text_comes_back_from_csv_and_json(values: list[str]) -> None:
    rows = [("x", value) for value in values]
    text, lines = io.BytesIO(), io.BytesIO()
    write_csv(answer(*rows), iter(rows), text, spreadsheet=False)
    write_json(answer(*rows), iter(rows), lines)

    assert [row[1] for row in csv.reader(io.StringIO(text.getvalue().decode(), newline=""))][1:] == values
    assert [json.loads(line)["c1"] for line in lines.getvalue().splitlines()] == values


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_for_a_spreadsheet_begins_a_formula(value: str) -> None:
    text = io.BytesIO()
    write_csv(answer(("x", value)), iter([("x", value)]), text, spreadsheet=True)

    cell = list(csv.reader(io.StringIO(text.getvalue().decode(), newline="")))[1][1]
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell in (value, f"'{value}")
