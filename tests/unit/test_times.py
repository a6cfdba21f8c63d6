"""Times and lengths of time as people type them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.commands.times import LONGEST, read_length, read_time
from bearometer.errors import Misconfigured

SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}


@given(st.integers(1, int(LONGEST.total_seconds())))
def test_a_length_that_is_written_out_is_read_as_it_was(seconds: int) -> None:
    left, written = seconds, ""
    for unit, size in SECONDS.items():
        number, left = divmod(left, size)
        written += f"{number}{unit}" if number else ""
    assert read_length("--for", written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        (" 2H ", timedelta(hours=2)),
        ("1.5h", timedelta(minutes=90)),
        ("1h30m", timedelta(minutes=90)),
        ("30m1h", timedelta(minutes=90)),
    ],
)
def test_lengths_are_read_as_people_type_them(text: str, length: timedelta) -> None:
    assert read_length("--for", text) == length


@given(st.text() | st.from_regex(r"\A[0-9smhdw.+\- ]{0,12}\Z"))
def test_whatever_is_typed_is_a_length_or_one_line_that_names_the_option(text: str) -> None:
    try:
        assert timedelta() < read_length("--for", text) <= LONGEST
    except Misconfigured as error:
        assert str(error).startswith("--for is ")
        assert "\n" not in str(error)


@pytest.mark.parametrize("text", ["", "2", "h", "0h", "-1h", "2 hours", "1e9d", "99999d", "2h!", "²h", "1h 30m"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="--for is"):
        read_length("--for", text)


@pytest.mark.parametrize(
    "text", ["2015-10-14T21:00", "2015-10-14 21:00", "2015-10-14T23:00+02:00", "2015-10-14T21:00Z"]
)
def test_a_time_is_in_utc_unless_it_says_otherwise(text: str) -> None:
    assert read_time("--until", text) == datetime(2015, 10, 14, 21, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "tomorrow", "2015-13-01", "0001-01-01T00:00+14:00", "14:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="--until is"):
        read_time("--until", text)
