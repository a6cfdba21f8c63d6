"""Posts of Mastodon: streamed as server-sent events, and what was missed meanwhile from the timeline.

https://docs.joinmastodon.org/methods/streaming/ and …/methods/timelines/. Ids are made of the time in milliseconds
and 16 more bits (https://docs.joinmastodon.org/api/guidelines/#pagination leaves that open; other software that
speaks this interface has others, and then nothing is gone back for).
"""

import logging
import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from bearometer.clock import Clock
from bearometer.errors import Reason, Rejected, Transient
from bearometer.settings import IngestSettings
from bearometer.source_base import reveal
from bearometer.stream_source_settings import MastodonSettings
from ingest.fetch import shown_url
from ingest.http_stream import HttpStream, Lines, ask, refusal
from ingest.patience import Patience, keep_reading
from ingest.rows import parse_time
from ingest.seen import Seen
from ingest.source import RawPost, Unreadable
from ingest.status_text import status_text
from ingest.wanted import Wanted, with_symbols

__all__ = ["MastodonSource"]

log = logging.getLogger(__name__)

_FIRST_WAIT_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 300.0
_TURN_SECONDS = 0.5
_PAGE = 40
"""The most that a timeline gives at once."""
_ID_BITS = 16

Item = RawPost | Unreadable | None


class MastodonSource:
    """Every public post that is wanted; edits and deletions are passed over.

    After each connection the timeline is asked for what came behind the last post and a while before it, oldest
    first; the stream, which is open already, waits. What was given already in this process is not given again. The
    cursor is the greatest id seen.
    """

    live = True

    def __init__(
        self,
        settings: MastodonSettings,
        ingest: IngestSettings,
        clock: Clock,
        *,
        once: bool = False,
        chance: random.Random | None = None,
    ) -> None:
        self.name = settings.name
        self.last_error: str | None = None
        self._settings = settings
        self._ingest = ingest
        self._clock = clock
        self._once = once
        self._setting = f"ingest.sources.{settings.name}.access_token"
        self._headers = {}
        if settings.access_token is not None:
            self._headers["Authorization"] = f"Bearer {reveal(settings.access_token, self._setting)}"
        self._patience = Patience(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, chance)
        self._wanted = Wanted(
            settings.keywords,
            cashtags=settings.cashtags and (settings.hashtag is None or bool(settings.keywords)),
            languages=settings.languages,
        )
        self._host = urlsplit(settings.server).netloc
        self._seen = Seen()
        self._last: str | None = None
        self._by_our_clock = False
        self._events = 0

    def resume(self, cursor: str | None) -> None:
        """Go on from a stored cursor, or with what comes from now on."""
        try:
            stored = orjson.loads(cursor or "{}")["id"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            stored = None
        if isinstance(stored, str) and _is_id(stored):
            self._last = stored

    @property
    def cursor(self) -> str | None:
        """The greatest id seen."""
        return None if self._last is None else orjson.dumps({"id": self._last}).decode()

    def read(self) -> Iterator[Item]:
        """Posts as they appear; None at least once a second while there are none, but for a fetch of the timeline."""
        return keep_reading(self._session, self._patience, self._clock, self._tell, once=self._once)

    def _session(self) -> Iterator[Item]:
        kind = "hashtag" if self._settings.hashtag else "public"
        url = (self._settings.streaming_server or self._settings.server).rstrip("/")
        url += f"/api/v1/streaming/{kind}{'/local' if self._settings.local else ''}"
        if self._settings.hashtag:
            url += f"?{urlencode({'tag': self._settings.hashtag.lower()})}"
        headers = self._headers | {"Accept": "text/event-stream"}
        with HttpStream(url, self._ingest, self._clock, headers=headers) as stream:
            if stream.status != 200:
                raise refusal(url, stream.status, stream.headers, self._clock.now(), self._setting)
            yield None
            yield from self._missed()
            if self._last is None:  # so that what comes before the first post of a broken connection is not lost
                self._last = _id_at(self._clock.now())
                self._by_our_clock = True
            self.last_error = None
            yield from self._listen(stream)

    def _missed(self) -> Iterator[Item]:
        """What the timeline has behind the last id, page by page, oldest first."""
        if self._last is None:
            return
        behind = _rewound(self._last, self._settings.rewind_seconds)
        for _ in range(-(-self._settings.max_missed // _PAGE)):
            statuses = self._page(behind)
            for status in sorted(statuses, key=lambda each: _order(str(each.get("id")))):
                yield self._take(status)
            ids = [str(each["id"]) for each in statuses if _is_id(str(each.get("id")))]
            greatest = max(ids, key=_order, default=behind)
            if _order(greatest) <= _order(behind):
                return
            behind = greatest
        trouble = f"more than {self._settings.max_missed} posts were missed; the rest of them is left out (max_missed)"
        log.warning("%s: %s", self.name, trouble)

    def _page(self, behind: str) -> list[dict[str, Any]]:
        tag = self._settings.hashtag
        query = {"min_id": behind, "limit": str(_PAGE)} | ({"local": "true"} if self._settings.local else {})
        url = self._settings.server.rstrip("/") + "/api/v1/timelines/"
        url += f"{f'tag/{quote(tag.lower())}' if tag else 'public'}?{urlencode(query)}"
        answer = ask(url, self._ingest, self._clock, headers=self._headers)
        if answer.status != 200:
            raise refusal(url, answer.status, answer.headers, self._clock.now(), self._setting)
        try:
            statuses = orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            message = f"{shown_url(url)} answers with what is no JSON, or cut off: {error}"
            raise Transient(message) from None
        if not isinstance(statuses, list):
            message = f"{shown_url(url)} answers with no list of posts"
            raise Transient(message)
        return [each for each in statuses if isinstance(each, dict)]

    def _listen(self, stream: HttpStream) -> Iterator[Item]:
        lines = Lines(self._settings.max_message_bytes)
        kind, parts, heard = "", [], self._clock.monotonic()
        while True:
            chunk = stream.read(_TURN_SECONDS)
            if chunk == b"":
                return
            ended = lines.feed(chunk) if chunk else []
            for line in ended:
                if line is None:
                    yield self._unreadable(f"an event of more than {self._settings.max_message_bytes} bytes")
                elif line.startswith(b"event:"):
                    kind = line[6:].strip().decode("utf-8", "replace")
                elif line.startswith(b"data:"):
                    parts.append(line[5:].removeprefix(b" "))
                elif not line:
                    if kind == "update" and parts:
                        yield self._read(b"\n".join(parts))
                    kind, parts = "", []
            # Heartbeats are lines too; bytes of a line that never ends are none.
            if ended:
                heard = self._clock.monotonic()
            elif self._clock.monotonic() - heard > self._settings.idle_seconds:
                message = f"{stream} sent nothing for {self._settings.idle_seconds:g} s"
                raise Transient(message)
            if sum(map(len, parts)) > self._settings.max_message_bytes:
                parts.clear()
                yield self._unreadable(f"an event of more than {self._settings.max_message_bytes} bytes")
            yield None

    def _read(self, body: bytes) -> Item:
        try:
            status = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return self._unreadable(str(error))
        return self._take(status) if isinstance(status, dict) else self._unreadable("no object")

    def _take(self, status: dict[str, Any]) -> Item:
        identity = str(status.get("id"))
        if not _is_id(identity):
            return self._unreadable("a status without an id")
        if self._last is None or self._by_our_clock or _order(identity) > _order(self._last):
            self._last, self._by_our_clock = identity, False
        if not self._seen.add(identity) or status.get("visibility") not in {"public", "unlisted"}:
            return None
        boosted = status.get("reblog")
        said = boosted if isinstance(boosted, dict) else status
        text = _text(said)
        language = said.get("language") if isinstance(said.get("language"), str) else None
        if not self._wanted.speaks([language] if language else []) or not self._wanted(text):
            return None
        if said is not status:
            text = f"RT @{self._author(said)}: {text}"
        account = _dict(status.get("account"))
        return RawPost(
            text=text,
            published_at=_time(status.get("created_at")),
            position=f"{self.name}, post {identity}",
            # The author's own server names the post for all servers; an id is this server's only.
            native_id=_string(status.get("uri")) or identity,
            author=self._author(status),
            followers=_number(account.get("followers_count")),
            url=_string(status.get("url")) or _string(said.get("url")),
            language=language,
            symbols=with_symbols(self._settings.symbols, text),
            engagement=sum(_number(said.get(name)) or 0 for name in ("reblogs_count", "favourites_count")),
        )

    def _author(self, status: dict[str, Any]) -> str | None:
        """`name@server`, whichever server says so."""
        name = _string(_dict(status.get("account")).get("acct"))
        return name if name is None or "@" in name else f"{name}@{self._host}"

    def _unreadable(self, detail: str) -> Unreadable:
        self._events += 1
        return Unreadable(f"{self.name}, broken event {self._events}", Reason.UNDECODABLE, detail)

    def _tell(self, trouble: str) -> None:
        self.last_error = trouble


def _text(status: dict[str, Any]) -> str:
    warning, content = _string(status.get("spoiler_text")), _string(status.get("content"))
    return " ".join(filter(None, (warning, status_text(content or ""))))


def _rewound(identity: str, seconds: float) -> str:
    if not identity.isdigit():
        return identity
    return str(max((int(identity) - (int(seconds * 1000) << _ID_BITS)), 0))


def _id_at(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000) << _ID_BITS)


def _is_id(identity: str) -> bool:
    return 0 < len(identity) <= 64 and identity.isascii() and identity.isalnum() and identity != "None"


def _order(identity: str) -> tuple[int, str]:
    """Ids of one server sort by length and then by letter, whatever they are made of."""
    return len(identity), identity


def _time(value: object) -> datetime | None:
    try:
        return parse_time(value)
    except Rejected:
        return None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
