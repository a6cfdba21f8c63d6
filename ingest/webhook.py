"""Posts that others push over HTTP. A request is answered 2xx only once its posts are kept, by the broker or behind it.

The server's threads read and check requests; `read` takes them one by one, and each waits for `acknowledged`. So
nothing is lost after a 2xx, and whatever has no 2xx (a kill, a broker that is away) is sent again by its sender.
"""

import hashlib
import logging
import queue
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from bearometer.clock import Clock
from bearometer.errors import Failed, Reason, Rejected
from bearometer.settings import IngestSettings
from bearometer.signing import read_signing_key
from bearometer.source_base import reveal
from bearometer.stream_source_settings import WebhookSourceSettings
from ingest.json_post import read_post
from ingest.normalise import normalise
from ingest.source import RawPost, Unreadable
from ingest.wanted import with_symbols
from ingest.webhook_server import Reply, WebhookServer, is_listening
from ingest.webhook_signature import BadSignature, Replayed, SignatureCheck

__all__ = ["WebhookSource"]

log = logging.getLogger(__name__)

_TURN_SECONDS = 0.1
_WAITING_REQUESTS = 64
_REMEMBERED_REQUESTS = 10_000
_NAMED_REJECTS = 20


@dataclass(slots=True)
class _Batch:
    """The posts of one request; `settled` is set when they are kept, or when the request is to wait no longer."""

    items: list[RawPost | Unreadable]
    settled: threading.Event = field(default_factory=threading.Event)
    kept: bool = False
    given_up: bool = False
    number: int = 0


class WebhookSource:
    """A server on one address. The loop that reads it must call `acknowledged`, or every request is answered 503.

    There is nothing to go back to after a restart: what was not acknowledged was not answered 2xx either. The cursor
    only says how far this process has come.
    """

    live = True

    def __init__(
        self, settings: WebhookSourceSettings, ingest: IngestSettings, clock: Clock, *, once: bool = False
    ) -> None:
        self.name = settings.name
        self.last_error: str | None = None
        self.port: int | None = None
        """Where it listens, once `read` has begun."""
        self._settings = settings
        self._ingest = ingest
        self._clock = clock
        self._once = once
        setting = f"ingest.sources.{settings.name}"
        keys = [read_signing_key(reveal(settings.secret, f"{setting}.secret"), f"{setting}.secret")]
        if settings.previous_secret is not None:
            name = f"{setting}.previous_secret"
            keys.append(read_signing_key(reveal(settings.previous_secret, name), name))
        self._check = SignatureCheck(keys, settings.tolerance_seconds)
        self._run = secrets.token_hex(8)
        self._waiting: queue.Queue[_Batch] = queue.Queue(_WAITING_REQUESTS)
        self._lock = threading.Lock()
        self._given: OrderedDict[int, _Batch] = OrderedDict()
        self._number = 0
        self._kept: OrderedDict[tuple[str, bytes], None] = OrderedDict()
        self._tokens = float(settings.max_requests_per_minute)
        self._tokens_at = clock.monotonic()
        self._closed = False

    def resume(self, cursor: str | None) -> None:
        """Nothing to do: see the class."""

    @property
    def cursor(self) -> str | None:
        """How many requests were given whole; None before the first."""
        return orjson.dumps({"run": self._run, "given": self._number}).decode() if self._number else None

    def acknowledged(self, cursor: str | None) -> None:
        """All that was given when `cursor` was asked for is kept: answer those who wait for that."""
        try:
            stored = orjson.loads(cursor or "{}")
            number = stored["given"] if stored["run"] == self._run else 0
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return
        with self._lock:
            while self._given and next(iter(self._given)) <= number:
                _, batch = self._given.popitem(last=False)
                batch.kept = True
                batch.settled.set()

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        """Posts as they are pushed; None while there are none. Failed when the address cannot be listened on.

        With `once` it only sees whether it can be listened on, or a worker of ours listens there already.
        """
        settings = self._settings
        try:
            server = WebhookServer(settings, self._receive)
        except (OSError, OverflowError) as error:
            if self._once and is_listening(settings):
                return
            message = f"the source {self.name} cannot listen on {settings.host}:{settings.port}: {error}"
            raise Failed(message) from None
        self.port, self._closed = server.port, self._once
        try:
            while not self._closed:
                try:
                    batch = self._waiting.get(timeout=_TURN_SECONDS)
                except queue.Empty:
                    yield None
                else:
                    yield from self._give(batch)
        finally:
            server.close()
            self._give_up_waiting()

    def _give(self, batch: _Batch) -> Iterator[RawPost | Unreadable]:
        *first, last = batch.items
        with self._lock:
            if batch.given_up:
                return
        yield from first
        # Before the last one is given: from then on the cursor covers it.
        with self._lock:
            self._number += 1
            batch.number = self._number
            if not batch.given_up:
                self._given[self._number] = batch
        yield last

    def _give_up_waiting(self) -> None:
        """What nobody has taken yet is not going to be kept; what was given still waits for its acknowledgement."""
        self._closed = True
        while True:
            try:
                self._waiting.get_nowait().settled.set()
            except queue.Empty:
                return

    def _receive(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """One request, in a thread of its own: answered once it is settled."""
        with self._lock:
            try:
                request = self._check.check(headers, body, self._clock.now())
            except BadSignature as error:
                self.last_error = f"a request was refused: {error}"
                return Reply(401, {"error": str(error)})
            except Replayed:
                self.last_error = "a request was refused: the very same one came before"
                return Reply(409, {"error": "the very same request came before"})
            reply = self._turn_away(request[0], body)
        reply = reply or self._keep(request[0], body)
        if not 200 <= reply.status < 300:
            with self._lock:
                self._check.forget(request)
        return reply

    def _turn_away(self, identity: str, body: bytes) -> Reply | None:
        """The answer to a request that need not be looked into; None to one that must."""
        if (wait := self._wait_for_token()) > 0:
            return Reply(429, {"error": "too many requests"}, retry_after_seconds=wait)
        self.last_error = None
        # Its sender did not get our answer, and signed it anew.
        return Reply(200, {"repeated": True}) if _key(identity, body) in self._kept else None

    def _keep(self, identity: str, body: bytes) -> Reply:
        try:
            items = self._items(body, f"{self.name}, request {identity}")
        except Rejected as error:
            return Reply(400, {"error": error.detail})
        if items and not self._hand_over(_Batch(items)):
            return Reply(503, {"error": "the posts cannot be kept just now"}, retry_after_seconds=10.0)
        with self._lock:
            self._kept[_key(identity, body)] = None
            if len(self._kept) > _REMEMBERED_REQUESTS:
                self._kept.popitem(last=False)
        rejected = [item for item in items if isinstance(item, Unreadable)]
        named = [f"{item.position}: {item.reason}, {item.detail}" for item in rejected[:_NAMED_REJECTS]]
        return Reply(200, {"taken": len(items) - len(rejected), "rejected": len(rejected), "why": named})

    def _hand_over(self, batch: _Batch) -> bool:
        """Whether the batch is kept, after it was given and acknowledged."""
        try:
            if self._closed:
                return False
            self._waiting.put_nowait(batch)
        except queue.Full:
            return False
        batch.settled.wait(self._settings.answer_seconds)
        with self._lock:
            batch.given_up = not batch.kept
            self._given.pop(batch.number, None)
            return batch.kept

    def _wait_for_token(self) -> float:
        """Seconds until another request may come; 0 when it may come now, and then it is counted."""
        now, most = self._clock.monotonic(), float(self._settings.max_requests_per_minute)
        self._tokens = min(most, self._tokens + (now - self._tokens_at) * most / 60)
        self._tokens_at = now
        if self._tokens < 1:
            return (1 - self._tokens) * 60 / most
        self._tokens -= 1
        return 0.0

    def _items(self, body: bytes, where: str) -> list[RawPost | Unreadable]:
        """Everything in a request's body; Rejected, with what its sender is told, when there is no list of posts."""
        try:
            message = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Rejected(Reason.UNDECODABLE, f"the body is no JSON: {error}") from None
        entries, symbol = _entries(message)
        if len(entries) > self._settings.max_posts:
            raise Rejected(Reason.TOO_LONG, f"{len(entries)} posts; at most {self._settings.max_posts} in one request")
        return [self._item(entry, symbol, f"{where}, post {number}") for number, entry in enumerate(entries, start=1)]

    def _item(self, entry: Any, symbol: str | None, position: str) -> RawPost | Unreadable:
        # A message about an alert has our own names.
        fields = self._settings.fields if symbol is None else {"created_at": "published_at"}
        now = self._clock.now()
        try:
            post = read_post(entry, fields, position, now)
            stated = tuple(dict.fromkeys((*self._settings.symbols, *post.symbols, *([symbol] if symbol else []))))
            symbols = stated if post.symbols or symbol else with_symbols(self._settings.symbols, post.text)
            post = replace(post, symbols=symbols)
            normalise(post, self.name, self._ingest, now)  # its sender is told of what the loop will reject
        except Rejected as error:
            return Unreadable(position, error.reason, error.detail)
        return post


def _key(identity: str, body: bytes) -> tuple[str, bytes]:
    """What makes two requests the same: an id that a sender uses again says nothing about another body."""
    return identity, hashlib.sha256(body).digest()


def _entries(message: Any) -> tuple[list[Any], str | None]:
    """One post, a list of them, `{"posts": [...]}`, or the posts that another Bearometer's alert quotes."""
    if isinstance(message, list):
        return message, None
    if not isinstance(message, dict):
        raise Rejected(Reason.UNDECODABLE, "the body must be an object or a list")
    if str(message.get("type", "")).startswith("alert."):
        about = message.get("data")
        about = about if isinstance(about, dict) else {}
        alert, posts = about.get("alert"), about.get("posts")
        symbol = alert.get("symbol") if isinstance(alert, dict) else None
        return posts if isinstance(posts, list) else [], symbol if isinstance(symbol, str) else ""
    posts = message.get("posts")
    return (posts, None) if isinstance(posts, list) else ([message], None)
