"""Rows of files, as they may be written."""

from datetime import UTC, datetime

import pytest

from bearometer.errors import Misconfigured, Reason, Rejected
from ingest.rows import FIELDS, parse_field_map, parse_row, parse_time

NAMES = {name: name for name in FIELDS}
NOON = datetime(2015, 10, 14, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2015-10-14T12:00:00+00:00",
        "2015-10-14T12:00:00Z",
        "2015-10-14 12:00",
        "2015-10-14T14:00:00+02:00",
        "20151014T120000",
        1444824000,
        1444824000.0,
        1444824000000,
        "1444824000",
        "1444824000000",
        1444824000000000,
    ],
)
def test_a_time_may_be_iso_or_an_epoch_and_utc_when_it_does_not_say(value: object) -> None:
    assert parse_time(value) == NOON


@pytest.mark.parametrize("value", ["yesterday", "2015-13-01", True, [], 1e300, float("nan"), "0001-01-01T00:00+14:00"])
def test_what_is_no_time_is_rejected(value: object) -> None:
    with pytest.raises(Rejected) as caught:
        parse_time(value)
    assert caught.value.reason is Reason.BAD_TIME


@pytest.mark.parametrize(
    "cell",
    ["ACME,WILE", "ACME WILE", '["ACME", "WILE"]', "['ACME', 'WILE']", ["ACME", "WILE"], "ACME; WILE", "ACME|WILE"],
)
def test_symbols_may_be_a_list_or_a_cell(cell: object) -> None:
    row = {"text": "both fall", "created_at": "2015-10-14", "symbols": cell}
    assert parse_row(row, NAMES, "line 1").symbols == ("ACME", "WILE")


def test_numbers_may_be_written_in_many_ways_and_nonsense_is_left_out() -> None:
    row = {
        "text": "x",
        "created_at": 0,
        "id": 7,
        "followers": "1,234",
        "retweets": "2.0",
        "likes": 3,
        "replies": "many",
    }
    post = parse_row(row, NAMES, "line 1")
    assert (post.native_id, post.followers, post.engagement) == ("7", 1234, 5)


@pytest.mark.parametrize("row", [{}, {"text": ""}, {"text": None}, {"text": 5}, {"text": ["a"]}])
def test_a_row_without_text_is_rejected(row: dict[str, object]) -> None:
    with pytest.raises(Rejected) as caught:
        parse_row({"created_at": "2015-10-14", **row}, NAMES, "line 1")
    assert caught.value.reason is Reason.NO_TEXT


def test_a_field_map_names_fields_of_the_file() -> None:
    assert parse_field_map("text=body, created_at=date") == {"text": "body", "created_at": "date"}
    assert parse_field_map("") == {}


@pytest.mark.parametrize("option", ["txt=body", "text", "text=", "=body"])
def test_a_wrong_field_map_names_what_is_allowed(option: str) -> None:
    with pytest.raises(Misconfigured, match="created_at"):
        parse_field_map(option)
