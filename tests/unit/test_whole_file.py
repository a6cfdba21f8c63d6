"""A file that is whole or not there."""

import os
from pathlib import Path

import pytest

from bearometer.errors import Misconfigured
from bearometer.whole_file import written_whole


def test_the_file_is_there_at_the_end_and_the_old_one_until_then(tmp_path: Path) -> None:
    path = tmp_path / "answer.csv"
    path.write_text("old")
    with written_whole(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["answer.csv"]


def test_an_error_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    path = tmp_path / "answer.csv"
    path.write_text("old")
    with pytest.raises(KeyError), written_whole(path) as part:
        part.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["answer.csv"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    path, link = tmp_path / "answer.csv", tmp_path / "link.csv"
    path.write_text("old")
    link.symlink_to(path)
    with written_whole(link) as part:
        part.write_text("new")
    assert link.is_symlink()
    assert path.read_text() == "new"


def test_a_device_is_written_to_as_it_is() -> None:
    with written_whole(Path(os.devnull)) as part:
        assert part == Path(os.devnull)


@pytest.mark.parametrize("name", ["none/answer.csv", "."])
def test_what_cannot_be_written_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misconfigured, match="cannot be written"), written_whole(tmp_path / name) as part:
        part.write_text("new")
    assert os.listdir(tmp_path) == []
