"""Posts through the whole monitor, waiting until all of them were handled, and what came of it."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson

from alerts.bins import TICK
from alerts.notifier import Digesting
from alerts.route import build_notifiers
from bearometer.alert import Alert
from bearometer.bars import Bars
from bearometer.clock import Clock
from bearometer.errors import Failed
from bearometer.progress import count_missing
from bearometer.settings import Settings
from ingest.dead_letters import count_dead_letters
from ingest.publisher import Publisher
from ingest.source import Source, Unreadable
from ingest.worker import IngestReport, run_ingest
from storage.alerts import AlertStore
from storage.posts import PostStore, StoredCounts

__all__ = ["Published", "ReplaySummary", "Watcher", "publish_source", "replay_through", "show_reading", "summarise"]

LONGEST_WINDOW = timedelta(days=1)

_LOOK_SECONDS = 0.1
_STALLED_SECONDS = 120.0


class Progressing(Source, Protocol):
    """A source that ends, and knows how much of it was read."""

    bytes_total: int
    bytes_read: int


@dataclass(frozen=True, slots=True)
class Published:
    """What was read and published, and where it lies on the topic."""

    report: IngestReport
    next_offsets: dict[int, int]
    until: datetime | None
    """Event time that the monitor will reach; None when nothing was published."""


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What came of a replay; what is said of the stores is of the file's source, not only of this run."""

    report: IngestReport
    stored: StoredCounts
    dead: int
    seconds: float
    alerts: tuple[Alert, ...]
    seen_before: datetime | None = None
    """Up to when alerts had been looked for before this run: no new ones come of posts that are older."""

    def to_json(self) -> bytes:
        """The summary as `--summary` writes it."""
        fields: dict[str, Any] = {
            "read": self.report.read,
            "rejected": self.report.rejected,
            "published": self.report.published,
            "stored": self.stored.posts,
            "stories": self.stored.stories,
            "spam": self.stored.spam,
            "unscored": self.stored.unscored,
            "dead": self.dead,
            "mentions": self.stored.mentions,
            "seconds": round(self.seconds, 3),
            "alerts": [
                {
                    "rule": alert.rule,
                    "measure": str(alert.peak.measure),
                    "symbol": alert.symbol,
                    "started_at": alert.started_at,
                    "resolved_at": alert.resolved_at,
                    "negative": alert.peak.negative,
                    "posts": alert.peak.posts,
                    "expected": alert.peak.expected,
                    "p_value": alert.peak.p_value,
                    "per_year": alert.peak.per_year,
                    "top_posts": [post.id for post in alert.evidence.top_posts] if alert.evidence else [],
                }
                for alert in self.alerts
            ],
        }
        return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


def publish_source(
    source: Source,
    settings: Settings,
    clock: Clock,
    on_report: Callable[[IngestReport], None],
    on_rejected: Callable[[Unreadable], None] | None = None,
    *,
    shared: bool = False,
) -> Published:
    """Publish everything that a source has, and return when the broker has acknowledged all of it.

    Event time is then moved on past the last post, so far that a spike in the last hours is seen to its end; on a topic
    that is `shared` with live sources not past the present, or all that these say would be late.
    """
    beyond = 2 * LONGEST_WINDOW + timedelta(seconds=settings.alerts.clear_seconds)
    present = clock.now()

    def last_heartbeat(newest: datetime) -> datetime:
        return max(newest, min(newest + beyond, present)) if shared else newest + beyond

    with closing(Publisher(settings.kafka, settings.ingest)) as publisher:
        report = run_ingest(
            source,
            publisher,
            settings.ingest,
            clock,
            on_report,
            threading.Event(),
            on_rejected=on_rejected,
            last_heartbeat=last_heartbeat,
        )
        publisher.flush()
        next_offsets = dict(publisher.next_offsets)
    until = last_heartbeat(report.last_published_at) if report.last_published_at else None
    return Published(report, next_offsets, until)


def show_reading(source: Progressing, bars: Bars) -> Callable[[IngestReport], None]:
    """What to do with the reports of ingest, so that a bar shows how much of the source was read."""
    return lambda report: bars.set("read", source.bytes_read / max(source.bytes_total, 1), _note(report))


def _note(report: IngestReport) -> str:
    return f"{report.read:,} rows, {report.rejected:,} rejected"


def replay_through(
    source: Progressing,
    settings: Settings,
    stores: tuple[PostStore, AlertStore],
    clock: Clock,
    bars: Bars,
    *,
    pause: Callable[[float], None],
    on_rejected: Callable[[Unreadable], None] | None = None,
    shared: bool = False,
) -> ReplaySummary:
    """Publish a source, wait until the running workers have handled all of it, and sum up.

    `pause` waits so many seconds, and raises when a worker was given up; `shared` is as in `publish_source`.
    """
    started, seen_before = clock.monotonic(), stores[1].as_of()

    published = publish_source(source, settings, clock, show_reading(source, bars), on_rejected, shared=shared)
    bars.set("read", 1.0, _note(published.report))  # of a broken file too
    Watcher(settings, *stores, clock).wait(published, lambda share: bars.set("scored", share), pause)
    summary = summarise(source, published, settings, stores, clock.monotonic() - started)
    return replace(summary, seen_before=seen_before)


class Watcher:
    """Looks on from outside, in the stores alone, until the workers have handled what was published."""

    def __init__(self, settings: Settings, posts: PostStore, alerts: AlertStore, clock: Clock) -> None:
        self._topic = settings.kafka.topic
        self._posts = posts
        self._alerts = alerts
        self._clock = clock
        # What waits for other notifiers may wait for ever, and a digest for hours.
        self._notifiers = {
            each.name
            for each in build_notifiers(settings)
            if not (isinstance(each, Digesting) and each.digest_seconds > 0)
        }

    def wait(
        self,
        published: Published,
        on_stored: Callable[[float], None],
        pause: Callable[[float], None],
    ) -> None:
        """Block until all is in both stores, alerts were looked for to the end, and people were told.

        `on_stored` gets the share of the messages that are stored; `pause` waits, and raises when a worker was given
        up. Raises Failed when nothing has moved for two minutes.
        """
        total = sum(published.next_offsets.values())
        seen: object = None
        moved_at = self._clock.monotonic()
        while True:
            stored = total - count_missing(self._posts.progress(self._topic), published.next_offsets)
            on_stored(stored / total if total else 1.0)
            as_of, waiting = self._alerts.as_of(), self._alerts.waiting_deliveries(self._notifiers)
            if stored >= total and self._has_reached(published.until, as_of) and not waiting:
                return
            if (stored, as_of, waiting) != seen:
                seen, moved_at = (stored, as_of, waiting), self._clock.monotonic()
            elif self._clock.monotonic() - moved_at > _STALLED_SECONDS:
                message = (
                    f"nothing has moved for {_STALLED_SECONDS:.0f} s: {stored} of {total} messages are stored, alerts "
                    f"were looked for up to {as_of}, {waiting} messages to people wait. Are the workers running?"
                )
                raise Failed(message)
            pause(_LOOK_SECONDS)

    def _has_reached(self, until: datetime | None, as_of: datetime | None) -> bool:
        return until is None or (as_of is not None and as_of >= until - TICK)


def summarise(
    source: Source,
    published: Published,
    settings: Settings,
    stores: tuple[PostStore, AlertStore],
    seconds: float,
) -> ReplaySummary:
    """What the stores hold of the source, and the alerts of the time that its posts are of."""
    report, (posts, alerts) = published.report, stores
    return ReplaySummary(
        report=report,
        stored=posts.counts(source.name),
        dead=count_dead_letters(settings.kafka),
        seconds=seconds,
        alerts=tuple(
            alert
            for alert in alerts.alerts(since=report.first_published_at, until=published.until)
            if alert.fired_at is not None
        )
        if report.first_published_at
        else (),
    )
