"""All sources side by side: each in a thread of its own, so that one that fails does not stop the others."""

import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

from bearometer.clock import Clock
from bearometer.errors import BearometerError, Unavailable
from bearometer.settings import IngestSettings
from bearometer.terminal import plain
from ingest.ledger import Ledger
from ingest.source import Acknowledged, RawPost, Resumable, Source, Unreadable
from ingest.worker import IngestReport, PostSink, run_ingest

__all__ = ["Job", "Outcome", "run_jobs"]

log = logging.getLogger(__name__)

HEALTHY_SECONDS = 300.0
"""A source that failed after it had worked for so long is started again after the first, shortest wait."""
FIRST_WAIT_SECONDS = 10.0
MAX_WAIT_SECONDS = 600.0
_REPORT_SECONDS = 60.0
_SLICE_SECONDS = 0.2


@dataclass(frozen=True)
class Job:
    """One source to be run."""

    name: str
    kind: str
    open: Callable[[], Source]
    """Makes the source anew, for each start."""


@dataclass(slots=True)
class Outcome:
    """What became of one source in this process."""

    name: str
    published: int = 0
    rejected: int = 0
    failure: str | None = None
    """Why it failed last, if it did and has not worked since."""


def run_jobs(
    jobs: Sequence[Job],
    open_publisher: Callable[[], AbstractContextManager[PostSink]],
    settings: IngestSettings,
    clock: Clock,
    stop: threading.Event,
    ledger: Ledger,
    *,
    once: bool = False,
) -> list[Outcome]:
    """Run all sources until `stop` is set or each has come to its end; gives what became of each.

    A source that fails is started again after a wait that grows, and goes on where it stopped; with `once` it is not.
    Where a source goes on is noted in the ledger after the broker has acknowledged all before it. A source that is
    paused there is left alone until it is not. Raises what the broker or a defect of ours raised, having stopped all.
    """
    workers = [_Worker(job, open_publisher, settings, clock, stop, ledger, once=once) for job in jobs]
    for worker in workers:
        worker.start()
    told_at = clock.monotonic()
    while any(worker.is_alive() for worker in workers):
        for worker in workers:
            worker.heed()
        stop.wait(_SLICE_SECONDS)
        if clock.monotonic() - told_at >= _REPORT_SECONDS:
            told_at = clock.monotonic()
            for each in (worker.outcome for worker in workers):
                log.info("%s: %d posts published, %d rejected so far", each.name, each.published, each.rejected)
        if stop.is_set():
            for worker in workers:
                worker.heed()
            for worker in workers:
                worker.join()
    for worker in workers:
        if worker.fatal is not None:
            raise worker.fatal
    return [worker.outcome for worker in workers]


class _Worker(threading.Thread):
    def __init__(
        self,
        job: Job,
        open_publisher: Callable[[], AbstractContextManager[PostSink]],
        settings: IngestSettings,
        clock: Clock,
        stop: threading.Event,
        ledger: Ledger,
        *,
        once: bool,
    ) -> None:
        super().__init__(name=f"source {job.name}", daemon=True)
        self.outcome = Outcome(job.name)
        self.fatal: BaseException | None = None
        self._job = job
        self._open_publisher = open_publisher
        self._settings = settings
        self._clock = clock
        self._stop_all = stop
        self._halt = threading.Event()
        self._ledger = ledger
        self._once = once

    def heed(self) -> None:
        """Pass on to the loop what it is told: stop, pause, go on."""
        if self._stop_all.is_set() or self._ledger.is_paused(self._job.name):
            self._halt.set()
        else:
            self._halt.clear()

    def run(self) -> None:
        """The thread."""
        try:
            with self._open_publisher() as publisher:
                self._keep_reading(publisher)
        except BaseException as error:
            self.fatal = error
            self._stop_all.set()

    def _keep_reading(self, publisher: PostSink) -> None:
        failures = 0
        while not self._stop_all.is_set():
            if self._ledger.is_paused(self._job.name):
                if self._once:
                    log.warning("%s is paused; `bearometer sources resume %s`", self._job.name, self._job.name)
                    return
                self._stop_all.wait(_SLICE_SECONDS)
                continue
            began = self._clock.monotonic()
            end = self._read(publisher)
            if end.failure is None:
                if end.reached:
                    return
                # It was paused, and may go on by now: whether it is paused now says nothing about why it ended.
                self._stop_all.wait(_SLICE_SECONDS)
                continue
            self.outcome.failure = end.failure
            if self._once:
                log.error("%s: %s", self._job.name, end.failure)
                return
            if not end.ours:
                failures = 1 if self._clock.monotonic() - began >= HEALTHY_SECONDS else failures + 1
            doublings = 0 if end.ours else min(failures - 1, 20)
            wait = min(FIRST_WAIT_SECONDS * 2**doublings, MAX_WAIT_SECONDS) * random.uniform(0.8, 1.2)
            log.error("%s: %s; started again in %.0f s", self._job.name, end.failure, wait)
            self._wait(wait)

    def _wait(self, seconds: float) -> None:
        """Wait before the next start, or until somebody who paused it has it go on: that asks for it now."""
        until = self._clock.monotonic() + seconds
        was_paused = False
        while not self._stop_all.is_set() and (left := until - self._clock.monotonic()) > 0:
            is_paused = self._ledger.is_paused(self._job.name)
            if was_paused and not is_paused:
                return
            was_paused = is_paused
            self._stop_all.wait(min(left, _SLICE_SECONDS))

    def _read(self, publisher: PostSink) -> "_End":
        """One start of the source to its end."""
        job = self._job
        try:
            source = job.open()
        except BearometerError as error:
            self._ledger.note_failure(job.name, job.kind, str(error))
            return _End(str(error))
        if isinstance(source, Resumable):
            try:
                source.resume(self._ledger.cursor(job.name))
            except BearometerError as error:
                self._ledger.note_failure(job.name, job.kind, str(error))
                return _End(str(error), ours=isinstance(error, Unavailable))
        guarded = _Guarded(source)
        account = self._ledger.account(job.name, job.kind, source, lambda: dict(publisher.next_offsets))
        before = (self.outcome.published, self.outcome.rejected)

        def progress(report: IngestReport) -> None:
            self.outcome.published = before[0] + report.published
            self.outcome.rejected = before[1] + report.rejected

        def acknowledged(report: IngestReport) -> None:
            if guarded.failure is None:
                self.outcome.failure = None
            account.acknowledged(report, guarded.failure)
            cursor = source.cursor if isinstance(source, Resumable) else None
            if isinstance(source, Acknowledged):
                self._ledger.when_stored(job.name, dict(publisher.next_offsets), partial(source.acknowledged, cursor))

        try:
            run_ingest(
                guarded, publisher, self._settings, self._clock, progress, self._halt, on_acknowledged=acknowledged
            )
        except Unavailable as error:
            if self._stop_all.is_set():
                raise
            log.warning("%s was paused while the broker was away: %s", job.name, error)
            return _End(guarded.failure)  # what it gave last may not have arrived, even if that was its end
        return _End(guarded.failure, reached=guarded.ended)


@dataclass(frozen=True)
class _End:
    """How one start of a source ended; neither failed nor `reached`: it was told to leave off."""

    failure: str | None
    reached: bool = False
    """Whether it has an end, and came to it."""
    ours: bool = False
    """Whether our own Postgres was away, which is no fault of the source."""


@dataclass
class _Guarded:
    """A source whose failure ends it and is kept, so that what it gave before is still acknowledged and noted."""

    source: Source
    failure: str | None = field(default=None)
    ended: bool = field(default=False)
    """Whether it gave all it has; not when its reader left off."""

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def live(self) -> bool:
        return self.source.live

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        try:
            yield from self.source.read()
            self.ended = True
        except BearometerError as error:
            self.failure = str(error)
        except Exception as error:
            # Not our publisher's and not our loop's: those raise outside of this generator.
            log.exception("%s: a defect in reading this source", self.source.name)
            self.failure = plain(f"a defect in reading it: {type(error).__name__}: {error}", 200)
