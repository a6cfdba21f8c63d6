"""A file as a source: whole or followed, from where it stopped."""

import gzip
import json
from pathlib import Path

import pytest

from bearometer.clock import ManualClock
from bearometer.errors import Failed, Misconfigured
from bearometer.settings import IngestSettings
from bearometer.source_settings import FileSettings
from ingest.file_source import FileSource
from ingest.source import RawPost, Unreadable
from tests.fakes import NOON


def line(number: int) -> str:
    return json.dumps({"id": number, "created_at": NOON.isoformat(), "text": f"Acme falls {number}"}) + "\n"


def lines(*numbers: int) -> str:
    return "".join(map(line, numbers))


def open_file(path: Path, cursor: str | None = None, *, once: bool = True, **fields: object) -> FileSource:
    settings = FileSettings.model_validate({"name": "file", "path": path, **fields})
    source = FileSource(settings, IngestSettings(), ManualClock(NOON), once=once)
    source.resume(cursor)
    return source


def numbers(items: list[RawPost | Unreadable | None]) -> list[str | None]:
    return [item.native_id for item in items if isinstance(item, RawPost)]


def some(source: FileSource, count: int) -> list[str | None]:
    """The first so many items, with the source left between two of them."""
    reading = source.read()
    return numbers([next(reading) for _ in range(count)])


@pytest.mark.parametrize("name", ["posts.jsonl", "posts.jsonl.gz", "posts.csv"])
def test_a_file_ends_and_goes_on_behind_the_row_given_last(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    text = lines(1, 2) + "{broken\n" + lines(3, 4)
    if name.endswith(".csv"):
        text = "id,created_at,text\n" + "".join(f"{n},{NOON.isoformat()},Acme falls\n" for n in (1, 2, 3, 4))
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    first = open_file(path)
    assert first.cursor is None
    assert not first.live
    assert some(first, 2) == ["1", "2"]
    rest = open_file(path, first.cursor)
    assert numbers(list(rest.read())) == ["3", "4"]
    assert list(open_file(path, rest.cursor).read()) == []


def test_a_broken_archive_fails_and_goes_on_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl.gz"
    whole = gzip.compress(lines(*range(2000)).encode())
    path.write_bytes(whole[: len(whole) // 2])
    source = open_file(path)
    found = []
    with pytest.raises(Failed, match="is broken after line"):
        found += [item for item in source.read() if isinstance(item, RawPost)]
    path.write_bytes(whole)
    rest = numbers(list(open_file(path, source.cursor).read()))
    assert rest[-1] == "1999"
    assert len(rest) < 2000


def test_a_followed_file_is_waited_for_and_a_line_is_taken_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    source = open_file(path, once=False, follow=True)
    assert source.live
    reading = source.read()
    assert next(reading) is None
    assert "is not there" in (source.last_error or "")
    path.write_text(lines(1) + line(2)[:20])
    assert numbers([next(reading), next(reading)]) == ["1"]
    assert source.last_error is None
    with path.open("a") as file:
        file.write(line(2)[20:] + "nonsense\n\n" + lines(3))
    items = [next(reading) for _ in range(4)]
    assert numbers(items) == ["2", "3"]
    assert sum(isinstance(item, Unreadable) for item in items) == 1
    path.write_text(lines(4))
    assert numbers([next(reading), next(reading)]) == ["4"]


def test_a_followed_file_goes_on_behind_its_cursor(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text(lines(1, 2, 3))
    first = open_file(path, follow=True)
    assert some(first, 2) == ["1", "2"]
    later = open_file(path, first.cursor, follow=True, symbols=("ACME",))
    (post,) = list(later.read())
    assert isinstance(post, RawPost)
    assert (post.native_id, post.symbols) == ("3", ("ACME",))


def test_a_file_that_is_replaced_is_read_to_its_end_and_the_new_one_from_its_start(tmp_path: Path) -> None:
    path, old = tmp_path / "posts.jsonl", tmp_path / "posts.jsonl.1"
    path.write_text(lines(1))
    source = open_file(path, once=False, follow=True)
    reading = source.read()
    assert numbers([next(reading), next(reading)]) == ["1"]
    path.rename(old)
    assert next(reading) is None
    with old.open("a") as file:  # by a writer that has it open still
        file.write(lines(2))
    path.write_text(lines(3, 4, 5))
    assert numbers([next(reading) for _ in range(5)]) == ["2", "3", "4", "5"]
    later = open_file(path, source.cursor, follow=True)
    assert list(later.read()) == []


@pytest.mark.parametrize("same_inode", [True, False])
def test_a_cursor_of_another_file_of_that_path_is_as_none_however_long_that_is(
    tmp_path: Path, same_inode: bool
) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text(lines(1, 2))
    first = open_file(path, follow=True)
    assert len(list(first.read())) == 2
    if not same_inode:
        path.rename(tmp_path / "old")
    path.write_text(lines(3, 4, 5))
    assert numbers(list(open_file(path, first.cursor, follow=True).read())) == ["3", "4", "5"]


def test_a_cursor_of_the_version_before_which_knows_no_inode_still_holds(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text(lines(1, 2))
    cursor = json.dumps({"v": 1, "bytes": len(lines(1))})
    assert numbers(list(open_file(path, cursor, follow=True).read())) == ["2"]


def test_a_line_without_an_end_fills_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.file_source.MAX_LINE_BYTES", 300)
    path = tmp_path / "posts.jsonl"
    path.write_text("x" * 1_000 + "\n" + lines(1))
    items = list(open_file(path, follow=True).read())
    assert numbers(items) == ["1"]
    assert isinstance(items[0], Unreadable)


def test_what_cannot_be_followed_or_opened_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="only plain JSONL"):
        open_file(tmp_path / "posts.csv", follow=True)
    with pytest.raises(Failed, match="cannot be read: no such file"):
        list(open_file(tmp_path / "posts.csv").read())
    with pytest.raises(Failed, match="is not there"):
        list(open_file(tmp_path / "posts.jsonl", follow=True).read())


@pytest.mark.parametrize("cursor", ["nonsense", "[]", '{"v":1,"rows":-1}', '{"v":1,"rows":"2"}'])
def test_a_cursor_that_cannot_be_read_is_as_none(tmp_path: Path, cursor: str) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text(lines(1, 2))
    assert numbers(list(open_file(path, cursor).read())) == ["1", "2"]
