"""The private directory of one embedded stack: its lock, its logs, its sockets, and Postgres's rows."""

import fcntl
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from bearometer.clock import Clock, SystemClock
from bearometer.errors import Failed, Misconfigured

__all__ = ["RunDir"]

LOCK = "lock"
SERVER_LOCK = "servers.lock"
SOCKET_DIRECTORY = re.compile(r"[\w/.-]{1,80}", re.ASCII)
"""Paths that may hold sockets. libpq splits at commas; a socket's path may have 107 bytes (sun_path in unix(7)), 103
on macOS, and ours end in `/postgres/.s.PGSQL.5432`."""
SECONDS_FOR_LEFT_SERVERS = 30.0
"""They end within their grace times once their parent is dead."""


class RunDir:
    """A directory that at most one stack uses at a time, and that other users cannot look into."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.sockets = self.path / "sockets"
        self._clock = clock or SystemClock()
        self._own_lock: int | None = None
        self._server_lock: int | None = None
        self._short_sockets: Path | None = None

    @property
    def server_lock(self) -> int:
        """A locked file's descriptor for the servers to hold: a next stack waits until the last has let it go."""
        assert self._server_lock is not None, "the run directory is not open"
        return self._server_lock

    def open(self) -> None:
        """Make the directory and take its locks.

        Waits for the end of servers that a killed stack left behind. Raises Failed when another stack runs here,
        Misconfigured when this cannot be a run directory.
        """
        self._make()
        try:
            self._refuse_second_stack()
            self._outwait_left_servers()
        except BaseException:
            self.close()
            raise
        self.logs.mkdir(mode=0o700, exist_ok=True)
        if not SOCKET_DIRECTORY.fullmatch(str(self.sockets)):
            self.sockets = self._short_sockets = Path(tempfile.mkdtemp(prefix="bearometer-"))
        else:
            shutil.rmtree(self.sockets, ignore_errors=True)  # a killed server's sockets name processes long gone
            self.sockets.mkdir(mode=0o700)

    def close(self) -> None:
        """Give the locks back; the files stay."""
        if self._short_sockets:
            shutil.rmtree(self._short_sockets, ignore_errors=True)
            self._short_sockets = None
            self.sockets = self.path / "sockets"
        for lock in (self._server_lock, self._own_lock):
            if lock is not None:
                os.close(lock)
        self._server_lock = self._own_lock = None

    def _make(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            strange = not (self.path / LOCK).exists() and any(self.path.iterdir())
            owner = self.path.stat().st_uid
        except OSError as error:
            message = f"the run directory {self.path} cannot be used: {error.strerror}"
            raise Misconfigured(message) from None
        if strange:
            message = f"the run directory {self.path} holds other files; name an empty or a new one"
            raise Misconfigured(message)
        if owner != os.geteuid():
            message = f"the run directory {self.path} belongs to another user; name an empty or a new one"
            raise Misconfigured(message)
        self.path.chmod(0o700)

    def _refuse_second_stack(self) -> None:
        self._own_lock = self._open_file(LOCK)
        try:
            fcntl.flock(self._own_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._own_lock, 20, 0).decode(errors="replace") or "unknown"
            message = f"another stack (process {holder}) is using the run directory {self.path}"
            raise Failed(message) from None
        os.ftruncate(self._own_lock, 0)
        os.pwrite(self._own_lock, str(os.getpid()).encode(), 0)

    def _outwait_left_servers(self) -> None:
        self._server_lock = self._open_file(SERVER_LOCK)
        deadline = self._clock.monotonic() + SECONDS_FOR_LEFT_SERVERS
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(self._server_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if self._clock.monotonic() > deadline:
                message = f"servers of a stack that was killed still run in {self.path}"
                raise Failed(message)
            self._clock.sleep(0.05)

    def _open_file(self, name: str) -> int:
        return os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
