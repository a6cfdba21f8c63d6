"""Where each source goes on and how it is doing, noted by a thread of its own: no source waits for Postgres."""

import itertools
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol

from bearometer.clock import Clock
from bearometer.errors import BearometerError, Unavailable
from bearometer.progress import Progress, count_missing
from bearometer.source_progress import SourceProgress
from ingest.source import Resumable, Source
from ingest.worker import IngestReport

__all__ = ["Account", "Ledger", "ProgressStore"]

log = logging.getLogger(__name__)

NOTE_SECONDS = 2.0
MAX_HELD = 200
"""Steps of one source that wait for the stream; what comes behind them is put together."""
AWAY_SECONDS = 15.0
"""After Postgres did not answer, it is asked again so much later."""
SILENT_SECONDS = 15.0
"""A source from which nothing is new is noted this often all the same: that it was asked is worth knowing."""


class ProgressStore(Protocol):
    """The part of SourceStore that the ledger needs."""

    def cursor(self, name: str) -> str | None:
        """Where a source goes on."""
        ...

    def paused(self) -> frozenset[str]:
        """Those that are paused."""
        ...

    def note(self, progress: list[SourceProgress]) -> None:
        """Add and set, for all or none."""
        ...


class Ledger:
    """Notes every two seconds what the sources have said; a context manager. Safe to share between threads.

    While the store is away what it is to hold is kept here, and nobody waits; at the end it is tried once more.
    `quiet`: the store is not needed by any source, so that its absence is no warning. `stored` says how far the stream
    has come; with it, nothing is noted that lies on the broker only: for a broker that forgets when it ends.
    """

    def __init__(
        self,
        store: ProgressStore,
        clock: Clock,
        *,
        quiet: bool = False,
        stored: Callable[[], Sequence[Progress]] | None = None,
    ) -> None:
        self._store = store
        self._stored = stored
        self._held: dict[str, list[_Step]] = {}
        self._clock = clock
        self._quiet = quiet
        self._lock = threading.Lock()
        self._noting = threading.Lock()
        self._pending: dict[str, SourceProgress] = {}
        self._paused: frozenset[str] = frozenset()
        self._away = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_noting, name="ledger", daemon=True)

    def __enter__(self) -> "Ledger":
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._note()

    def cursor(self, name: str) -> str | None:
        """Where a source goes on; Unavailable when the store does not answer and it is not known here."""
        self._note()
        with self._lock:
            waiting = [self._pending.get(name), *(step.progress for step in self._held.get(name, ()))]
        cursors = [each.cursor for each in waiting if each is not None and each.cursor is not None]
        if cursors:  # an earlier start came to it, and it is not noted yet
            return cursors[-1]
        try:
            return self._store.cursor(name)
        except Unavailable as error:
            message = f"it keeps its place in Postgres: {error}"
            raise Unavailable(message) from error

    def is_paused(self, name: str) -> bool:
        """Whether somebody has paused it, as far as is known; asks nobody."""
        return name in self._paused

    def account(self, name: str, kind: str, source: Source, next_offsets: Callable[[], Mapping[int, int]]) -> "Account":
        """What writes down one start of a source, whose posts are acknowledged up to `next_offsets()` of the topic."""
        return Account(name, kind, source, self._clock, lambda progress: self.add(progress, next_offsets()))

    def note_failure(self, name: str, kind: str, failure: str) -> None:
        """Note that a source could not be started."""
        self.add(SourceProgress(name, kind, None, 0, 1, failure, None, None), {})

    def add(self, progress: SourceProgress, next_offsets: Mapping[int, int]) -> None:
        """Have it noted soon, or once the stream has stored all before `next_offsets`."""
        with self._lock:
            if self._stored is None:
                self._add_pending(progress)
                return
            self._hold(progress.name, _Step(next_offsets, progress=progress))

    def when_stored(self, name: str, next_offsets: Mapping[int, int], tell: Callable[[], None]) -> None:
        """Call `tell` once what a source gave up to `next_offsets` is where it outlives the broker.

        At once, in this thread, unless the ledger waits for the stream; then in any thread, behind what was added
        before. A later `tell` of a source may stand in for an earlier one. It must not block, nor ask the ledger.
        """
        if self._stored is None:
            tell()
            return
        with self._lock:
            self._hold(name, _Step(next_offsets, tell=tell))

    def _hold(self, name: str, step: "_Step") -> None:
        held = self._held.setdefault(name, [])
        if held and (len(held) >= MAX_HELD or held[-1].next_offsets == step.next_offsets):
            step = held.pop().followed_by(step)
        held.append(step)

    def _add_pending(self, progress: SourceProgress) -> None:
        before = self._pending.get(progress.name)
        self._pending[progress.name] = before.followed_by(progress) if before else progress

    def _release_held(self) -> None:
        """Make pending what the stream has stored by now, and nothing behind what it has not."""
        ask = self._stored
        if ask is None or not self._held:
            return
        done: list[Progress] = []
        if not self._reached(lambda: done.extend(ask())):
            return
        tells: list[Callable[[], None]] = []
        with self._lock:
            for held in self._held.values():
                ready = [*itertools.takewhile(lambda step: not count_missing(done, step.next_offsets), held)]
                del held[: len(ready)]
                for step in ready:
                    if step.progress is not None:
                        self._add_pending(step.progress)
                    if step.tell is not None:
                        tells.append(step.tell)
        for tell in tells:
            try:
                tell()
            except Exception:
                log.exception("a defect in a source that was told what is stored")

    def _keep_noting(self) -> None:
        while not self._over.wait(AWAY_SECONDS if self._away else NOTE_SECONDS):
            self._note()
            self._look()

    def _note(self) -> None:
        with self._noting:
            self._note_pending()

    def _note_pending(self) -> None:
        self._release_held()
        with self._lock:
            taken, self._pending = self._pending, {}
        if not taken:
            return
        if not self._reached(lambda: self._store.note([*taken.values()])):
            with self._lock:
                for name, earlier in taken.items():
                    later = self._pending.get(name)
                    self._pending[name] = earlier.followed_by(later) if later else earlier

    def _look(self) -> None:
        def look() -> None:
            self._paused = self._store.paused()

        self._reached(look)

    def _reached(self, ask: Callable[[], None]) -> bool:
        try:
            ask()
        except Exception as error:
            if not isinstance(error, BearometerError):
                log.exception("a defect in noting the sources; tried again")
            elif not self._away:
                level = logging.INFO if self._quiet else logging.WARNING
                log.log(
                    level, "%s; until then nothing is noted about the sources, and none is paused or resumed", error
                )
            self._away = True
            return False
        if self._away:
            log.info("the sources are noted again")
        self._away = False
        return True


@dataclass(frozen=True)
class _Step:
    """What waits for the stream to have stored all before `next_offsets`."""

    next_offsets: Mapping[int, int]
    progress: SourceProgress | None = None
    tell: Callable[[], None] | None = None

    def followed_by(self, later: "_Step") -> "_Step":
        """Both in one, which waits as long as the later one."""
        progress = self.progress
        if progress is None or later.progress is None:
            progress = progress or later.progress
        else:
            progress = progress.followed_by(later.progress)
        return _Step(later.next_offsets, progress, later.tell or self.tell)


@dataclass
class Account:
    """One start of one source."""

    name: str
    kind: str
    source: Source
    clock: Clock
    add: Callable[[SourceProgress], None]
    posts: int = 0
    rejected: int = 0
    cursor: str | None = None
    error: str | None = None
    added_at: float | None = None

    def acknowledged(self, report: IngestReport, failure: str | None) -> None:
        """Note how far it has come, if that is news: everything that it gave is acknowledged by the broker."""
        cursor = self.source.cursor if isinstance(self.source, Resumable) else None
        error: str | None = failure or getattr(self.source, "last_error", None)
        posts, rejected = report.published - self.posts, report.rejected - self.rejected
        troubles = rejected + (error is not None and error != self.error)
        now = self.clock.monotonic()
        is_silent = self.added_at is None or now - self.added_at >= SILENT_SECONDS
        if not (posts or troubles or error != self.error or cursor != self.cursor or is_silent):
            return
        polled_at: datetime | None = self.clock.now() if error is None else None
        new_cursor = None if cursor == self.cursor else cursor
        newest = report.newest_at
        self.add(SourceProgress(self.name, self.kind, new_cursor, posts, troubles, error, newest, polled_at))
        self.posts, self.rejected = report.published, report.rejected
        self.cursor, self.error, self.added_at = cursor, error, now
