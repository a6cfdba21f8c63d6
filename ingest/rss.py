"""Posts from RSS and Atom feeds, asked politely: only when due, and later when something is wrong."""

import io
import logging
import random
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import feedparser
import httpx

from bearometer.clock import Clock
from bearometer.errors import BearometerError, Failed, Misconfigured, Transient
from bearometer.settings import FeedSettings, IngestSettings
from ingest.fetch import FeedFetcher, Validators, shown_url
from ingest.normalise import fingerprint
from ingest.source import RawPost, Unreadable
from ingest.text import clean_text, strip_html
from ingest.wanted import with_symbols

__all__ = ["RssSource"]

log = logging.getLogger(__name__)

MAX_BACKOFF_SECONDS = 3_600.0
SEEN_ENTRIES = 200_000
"""How many entries are remembered as published; forgetting one is harmless, since its id stays the same."""

_SLICE_SECONDS = 0.2
_DUE_SECONDS = 0.001
"""A wait shorter than this is over: a clock may have no finer ticks."""


@dataclass(slots=True)
class _Feed:
    settings: FeedSettings
    name: str
    due: float
    failures: int = 0
    error: str | None = None
    validators: Validators = field(default_factory=Validators)


class RssSource:
    """All feeds of the settings, one fetch at a time, the one that is due first.

    A feed is asked every `interval_seconds`, give or take a tenth. After an error the wait doubles, up to an hour,
    and is at least what the server asks for. An entry that was given already in this process is not given again.
    With `once` each feed is asked once and the source ends; `failed` then says what could not be fetched, and Failed is
    raised when that is all of them.
    """

    live = True
    name = "feeds"

    def __init__(
        self, settings: IngestSettings, clock: Clock, *, once: bool = False, chance: random.Random | None = None
    ) -> None:
        if not settings.feeds:
            message = "there are no feeds; put [[ingest.feeds]] with a url into the settings file"
            raise Misconfigured(message)
        self._settings = settings
        self._clock = clock
        self.once = once
        self._chance = chance or random.Random()
        self._feeds = [_Feed(feed, feed.name or _host(feed.url), clock.monotonic()) for feed in settings.feeds]
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self.failed: list[str] = []
        """One line for every fetch that went wrong, the last 100."""

    @property
    def last_error(self) -> str | None:
        """What is wrong with the feeds that failed when they were asked last; None when all is well."""
        return "; ".join(feed.error for feed in self._feeds if feed.error)[:1_000] or None

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        """Entries as they appear; None while no feed is due. Blocks for one fetch at most."""
        with FeedFetcher(self._settings, self._clock) as fetcher:
            if self.once:
                for feed in self._feeds:
                    yield from self._poll(fetcher, feed)
                if len(self.failed) == len(self._feeds):
                    message = f"no feed could be fetched: {'; '.join(self.failed)}"
                    raise Failed(message)
                return
            while True:
                feed = min(self._feeds, key=lambda candidate: candidate.due)
                if (wait := feed.due - self._clock.monotonic()) > _DUE_SECONDS:
                    self._clock.sleep(min(wait, _SLICE_SECONDS))
                    yield None
                else:
                    yield from self._poll(fetcher, feed)
                    yield None

    def _poll(self, fetcher: FeedFetcher, feed: _Feed) -> Iterator[RawPost]:
        try:
            fetched = fetcher.fetch(feed.settings.url, feed.validators)
            entries = [] if fetched.body is None else self._parse(feed, fetched.body, fetched.content_type)
        except BearometerError as error:
            self._back_off(feed, error)
            return
        feed.failures, feed.error = 0, None
        feed.due = self._clock.monotonic() + feed.settings.interval_seconds * self._chance.uniform(0.9, 1.1)
        for entry in entries:
            key = feed.name, entry.native_id or entry.text
            if self._is_new(key):
                try:
                    yield entry
                except GeneratorExit:  # it may be that nobody has kept it
                    self._seen.pop(key, None)
                    raise
        # Not before: whoever stops in between and reads on later must not be told that nothing has changed.
        feed.validators = fetched.validators

    def _back_off(self, feed: _Feed, error: BearometerError) -> None:
        wait = min(feed.settings.interval_seconds * 2 ** min(feed.failures, 20), MAX_BACKOFF_SECONDS)
        wait = max(wait, feed.settings.interval_seconds) * self._chance.uniform(0.8, 1.2)
        if isinstance(error, Transient) and error.retry_after_seconds is not None:
            wait = max(wait, error.retry_after_seconds)
        feed.failures += 1
        feed.error = str(error)
        feed.due = self._clock.monotonic() + wait
        self.failed = [*self.failed[-99:], str(error)]
        log.warning("%s; asked again in %.0f s", error, wait)

    def _is_new(self, key: tuple[str, str]) -> bool:
        known = key in self._seen
        self._seen[key] = None
        self._seen.move_to_end(key)
        if len(self._seen) > SEEN_ENTRIES:
            self._seen.popitem(last=False)
        return not known

    def _parse(self, feed: _Feed, body: bytes, content_type: str) -> list[RawPost]:
        try:
            # As a file object: feedparser would take bytes for an address, and fetch it.
            parsed = feedparser.parse(
                io.BytesIO(body),
                response_headers={"content-type": content_type} if content_type else {},
                sanitize_html=False,
                resolve_relative_uris=False,
            )
        except Exception as error:  # such as OverflowError for &#99999999999; one feed must not end all others
            message = f"{shown_url(feed.settings.url)} cannot be parsed: {type(error).__name__}"
            raise Transient(message) from error
        if not parsed.get("version") and not parsed.entries:
            message = f"{shown_url(feed.settings.url)} is neither RSS nor Atom"
            raise Transient(message)
        now = self._clock.now()
        return [
            self._post(feed, entry, f"{feed.name}, entry {number}", now)
            for number, entry in enumerate(parsed.entries, start=1)
        ]

    def _post(self, feed: _Feed, entry: Any, position: str, now: datetime) -> RawPost:
        title, summary = _plain(entry, "title"), _plain(entry, "summary")
        if not summary or summary.startswith(title):
            text = summary or title
        else:
            text = f"{title}{'' if title.endswith(('.', '!', '?', '…', ':')) else '.'} {summary}" if title else summary
        link = str(entry.get("link") or "")
        # The fetch time may stand in for the time, so that an id must not follow from it. One article may be in the
        # feeds of two companies, and the second must not look like a repeat of the first.
        native_id = str(entry.get("id") or "") or link or fingerprint(text)
        return RawPost(
            text=text,
            published_at=_time(entry) or now,
            position=position,
            native_id="#".join((native_id, *feed.settings.symbols)),
            source=feed.name,
            author=str(entry.get("author") or "") or None,
            url=link or None,
            symbols=with_symbols(feed.settings.symbols, clean_text(text)),
        )


def _plain(entry: Any, name: str) -> str:
    detail = entry.get(f"{name}_detail") or {}
    text = str(entry.get(name) or "")
    if detail.get("type") != "text/plain":
        text = strip_html(text)
    return " ".join(text.split())


def _time(entry: Any) -> datetime | None:
    for name in ("published_parsed", "updated_parsed"):
        # dict.get: feedparser's own get warns when it finds one under the name of the other.
        if parsed := dict.get(entry, name):
            try:
                year, month, day, hour, minute, second = parsed[:6]
                return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
            except ValueError:
                continue
    return None


def _host(url: str) -> str:
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL:
        host = ""
    if not host:
        message = f"`ingest.feeds` has the url {shown_url(url)!r}; it must be http://… or https://…"
        raise Misconfigured(message)
    return host
