"""The loop of ingest: read, normalise, publish, and say how far it has come."""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from bearometer.clock import Clock
from bearometer.errors import Reason, Rejected, Transient
from bearometer.post import Heartbeat, Post
from bearometer.settings import IngestSettings
from bearometer.terminal import plain
from ingest.normalise import normalise
from ingest.source import RawPost, Source, Unreadable

__all__ = ["IngestReport", "PostSink", "run_ingest"]

log = logging.getLogger(__name__)

HEARTBEAT_POSTS = 2_000
"""At full speed, event time must not wait for the wall clock: a heartbeat goes after this many posts at the latest."""

ACKNOWLEDGE_SECONDS = 2.0
"""While a source gives posts without a pause, `on_acknowledged` is called this often: it waits for the broker."""

_REPORT_POSTS = 100
_LOGGED_REJECTS = 20
_FIRST_BACKOFF_SECONDS = 0.5
_MAX_BACKOFF_SECONDS = 30.0
_SLICE_SECONDS = 0.2
_DUE_SECONDS = 0.001
"""A wait shorter than this is over: a clock may have no finer ticks."""
_FLUSH_SECONDS = 10.0


class PostSink(Protocol):
    """The part of the Publisher that this loop and the runner need."""

    @property
    def next_offsets(self) -> Mapping[int, int]:
        """For each partition of the posts topic 1 + the highest offset that the broker has acknowledged."""
        ...

    def publish(self, post: Post) -> None:
        """Take a post; Transient when it was not taken and may be later, Rejected when it never will be."""
        ...

    def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat for every partition, behind the posts given before."""
        ...

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Block until all is acknowledged; Transient when that takes longer."""
        ...

    def restore_topics(self) -> None:
        """Create topics that went missing, if the broker answers."""
        ...


@dataclass(slots=True)
class IngestReport:
    """What ingest has done so far; `read` is `published` plus `rejected` plus what waits."""

    read: int = 0
    rejected: int = 0
    published: int = 0
    """Posts that the publisher took; after `run_ingest` has returned, all of them are acknowledged."""
    out_of_order: int = 0
    """Published posts older than one published before them."""
    reasons: Counter[Reason] = field(default_factory=Counter)
    """Why posts were rejected."""
    first_published_at: datetime | None = None
    """The earliest time of a published post."""
    last_published_at: datetime | None = None
    """The latest time of a published post."""
    newest_at: datetime | None = None
    """The same, but a post from the future counts as one of when it was taken in: it hides no silence."""


def run_ingest(  # noqa: PLR0913  the callbacks are all optional
    source: Source,
    publisher: PostSink,
    settings: IngestSettings,
    clock: Clock,
    on_progress: Callable[[IngestReport], None] | None = None,
    stop: threading.Event | None = None,
    *,
    on_rejected: Callable[[Unreadable], None] | None = None,
    last_heartbeat: Callable[[datetime], datetime] | None = None,
    on_acknowledged: Callable[[IngestReport], None] | None = None,
) -> IngestReport:
    """Publish every post of the source; returns at its end, or soon after `stop` is set, with all acknowledged.

    What cannot be read or used is counted, given to `on_rejected` (the first 20 are logged otherwise) and left
    behind. While the broker is away the source waits, and nothing is lost. Heartbeats go out every
    `heartbeat_seconds` of the clock and after 2,000 posts: with the present for a live source, with the time of
    the newest post for a replay. A replay that came to its end is followed by one that is as late as
    `last_heartbeat` says of the newest post's time, so that the last windows close. `on_progress` gets the one report
    that is being written, now and then. `on_acknowledged` gets it when all that the source has given is acknowledged,
    the item given last included: between two items, when the source has nothing just now or after two seconds, and at
    the end. Raises Unavailable when it was stopped while the broker was away: then some posts may not have arrived.
    """
    loop = _Loop(source, publisher, settings, clock, stop or threading.Event(), on_rejected or _Log())
    report = loop.report
    acknowledge_at, acknowledged = clock.monotonic() + ACKNOWLEDGE_SECONDS, 0
    finished = True
    for item in source.read():
        loop.take(item)
        if on_progress and (item is None or report.read % _REPORT_POSTS == 0):
            on_progress(report)
        due = clock.monotonic() >= acknowledge_at or (item is None and report.published > acknowledged)
        if on_acknowledged and due and loop.flush_until_stopped():
            on_acknowledged(report)
            acknowledge_at, acknowledged = clock.monotonic() + ACKNOWLEDGE_SECONDS, report.published
        if loop.stop.is_set() or loop.left_out:  # `stop` may have been taken back since a post was left out
            finished = False
            break
    if finished and last_heartbeat is not None and report.last_published_at is not None:
        last = Heartbeat(source.name, last_heartbeat(report.last_published_at))
        loop.until_taken(lambda: publisher.heartbeat(last))
    loop.flush()
    if on_acknowledged and not loop.left_out:
        on_acknowledged(report)
    if on_progress:
        on_progress(report)
    return report


class _Loop:
    def __init__(
        self,
        source: Source,
        publisher: PostSink,
        settings: IngestSettings,
        clock: Clock,
        stop: threading.Event,
        on_rejected: Callable[[Unreadable], None],
    ) -> None:
        self.report = IngestReport()
        self.left_out = False
        """Whether a post was given up because of `stop`: the source must give it again."""
        self.stop = stop
        self._source = source
        self._publisher = publisher
        self._settings = settings
        self._clock = clock
        self._on_rejected = on_rejected
        self._beat_at = clock.monotonic() + settings.heartbeat_seconds
        self._posts_since_beat = 0

    def take(self, item: RawPost | Unreadable | None) -> None:
        if isinstance(item, RawPost):
            self.report.read += 1
            try:
                self._publish(item)
            except Rejected as error:
                self._reject(Unreadable(item.position, error.reason, error.detail))
        elif item is not None:
            self.report.read += 1
            self._reject(item)
        if self._posts_since_beat >= HEARTBEAT_POSTS or self._clock.monotonic() >= self._beat_at:
            self._beat()

    def until_taken(self, send: Callable[[], None]) -> bool:
        """Try until it is taken, with growing waits; False when `stop` came first."""
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                send()
            except Transient as error:
                log.warning("%s; trying again in %.1f s", error, backoff)
                self._pause(backoff * random.uniform(0.8, 1.2))
                if self.stop.is_set():
                    return False
                self._publisher.restore_topics()
                backoff = min(backoff * 2, _MAX_BACKOFF_SECONDS)
            else:
                return True

    def flush(self) -> None:
        # Once we are told to stop there is one more try: whoever stops us does not wait for a minute.
        if self.stop.is_set() or not self.flush_until_stopped():
            self._flush()

    def flush_until_stopped(self) -> bool:
        """Wait until all is acknowledged, however long; False when `stop` came first."""
        return not self.left_out and self.until_taken(self._flush)

    def _flush(self) -> None:
        self._publisher.flush(_FLUSH_SECONDS)

    def _publish(self, raw: RawPost) -> None:
        post = normalise(raw, raw.source or self._source.name, self._settings, self._clock.now())
        if not self._source.live:
            # History is known when it was written: read today, it would all look as if it had come too late.
            post = replace(post, ingested_at=min(post.ingested_at, post.published_at))
        if not self.until_taken(lambda: self._publisher.publish(post)):
            self.left_out = True
            return
        report = self.report
        report.published += 1
        self._posts_since_beat += 1
        at = post.published_at
        if report.last_published_at is not None and at < report.last_published_at:
            report.out_of_order += 1
        report.last_published_at = max(report.last_published_at or at, at)
        report.first_published_at = min(report.first_published_at or at, at)
        known = min(at, post.ingested_at)
        report.newest_at = max(report.newest_at or known, known)

    def _reject(self, what: Unreadable) -> None:
        self.report.rejected += 1
        self.report.reasons[what.reason] += 1
        self._on_rejected(what)

    def _beat(self) -> None:
        self._beat_at = self._clock.monotonic() + self._settings.heartbeat_seconds
        self._posts_since_beat = 0
        at = self._clock.now() if self._source.live else self.report.last_published_at
        if at is not None:
            heartbeat = Heartbeat(self._source.name, at)
            self.until_taken(lambda: self._publisher.heartbeat(heartbeat))

    def _pause(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while not self.stop.is_set() and (wait := until - self._clock.monotonic()) > _DUE_SECONDS:
            self._clock.sleep(min(wait, _SLICE_SECONDS))


class _Log:
    """One line for each of the first rejects; a file full of them must not fill the log."""

    def __init__(self) -> None:
        self._left = _LOGGED_REJECTS

    def __call__(self, what: Unreadable) -> None:
        if self._left > 0:
            self._left -= 1
            log.warning("%s rejected, %s: %s", plain(what.position), what.reason, plain(what.detail))
            if self._left == 0:
                log.warning("further rejects are counted and not logged")
