"""A child process that cannot outlive us: started through `guard.py`, with a log file of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bearometer.errors import Failed
from bearometer.terminal import plain

__all__ = ["Child", "Owner", "last_line"]

GUARD = Path(__file__).with_name("guard.py")
TAIL_BYTES = 8192

Owner = tuple[int, int]
"""The numbers of an operating-system user and group."""


class Child:
    """One running command; it ends when we do, even by kill -9, and whichever thread started it.

    It is in a session of its own, so that Ctrl-C in our terminal reaches us and not it. It gets `stop_signal`, and
    SIGKILL when it has not ended `grace_seconds` later. It inherits the file descriptors in `inherited`, and with them
    the locks on these files. Raises Failed when it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace_seconds: float = 10.0,
        owner: Owner | None = None,
        directory: Path | None = None,
        inherited: Sequence[int] = (),
    ) -> None:
        self._grace_seconds = grace_seconds
        user = f"{owner[0]}:{owner[1]}" if owner else "-"
        reading, writing = os.pipe()
        try:
            with log.open("ab") as output:
                self._guard = subprocess.Popen(
                    [
                        *(sys.executable, "-I", "-S", str(GUARD)),
                        *(str(writing), str(int(stop_signal)), str(grace_seconds), user),
                        *command,
                    ],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    env=environment,
                    cwd=directory,
                    pass_fds=(writing, *inherited),
                    start_new_session=True,
                )
        finally:
            os.close(writing)
            with os.fdopen(reading, "rb") as report:
                told = report.read() if hasattr(self, "_guard") else b""
        if not told:
            self.stop()
            message = f"cannot start {command[0]}; see {log}"
            raise Failed(message)
        self.pid = int(told)
        """The command's own process, not the guard's."""

    def ended(self) -> int | None:
        """Give the exit code, 128 + n after signal n; None while it runs."""
        return self._guard.poll()

    def wait(self, seconds: float | None = None) -> int | None:
        """Block until it has ended, or for so many seconds; gives what `ended` gives."""
        with suppress(subprocess.TimeoutExpired):
            self._guard.wait(seconds)
            self.ask_to_stop()  # which closes our end of the pipe
        return self._guard.poll()

    def ask_to_stop(self) -> None:
        """Have the stop signal sent, and return at once."""
        assert self._guard.stdin is not None
        with suppress(BrokenPipeError):
            self._guard.stdin.close()

    def stop(self) -> None:
        """Stop it and block until it is gone; nothing when it has ended already."""
        self.ask_to_stop()
        if self.wait(self._grace_seconds + 5.0) is None:  # the guard itself hangs, or was stopped
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._guard.kill()
            self._guard.wait()

    def kill(self) -> None:
        """Kill it with -9 and block until it is gone, as a crash would."""
        assert self._guard.stdin is not None
        with suppress(BrokenPipeError, ValueError):
            self._guard.stdin.write(b"k")
            self._guard.stdin.flush()
        self.wait(5.0)
        self.stop()


def last_line(log: Path) -> str:
    """Give the last line of a log that says something, safe to print; the end only is read."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return "(no log)"
    return next((plain(line).strip()[:500] for line in reversed(lines) if line.strip()), "(it said nothing)")
