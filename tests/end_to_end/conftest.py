"""A run directory and a clean environment for a whole stack."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SET_BY_THE_STACK = (
    "KAFKA__SERVERS",
    "KAFKA__IDEMPOTENCE",
    "POSTGRES__URL",
    "REDIS__URL",
    "ALERTS__DIRECTORY",
    "ALERTS__NOTIFY",
)


@pytest.fixture
def run_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for a stack; what the stack sets in this process's environment is taken away at the end.

    Not under pytest's own folder: as root, Postgres runs as another user, who may not pass through that one.
    """
    for name in SET_BY_THE_STACK:
        monkeypatch.setenv(f"BEAROMETER_{name}", "")
        monkeypatch.delenv(f"BEAROMETER_{name}")
    folder = Path(tempfile.mkdtemp(prefix="bearometer-end-to-end-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
