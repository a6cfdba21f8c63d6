"""The private directory of an embedded stack."""

from pathlib import Path

import pytest

from bearometer.errors import Failed
from bearometer.run_dir import RunDir


def test_one_directory_has_one_user_at_a_time(tmp_path: Path) -> None:
    first, second = RunDir(tmp_path / "run"), RunDir(tmp_path / "run")
    first.open()
    with pytest.raises(Failed, match="another stack"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_it_is_private_also_when_it_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o777)
    run_dir = RunDir(tmp_path / "run")
    run_dir.open()
    assert run_dir.path.stat().st_mode & 0o777 == 0o700
    assert run_dir.logs.stat().st_mode & 0o777 == 0o700
    run_dir.close()


def test_what_an_earlier_stack_left_is_kept_but_for_its_sockets(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path / "run")
    run_dir.open()
    (run_dir.path / "messages").mkdir()
    if run_dir.sockets.is_relative_to(run_dir.path):
        (run_dir.sockets / "stale").touch()
    run_dir.close()
    run_dir.open()
    assert (run_dir.path / "messages").exists()
    assert not list(run_dir.sockets.iterdir())
    run_dir.close()
