"""Files as sources, good ones and bad ones."""

import gzip
import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bearometer.clock import ManualClock
from bearometer.errors import Failed, Misconfigured, Reason
from bearometer.settings import IngestSettings
from ingest.replay import MAX_LINE_BYTES, ReplaySource
from ingest.source import RawPost, Unreadable

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def row(number: int, **fields: object) -> bytes:
    moment = (START + timedelta(minutes=number)).isoformat()
    return json.dumps({"id": str(number), "created_at": moment, "text": f"post {number}", **fields}).encode()


def open_source(path: Path, **options: Any) -> ReplaySource:
    clock = options.pop("clock", None) or ManualClock(START + timedelta(days=1))
    return ReplaySource(path, IngestSettings(), clock, **options)


def read_all(path: Path, **options: Any) -> list[RawPost | Unreadable]:
    return [item for item in open_source(path, **options).read() if item is not None]


def write(path: Path, lines: list[bytes]) -> Path:
    content = b"\n".join(lines) + b"\n"
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def ids(items: list[RawPost | Unreadable]) -> list[str | None]:
    return [item.native_id for item in items if isinstance(item, RawPost)]


CSV = [
    b"id,created_at,text,symbols",
    b'1,2026-03-02T12:00:00Z,"Acme, again","ACME,WILE"',
    b'2,2026-03-02,"two\nlines",',
]


@pytest.mark.parametrize("name", ["posts.jsonl", "posts.jsonl.gz", "posts.ndjson"])
def test_json_rows_come_in_order_with_their_line_numbers(tmp_path: Path, name: str) -> None:
    items = read_all(write(tmp_path / name, [row(1), b"", row(2)]))
    assert ids(items) == ["1", "2"]
    assert [item.position for item in items] == ["line 1", "line 3"]


@pytest.mark.parametrize("name", ["posts.csv", "posts.csv.gz"])
def test_csv_rows_may_hold_commas_and_line_breaks(tmp_path: Path, name: str) -> None:
    items = read_all(write(tmp_path / name, [*CSV, b"3,2026-03-03,three,"]))
    assert [item.text for item in items if isinstance(item, RawPost)] == ["Acme, again", "two\nlines", "three"]
    assert [item.position for item in items] == ["line 2", "line 3", "line 5"]
    assert isinstance(items[0], RawPost)
    assert items[0].symbols == ("ACME", "WILE")


def test_mapped_fields_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "posts.csv", [b"date,body", b"2026-03-02,Acme falls"])
    (item,) = read_all(path, field_map={"text": "body", "created_at": "date"})
    assert isinstance(item, RawPost)
    assert item.text == "Acme falls"


def test_a_missing_column_is_said_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "posts.csv", [b"date,body", b"2026-03-02,Acme falls"])
    with pytest.raises(Misconfigured, match="created_at"):
        read_all(path)


BAD = [
    (b"{not json", Reason.UNDECODABLE),
    (b"[1]", Reason.UNDECODABLE),
    (b'{"text": "caf\xe9", "created_at": 1}', Reason.UNDECODABLE),
    (b'{"created_at": "2026-03-02"}', Reason.NO_TEXT),
    (b'{"text": "x", "created_at": "soon"}', Reason.BAD_TIME),
    (b"[" * 100_000, Reason.UNDECODABLE),
]


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_a_bad_row_is_reported_with_its_line_and_the_rest_goes_on(tmp_path: Path, line: bytes, reason: Reason) -> None:
    items = read_all(write(tmp_path / "posts.jsonl", [row(1), line, row(3)]))
    assert ids(items) == ["1", "3"]
    (bad,) = (item for item in items if isinstance(item, Unreadable))
    assert (bad.position, bad.reason) == ("line 2", reason)


def test_invalid_utf8_spoils_only_its_own_csv_row(tmp_path: Path) -> None:
    items = read_all(write(tmp_path / "posts.csv", [CSV[0], b"1,2026-03-02,caf\xe9,", b"2,2026-03-02,good,"]))
    assert [type(item) for item in items] == [Unreadable, RawPost]


def test_half_an_emoji_does_not_spoil_a_row(tmp_path: Path) -> None:
    (item,) = read_all(write(tmp_path / "posts.jsonl", [b'{"text": "half \\ud83d", "created_at": 1}']))
    assert isinstance(item, RawPost)


def test_an_endless_line_is_skipped(tmp_path: Path) -> None:
    items = read_all(write(tmp_path / "posts.jsonl.gz", [row(1), b"x" * (MAX_LINE_BYTES + 10), row(3)]))
    assert ids(items) == ["1", "3"]
    assert [item.reason for item in items if isinstance(item, Unreadable)] == [Reason.TOO_LONG]


def test_rows_before_the_break_of_a_gzip_file_are_delivered(tmp_path: Path) -> None:
    path = write(tmp_path / "posts.jsonl.gz", [row(number) for number in range(5_000)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    source = open_source(path)
    items = [item for item in source.read() if item is not None]
    assert len(ids(items)) > 1_000
    assert [item.reason for item in items if isinstance(item, Unreadable)] == [Reason.UNDECODABLE]
    assert isinstance(items[-1], Unreadable)
    assert source.truncated is not None
    assert "broken" in source.truncated


def test_a_file_that_is_no_gzip_is_said_to_be_broken(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl.gz"
    path.write_bytes(row(1))
    (item,) = read_all(path)
    assert isinstance(item, Unreadable)


@pytest.mark.parametrize("name", ["missing.jsonl", "folder.jsonl"])
def test_a_file_that_cannot_be_opened_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(Failed, match="cannot be read"):
        open_source(tmp_path / name)


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"\.jsonl"):
        open_source(write(tmp_path / "posts.xml", [b"<a/>"]))


def test_progress_is_counted_in_bytes_of_the_file(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "posts.jsonl.gz", [row(number) for number in range(3_000)]))
    shares = [source.bytes_read / source.bytes_total for _ in source.read()]
    assert shares == sorted(shares)
    assert source.bytes_read == source.bytes_total


def test_sorting_puts_posts_in_order_of_time(tmp_path: Path) -> None:
    path = write(tmp_path / "posts.jsonl", [row(3), row(1), row(2)])
    assert ids(read_all(path)) == ["3", "1", "2"]
    assert ids(read_all(path, sort=True)) == ["1", "2", "3"]


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 120.0), (60.0, 2.0)])
def test_the_gaps_between_posts_are_scaled(tmp_path: Path, speed: float, seconds: float) -> None:
    clock = ManualClock(START + timedelta(days=1))
    read_all(write(tmp_path / "posts.jsonl", [row(1), row(2), row(3)]), speed=speed, clock=clock)
    assert clock.monotonic() == pytest.approx(seconds)


def test_a_time_that_will_be_rejected_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    clock = ManualClock(START + timedelta(days=1))
    lines = [row(1, created_at="1970-01-01"), row(2), row(3, created_at="2100-01-01"), row(4)]
    assert len(read_all(write(tmp_path / "posts.jsonl", lines), speed=1.0, clock=clock)) == 4
    assert clock.monotonic() == pytest.approx(120.0)


def test_a_waiting_replay_gives_the_worker_a_turn_several_times_a_second(tmp_path: Path) -> None:
    clock = ManualClock(START + timedelta(days=1))
    turns: list[float] = []
    for item in open_source(write(tmp_path / "posts.jsonl", [row(1), row(2)]), speed=1.0, clock=clock).read():
        if item is None:
            turns.append(clock.monotonic())
    assert max(after - before for before, after in itertools.pairwise(turns)) <= 0.25
