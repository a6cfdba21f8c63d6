"""A candidate that scores the same live posts in a process of its own, for which the stream never waits."""

import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from bearometer.clock import Clock
from bearometer.post import Post
from bearometer.terminal import plain
from bearometer.wire import encode

__all__ = ["Shadow", "ShadowStatus"]

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_WAITING_POSTS = 2_000
_WARN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ShadowStatus:
    """What has become of the posts that a shadow was offered since it was chosen."""

    version: str | None = None
    scored: int = 0
    dropped: int = 0
    """Posts that found the queue full, or whose answers were lost."""
    problem: str | None = None


def _command(version: str) -> list[str]:
    return [sys.executable, "-m", "stream.shadow_worker", version]


class Shadow:
    """Hands posts to the shadow's process, as long as it keeps up; what it cannot take is dropped and counted.

    The process loads the weights, scores on one CPU thread at the lowest priority and writes to Postgres itself. When
    it ends or cannot start, the reason is in `status`, and it is tried again after `retry_seconds`. It ends when we do,
    even by kill -9. A process and not a thread, so that weights that break their library take nothing with them; when
    memory runs out, it is the first that Linux ends. What it does take is CPU time: the priority lets others go first
    on a core, but where a container's CPU quota limits both, what the shadow uses of it the active model does not get.
    """

    def __init__(
        self,
        clock: Clock,
        command: Callable[[str], Sequence[str]] = _command,
        waiting_posts: int = _WAITING_POSTS,
        retry_seconds: float = 60.0,
    ) -> None:
        """A batch is dropped while so many posts wait already."""
        self._clock = clock
        self._command = command
        self._waiting_posts = waiting_posts
        self._retry_seconds = retry_seconds
        self._runner: _Runner | None = None

    def use(self, version: str | None) -> None:
        """Run this registered version from now on, or none; nothing when it is the one that runs. From one thread."""
        before = self._runner
        if (before.version if before else None) == version:
            return
        self._runner = None
        if before is not None:
            before.close()
        if version is not None:
            self._runner = _Runner(
                version, self._command(version), self._waiting_posts, self._retry_seconds, self._clock
            )

    def offer(self, posts: Sequence[Post]) -> None:
        """Give a batch to the shadow, if there is one and it has room; returns at once and never raises."""
        runner = self._runner
        if runner is not None and posts:
            runner.offer(posts)

    def status(self) -> ShadowStatus:
        """How the shadow does; zeros and None without one."""
        runner = self._runner
        return runner.status() if runner is not None else ShadowStatus()

    def close(self) -> None:
        """Have no shadow any more."""
        self.use(None)


class _Runner:
    """One version's process, and the thread that talks to it: a batch, then the answer, then the next batch."""

    def __init__(
        self, version: str, command: Sequence[str], waiting_posts: int, retry_seconds: float, clock: Clock
    ) -> None:
        self.version = version
        self._command = list(command)
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._waiting_posts = waiting_posts
        self._batches: queue.SimpleQueue[Sequence[Post]] = queue.SimpleQueue()
        # Each of these is written by one thread only. By the stream's:
        self._offered = 0
        self._refused = 0
        self._warned_at: float | None = None
        # By our own:
        self._taken = 0
        self._scored = 0
        self._lost = 0
        self._problem: str | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        threading.Thread(target=self._run, name="shadow", daemon=True).start()

    def offer(self, posts: Sequence[Post]) -> None:
        if self._offered - self._taken < self._waiting_posts:
            self._offered += len(posts)
            self._batches.put(posts)
            return
        self._refused += len(posts)
        now = self._clock.monotonic()
        if self._warned_at is None or now - self._warned_at >= _WARN_SECONDS:
            self._warned_at = now
            log.warning("the shadow %s is behind: %d posts dropped so far", self.version, self._refused)

    def status(self) -> ShadowStatus:
        return ShadowStatus(self.version, self._scored, self._refused + self._lost, self._problem)

    def close(self) -> None:
        with self._lock:
            self._stop.set()
            if self._process is not None:
                self._process.kill()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._converse()
            except Exception as error:  # whatever it is, it is no reason to stop the stream
                self._problem = self._problem or f"its process has ended ({plain(str(error), 200)})"
            if not self._stop.is_set():
                log.warning(
                    "the shadow %s has ended: %s; the stream goes on, the shadow is tried again in %g s",
                    self.version,
                    self._problem,
                    self._retry_seconds,
                )
            self._stop.wait(self._retry_seconds)

    def _converse(self) -> None:
        with self._lock:
            if self._stop.is_set():
                return
            # A session of its own: Ctrl-C in our terminal is for us. The end of its input is what ends it.
            process = self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                env={**os.environ, "RAYON_NUM_THREADS": "1"},  # it tokenises on one thread, too
            )
        try:
            self._problem = None
            self._take_answer(process)
            while not self._stop.is_set():
                try:
                    posts = self._batches.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    if process.poll() is not None:
                        self._take_answer(process)
                    continue
                self._taken += len(posts)
                self._score(process, posts)
        finally:
            process.kill()
            process.communicate()

    def _score(self, process: subprocess.Popen[bytes], posts: Sequence[Post]) -> None:
        assert process.stdin is not None
        scored = 0
        try:
            with suppress(BrokenPipeError):  # its last words, or that there are none, say more
                process.stdin.write(b"".join(encode(post) + b"\n" for post in posts) + b"\n")
                process.stdin.flush()
            scored = int(self._take_answer(process).get("scored", 0))
        finally:
            self._scored += scored
            self._lost += len(posts) - scored

    def _take_answer(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            message = f"exit code {process.wait()}"
            raise OSError(message)
        answer = orjson.loads(line)
        if not isinstance(answer, dict):
            message = f"it answered {line[:100]!r}"
            raise ValueError(message)
        self._problem = plain(str(answer["problem"])) if answer.get("problem") else None
        return answer
