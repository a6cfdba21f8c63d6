"""What the embedded servers have in common: one child process, started until it answers."""

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from bearometer.child import Child, last_line
from bearometer.clock import Clock, SystemClock
from bearometer.errors import Failed, MissingExtra
from bearometer.run_dir import RunDir

__all__ = ["EmbeddedServer", "find_package"]

SECONDS_TO_ANSWER = 60.0
"""Far more than any of them needs (below 1 s): a laden machine is not an error."""


class EmbeddedServer:
    """One server, whose subclass says in `start` how it is run and when it answers."""

    name: str

    def __init__(self, run_dir: RunDir, clock: Clock | None = None) -> None:
        self._run_dir = run_dir
        self._clock = clock or SystemClock()
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The server's process; None when it does not run."""
        return self._child.pid if self._child and self._child.ended() is None else None

    @property
    def log(self) -> Path:
        """What the server said."""
        return self._run_dir.logs / f"{self.name}.log"

    def start(self) -> None:
        """Start it and block until it answers."""
        raise NotImplementedError

    def ask_to_stop(self) -> None:
        """Have it stop, and return at once."""
        if self._child:
            self._child.ask_to_stop()

    def stop(self) -> None:
        """Stop it in its ordinary way and block until it is gone; nothing when it does not run."""
        if self._child:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """Kill it with -9, as a crash would, and block until it is gone."""
        if self._child:
            self._child.kill()
            self._child = None

    def restart(self) -> None:
        """Stop and start it at the same address; what it keeps in memory only is lost."""
        self.stop()
        self.start()

    def _wait_until(self, answers: Callable[[], bool]) -> bool:
        """Whether it answered before it ended. Raises Failed when it does neither in time."""
        assert self._child is not None
        deadline = self._clock.monotonic() + SECONDS_TO_ANSWER
        while not answers():
            if self._child.ended() is not None:
                return False
            if self._clock.monotonic() > deadline:
                self.stop()
                message = f"{self.name} did not answer within {SECONDS_TO_ANSWER:.0f} s; see {self.log}"
                raise Failed(message)
            self._clock.sleep(0.01)
        return self._child.ended() is None

    def _failed(self) -> Failed:
        return Failed(f"{self.name} does not start: {last_line(self.log)}; see {self.log}")


def find_package(package: str) -> Path:
    """Give the folder of an installed package without importing it; raises MissingExtra."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(package.replace("_", "-"), "embedded")
    return Path(spec.submodule_search_locations[0])


def find_program(candidates: Sequence[Path]) -> Path | None:
    """Give the first of the paths that can be run."""
    return next((path for path in candidates if path.is_file() and os.access(path, os.X_OK)), None)
