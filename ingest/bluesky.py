"""Posts of Bluesky from Jetstream, in either version of its protocol.

https://github.com/bluesky-social/jetstream (version 2, docs/README.md and lexicons) and
https://github.com/bluesky-social/jetstream-legacy (version 1). Both take a time in microseconds for a cursor.
"""

import logging
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from bearometer.clock import Clock
from bearometer.errors import Reason, Rejected, Transient
from bearometer.settings import IngestSettings
from bearometer.stream_source_settings import BlueskySettings
from ingest.http_stream import Endpoint
from ingest.patience import Patience, keep_reading
from ingest.rows import parse_time
from ingest.seen import Seen
from ingest.source import RawPost, Unreadable
from ingest.wanted import Wanted, with_symbols
from ingest.websocket import read_messages

__all__ = ["BlueskySource"]

log = logging.getLogger(__name__)

_COLLECTION = "app.bsky.feed.post"
_OUTDATED = "OutdatedCursor"
_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 120.0
_TURN_SECONDS = 0.5
_MOST_AHEAD_MICROSECONDS = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_CURSOR = 10**15
"""Version 2 takes a smaller number for a sequence number of one server; this one is a day in 2001."""


class BlueskySource:
    """Every wanted post as it is made; updates, deletions and all else are passed over.

    The cursor is the server's time of the last event seen, wanted or not. A connection is renewed a few seconds
    before it; what was given already in this process is not given again.
    """

    live = True

    def __init__(
        self,
        settings: BlueskySettings,
        ingest: IngestSettings,
        clock: Clock,
        *,
        once: bool = False,
        chance: random.Random | None = None,
    ) -> None:
        Endpoint.of(settings.url, ("ws", "wss"))
        self.name = settings.name
        self.last_error: str | None = None
        self._settings = settings
        self._ingest = ingest
        self._clock = clock
        self._once = once
        self._patience = Patience(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, chance)
        self._wanted = Wanted(settings.keywords, cashtags=settings.cashtags, languages=settings.languages)
        self._seen = Seen()
        self._microseconds: int | None = None
        self._by_our_clock = False
        self._events = 0
        self._told_outdated = False

    def resume(self, cursor: str | None) -> None:
        """Go on from a stored cursor, or with what comes from now on."""
        try:
            stored = orjson.loads(cursor or "{}")["time_us"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            stored = None
        if isinstance(stored, int) and stored >= _LEAST_CURSOR:
            self._microseconds = stored

    @property
    def cursor(self) -> str | None:
        """The time of the last event seen."""
        return None if self._microseconds is None else orjson.dumps({"time_us": self._microseconds}).decode()

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        """Posts as they appear; None at least once a second while there are none."""
        if self._microseconds is None:  # so that what comes before the first event of a broken connection is not lost
            self._microseconds = _microseconds(self._clock.now())
            self._by_our_clock = True
        return keep_reading(self._session, self._patience, self._clock, self._tell, once=self._once)

    def _session(self) -> Iterator[RawPost | Unreadable | None]:
        self._told_outdated = False
        turn = self._clock.monotonic()
        messages = read_messages(
            self._url(),
            self._ingest,
            self._clock,
            setting=f"the url of the source {self.name}",
            max_bytes=self._settings.max_message_bytes,
            idle_seconds=self._settings.idle_seconds,
            subprotocols=() if self._first_version else ("xrpc.v1.json",),
        )
        for message in messages:
            item = None
            if message is None:
                self.last_error = None
            else:
                item = self._take(message)
            # Most of what comes is not wanted: the loop must hear of us all the same.
            if item is not None or message is None or self._clock.monotonic() - turn > _TURN_SECONDS:
                turn = self._clock.monotonic()
                yield item

    @property
    def _first_version(self) -> bool:
        return urlsplit(self._settings.url).path.rstrip("/").endswith("/subscribe")

    def _url(self) -> str:
        rewound = max((self._microseconds or 0) - int(self._settings.rewind_seconds * 1e6), _LEAST_CURSOR)
        # A little less than what we refuse ourselves, so that one large event does not end every connection.
        query: dict[str, object] = {"cursor": rewound, "maxMessageSizeBytes": self._settings.max_message_bytes - 512}
        query |= (
            {"wantedCollections": _COLLECTION}
            if self._first_version
            else {"collections": _COLLECTION, "kinds": "commit"}
        )
        joint = "&" if urlsplit(self._settings.url).query else "?"
        return f"{self._settings.url}{joint}{urlencode(query)}"

    def _tell(self, trouble: str) -> None:
        self.last_error = trouble

    def _take(self, message: bytes) -> RawPost | Unreadable | None:
        self._events += 1
        position = f"{self.name}, event {self._events}"
        try:
            event = orjson.loads(message)
        except orjson.JSONDecodeError as error:
            return Unreadable(position, Reason.UNDECODABLE, str(error))
        if not isinstance(event, dict):
            return Unreadable(position, Reason.UNDECODABLE, "no object")
        if event.get("$type") == "error":
            text = f"the server ends the stream ({event.get('error')!r:.60})"
            raise Transient(text)
        event, commit, time = _open_envelope(event)
        if event.get("name") == _OUTDATED and str(event.get("$type", "")).endswith("#info") and not self._told_outdated:
            self._told_outdated = True
            log.warning("%s: the server goes back less far than our stored place; posts in between are lost", self.name)
        # A server with a clock far ahead must not lead us past what comes in between.
        latest = _microseconds(self._clock.now()) + _MOST_AHEAD_MICROSECONDS
        if time is not None and _LEAST_CURSOR <= time <= latest:
            self._microseconds = time if self._by_our_clock else max(self._microseconds or 0, time)
            self._by_our_clock = False
        record = commit.get("record")
        if commit.get("collection") != _COLLECTION or commit.get("operation") != "create":
            return None
        did, key = event.get("did"), commit.get("rkey")
        if not (isinstance(did, str) and isinstance(key, str) and isinstance(record, dict)):
            return Unreadable(position, Reason.UNDECODABLE, "a commit without did, rkey or record")
        uri = f"at://{did}/{_COLLECTION}/{key}"
        text, languages = _text(record), [each for each in _list(record.get("langs")) if isinstance(each, str)]
        if not self._wanted.speaks(languages) or not self._wanted(text) or not self._seen.add(uri):
            return None
        return RawPost(
            text=text,
            published_at=_published_at(record.get("createdAt"), time),
            position=uri,
            native_id=uri,
            author=did,
            url=f"https://bsky.app/profile/{did}/post/{key}",
            language=languages[0] if languages else None,
            symbols=with_symbols(self._settings.symbols, text),
        )


def _open_envelope(event: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], int | None]:
    """The event, what was done, and the server's time in microseconds; version 2 wraps flat events."""
    if event.get("$type") != "message":
        time = event.get("time_us")
        return event, _dict(event.get("commit")), time if isinstance(time, int) else None
    event = _dict(event.get("payload"))
    # `witnessedAt` is what a cursor is compared with; older servers have `time` only.
    for name in ("witnessedAt", "time"):
        try:
            moment = parse_time(event.get(name))
        except Rejected:
            continue
        if moment is not None:
            return event, event, _microseconds(moment)
    return event, event, None


def _published_at(created: object, time: int | None) -> datetime | None:
    """The author's time, which may be anything; never later than the server's."""
    seen = None if time is None else _EPOCH + timedelta(microseconds=min(time, 10**17))
    try:
        said = parse_time(created)
    except Rejected:
        said = None
    return seen if said is None else said if seen is None else min(said, seen)


def _text(record: dict[str, Any]) -> str:
    """The text with its links in full: what is shown of them may be cut short, and their places count bytes."""
    text = record.get("text")
    raw = (text if isinstance(text, str) else "").encode("utf-8", "replace")
    links: list[tuple[int, int, str]] = []
    for facet in _list(record.get("facets")):
        index = _dict(_dict(facet).get("index"))
        start, end = index.get("byteStart"), index.get("byteEnd")
        for feature in _list(_dict(facet).get("features")):
            uri = _dict(feature).get("uri")
            if (
                isinstance(uri, str)
                and isinstance(start, int)
                and isinstance(end, int)
                and 0 <= start < end <= len(raw)
            ):
                links.append((start, end, uri))
    parts, done = [], 0
    for start, end, uri in sorted(links):
        if start >= done:
            parts += [raw[done:start].decode("utf-8", "replace"), uri]
            done = end
    whole = "".join([*parts, raw[done:].decode("utf-8", "replace")])
    card = _dict(_dict(record.get("embed")).get("external"))
    title, uri = card.get("title"), card.get("uri")
    if not whole.strip() and isinstance(title, str):  # nothing but a link's card: its title is what is said
        whole = title
    return f"{whole} {uri}" if isinstance(uri, str) and uri not in whole else whole


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
