"""Runs the workers as child processes, and starts again one that ends."""

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bearometer.child import Child, last_line
from bearometer.clock import Clock, SystemClock
from bearometer.errors import BearometerError, Failed

__all__ = ["Restarts", "Supervisor", "WorkerStatus"]

log = logging.getLogger(__name__)

MISCONFIGURED = 2
"""A worker's exit code when a person must change something: starting it again would not help."""


@dataclass(frozen=True)
class Restarts:
    """When a worker that ended is started again.

    One that lived for `healthy_seconds` starts again after `backoff_seconds`; each quicker end doubles the wait. After
    `quick_ends` of these in a row it is given up.
    """

    healthy_seconds: float = 60.0
    backoff_seconds: float = 0.5
    max_backoff_seconds: float = 30.0
    quick_ends: int = 5

    def wait_seconds(self, quick_ends: int) -> float:
        """The wait after so many quick ends in a row."""
        return float(min(self.max_backoff_seconds, self.backoff_seconds * 2.0 ** min(quick_ends, 30)))


@dataclass(frozen=True)
class WorkerStatus:
    """What one worker is doing now."""

    name: str
    pid: int | None
    """None while it is not running."""
    starts: int
    log: Path


class Supervisor:
    """Runs workers of several kinds, each with a log file of its own under `run_dir/logs`.

    They see our environment with `environment` on top, and they end when we do, even by kill -9. As a context manager
    it stops them at the end. The methods may be called from any thread.
    """

    def __init__(
        self,
        run_dir: Path,
        environment: Mapping[str, str],
        *,
        restarts: Restarts | None = None,
        grace_seconds: float = 15.0,
        clock: Clock | None = None,
    ) -> None:
        self._logs = run_dir / "logs"
        self._environment = dict(environment)
        self._restarts = restarts or Restarts()
        self._grace_seconds = grace_seconds
        self._clock = clock or SystemClock()
        self._commands: dict[str, list[str]] = {}
        self._workers: dict[str, list[_Worker]] = {}
        self._given_up = threading.Event()

    def start(self, kind: str, command: Sequence[str], copies: int = 1) -> None:
        """Start workers `kind-1`, `kind-2`, … that all run the same command."""
        self._commands[kind] = list(command)
        self._workers[kind] = []
        self.scale(kind, copies)

    def scale(self, kind: str, copies: int) -> None:
        """Have so many workers of a kind that was started; those too many are stopped, the newest first."""
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        workers = self._workers[kind]
        surplus = workers[copies:]
        del workers[copies:]
        _stop(surplus)
        while len(workers) < copies:
            name = f"{kind}-{len(workers) + 1}"
            workers.append(
                _Worker(
                    name=name,
                    log=self._logs / f"{name}.log",
                    command=self._commands[kind],
                    environment={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment},
                    restarts=self._restarts,
                    grace_seconds=self._grace_seconds,
                    clock=self._clock,
                    given_up=self._given_up,
                )
            )

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        """All workers in the order of their start, with those that were given up."""
        return tuple(worker.status for workers in self._workers.values() for worker in workers)

    def alive(self) -> dict[str, bool]:
        """Which workers are running, by name."""
        return {status.name: status.pid is not None for status in self.workers}

    def check(self) -> None:
        """Raise Failed, in one line, with a worker's last words if it was given up."""
        for workers in self._workers.values():
            for worker in workers:
                if worker.failure:
                    raise worker.failure

    def wait(self, seconds: float) -> None:
        """Block for this long; raises what `check` raises as soon as a worker is given up."""
        self._given_up.wait(seconds)
        self.check()

    def kill(self, name: str) -> None:
        """Kill a worker with -9 and block until it is gone; it starts again at once, and this end does not count."""
        next(worker for workers in self._workers.values() for worker in workers if worker.status.name == name).kill()

    def stop(self, kind: str | None = None) -> None:
        """Stop the workers of a kind, or all, and block until they are gone.

        They get SIGTERM, and SIGKILL when they have not ended after the grace time.
        """
        stopped = [kind] if kind else list(self._workers)
        _stop([worker for each in stopped for worker in self._workers.get(each, [])])

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Worker:
    """One worker, and the thread that waits for its end."""

    def __init__(
        self,
        *,
        name: str,
        log: Path,
        command: list[str],
        environment: Mapping[str, str],
        restarts: Restarts,
        grace_seconds: float,
        clock: Clock,
        given_up: threading.Event,
    ) -> None:
        self._name, self._log = name, log
        self._command, self._environment = command, environment
        self._restarts, self._grace_seconds = restarts, grace_seconds
        self._clock = clock
        self._given_up = given_up
        self._starts = 0
        self._child: Child | None = None
        self._killed: Child | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.failure: Failed | None = None
        self._thread = threading.Thread(target=self._keep_running, name=f"watch-{self._name}", daemon=True)
        self._start_child()
        self._thread.start()

    @property
    def status(self) -> WorkerStatus:
        child = self._child
        return WorkerStatus(self._name, child.pid if child and child.ended() is None else None, self._starts, self._log)

    def kill(self) -> None:
        with self._lock:
            self._killed = self._child
        if self._killed:
            self._killed.kill()

    def ask_to_stop(self) -> None:
        self._stopping.set()
        with self._lock:
            if self._child:
                self._child.ask_to_stop()

    def stop(self) -> None:
        self.ask_to_stop()
        if self._child:
            self._child.stop()
        self._thread.join()

    def _start_child(self) -> Child | None:
        """None when we are being stopped: whoever stops sees either the new child or none."""
        with self._lock:
            if self._stopping.is_set():
                return None
            self._child = Child(
                self._command, self._log, environment=self._environment, grace_seconds=self._grace_seconds
            )
            self._starts += 1
            return self._child

    def _keep_running(self) -> None:
        try:
            self._restart_until_stopped()
        except (BearometerError, OSError) as error:
            self._give_up(f"{self._name} cannot be started again: {error}")

    def _restart_until_stopped(self) -> None:
        quick_ends = 0
        child, started = self._child, self._clock.monotonic()
        while child:
            code = child.wait()
            if self._stopping.is_set():
                return
            if child is not self._killed:
                lived = self._clock.monotonic() - started
                quick_ends = 0 if lived >= self._restarts.healthy_seconds else quick_ends + 1
                words = f"{last_line(self._log)}; see {self._log}"
                if code == MISCONFIGURED:
                    return self._give_up(f"{self._name} cannot work: {words}")
                if quick_ends >= self._restarts.quick_ends:
                    return self._give_up(
                        f"{self._name} ended {quick_ends} times soon after its start, at last with code {code}: {words}"
                    )
                log.warning("%s ended with code %s and is started again: %s", self._name, code, words)
                self._stopping.wait(self._restarts.wait_seconds(max(0, quick_ends - 1)))
            child, started = self._start_child(), self._clock.monotonic()

    def _give_up(self, message: str) -> None:
        log.error("%s", message)
        self.failure = Failed(message)
        self._given_up.set()


def _stop(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.ask_to_stop()
    for worker in workers:
        worker.stop()
