"""Posts of X, by the filtered stream of its API v2.

https://docs.x.com/x-api/posts/filtered-stream/introduction and …/x-api/fundamentals/handling-disconnections: JSON
objects in lines, and an empty line at least every 20 seconds. What comes while no connection is open is lost, but for
`backfill_minutes`.
"""

import logging
import random
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from bearometer.clock import Clock
from bearometer.errors import Reason, Rejected, Transient
from bearometer.settings import IngestSettings
from bearometer.source_base import reveal
from bearometer.stream_source_settings import XSettings
from ingest.http_stream import HttpStream, Lines
from ingest.patience import Patience, keep_reading
from ingest.rows import parse_time
from ingest.seen import Seen
from ingest.source import RawPost, Unreadable
from ingest.wanted import with_symbols
from ingest.x_rules import find_rules, synchronise_rules, x_refusal

__all__ = ["XSource"]

log = logging.getLogger(__name__)

_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 320.0
_TURN_SECONDS = 0.5
_FIELDS = {
    "tweet.fields": (
        "author_id,created_at,edit_history_tweet_ids,entities,lang,note_tweet,public_metrics,referenced_tweets"
    ),
    "expansions": "author_id,referenced_tweets.id",
    "user.fields": "public_metrics,username",
}
_RETWEET = re.compile(r"RT @\w{1,20}: ")
_USERNAME = re.compile(r"\w{1,20}", re.ASCII)
_COUNTS = ("retweet_count", "reply_count", "like_count", "quote_count")

Item = RawPost | Unreadable | None


class XSource:
    """Every post that matches one of the rules, which are made the same at X first, but for a `dry_run`.

    A new version of an edited post has the id of the first. The cursor holds which posts were given lately; a
    connection goes back `backfill_minutes`, if X sells us that.
    """

    live = True

    def __init__(
        self,
        settings: XSettings,
        ingest: IngestSettings,
        clock: Clock,
        *,
        once: bool = False,
        dry_run: bool = False,
        chance: random.Random | None = None,
    ) -> None:
        self.name = settings.name
        self.last_error: str | None = None
        self._settings = settings
        self._ingest = ingest
        self._clock = clock
        self._once = once
        self._dry_run = dry_run
        self._setting = f"ingest.sources.{settings.name}.bearer_token"
        self._headers = {"Authorization": f"Bearer {reveal(settings.bearer_token, self._setting)}"}
        self._patience = Patience(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, chance)
        self._rules: frozenset[str] = frozenset()
        self._seen = Seen()
        self._ended_at: datetime | None = None
        """Until when a connection was open, if one ever was."""
        self._broken = 0

    def resume(self, cursor: str | None) -> None:
        """Remember what was given before, and when."""
        try:
            stored = orjson.loads(cursor or "{}")
            seen, ended_at = stored["seen"], parse_time(stored["at"])
        except (orjson.JSONDecodeError, KeyError, TypeError, Rejected):
            return
        self._seen.load(seen if isinstance(seen, list) else ())
        self._ended_at = ended_at

    @property
    def cursor(self) -> str | None:
        """What was given lately, and when we last heard anything."""
        if self._ended_at is None:
            return None
        return orjson.dumps({"at": self._ended_at.isoformat(), "seen": self._seen.stored()}).decode()

    def read(self) -> Iterator[Item]:
        """Posts as they appear; None at least once a second while there are none."""
        return keep_reading(self._session, self._patience, self._clock, self._tell, once=self._once)

    def _session(self) -> Iterator[Item]:
        settings = self._settings
        synchronise = find_rules if self._dry_run else synchronise_rules
        self._rules = synchronise(settings, self._headers, self._ingest, self._clock, self._setting)
        yield None
        query = dict(_FIELDS)
        if settings.backfill_minutes and self._ended_at is not None:
            query["backfill_minutes"] = str(settings.backfill_minutes)
        url = f"{settings.api_url}/2/tweets/search/stream?{urlencode(query)}"
        with HttpStream(url, self._ingest, self._clock, headers=self._headers) as stream:
            if stream.status != 200:
                raise x_refusal(url, stream.status, stream.headers, self._clock.now(), self._setting)
            self._say_what_is_lost()
            self.last_error = None
            yield None
            yield from self._listen(stream)

    def _say_what_is_lost(self) -> None:
        if self._ended_at is None:
            return
        lost = (self._clock.now() - self._ended_at).total_seconds() - 60 * self._settings.backfill_minutes
        if lost > 1:
            log.warning(
                "%s: what X had in %.0f seconds without a connection is lost (backfill_minutes)", self.name, lost
            )

    def _listen(self, stream: HttpStream) -> Iterator[Item]:
        lines, heard = Lines(self._settings.max_message_bytes), self._clock.monotonic()
        while True:
            chunk = stream.read(_TURN_SECONDS)
            if chunk == b"":
                return
            ended = lines.feed(chunk) if chunk else []
            if ended:
                heard, self._ended_at = self._clock.monotonic(), self._clock.now()
            elif self._clock.monotonic() - heard > self._settings.idle_seconds:
                message = f"{stream} sent nothing for {self._settings.idle_seconds:g} s"
                raise Transient(message)
            for line in ended:
                if line is None:
                    yield self._unreadable(f"a post of more than {self._settings.max_message_bytes} bytes")
                elif line.strip():
                    yield self._take(line)
            yield None

    def _take(self, line: bytes) -> Item:
        try:
            message = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return self._unreadable(str(error))
        if not isinstance(message, dict):
            return self._unreadable("no object")
        post = message.get("data")
        if not isinstance(post, dict):
            raise _disconnection(message)
        matched = {str(_dict(rule).get("id")) for rule in _list(message.get("matching_rules"))}
        if matched and not matched & self._rules:
            return None  # wanted by somebody else who uses the same application
        identity = post.get("id")
        if not isinstance(identity, str) or not identity:
            return self._unreadable("a post without an id")
        versions = [each for each in _list(post.get("edit_history_tweet_ids")) if isinstance(each, str)]
        try:
            read = self._read(post, _dict(message.get("includes")), min(versions, key=_order, default=identity))
        except Rejected as error:
            return Unreadable(f"{self.name}, post {identity}", error.reason, error.detail)
        return read if self._seen.add(identity) else None

    def _read(self, post: dict[str, Any], includes: dict[str, Any], native_id: str) -> RawPost:
        identity, author_id = post["id"], post.get("author_id")
        users = [_dict(user) for user in _list(includes.get("users"))]
        author = next((user for user in users if author_id is not None and user.get("id") == author_id), {})
        username, language = author.get("username"), post.get("lang")
        username = username if isinstance(username, str) and _USERNAME.fullmatch(username) else None
        text = _text(post, [_dict(each) for each in _list(includes.get("tweets"))])
        metrics = _dict(post.get("public_metrics"))
        return RawPost(
            text=text,
            published_at=parse_time(post.get("created_at")),
            position=f"{self.name}, post {identity}",
            native_id=native_id,
            author=username or (author_id if isinstance(author_id, str) else None),
            followers=_number(_dict(author.get("public_metrics")).get("followers_count")),
            url=f"https://x.com/{username or 'i'}/status/{identity}" if identity.isdigit() else None,
            language=language if isinstance(language, str) else None,
            symbols=with_symbols(self._settings.symbols, text),
            engagement=sum(_number(metrics.get(name)) or 0 for name in _COUNTS),
        )

    def _unreadable(self, detail: str) -> Unreadable:
        self._broken += 1
        return Unreadable(f"{self.name}, broken line {self._broken}", Reason.UNDECODABLE, detail)

    def _tell(self, trouble: str) -> None:
        self.last_error = trouble


def _disconnection(message: dict[str, Any]) -> Transient:
    """The error that X sends down the stream before it hangs up."""
    errors = [_dict(error) for error in _list(message.get("errors"))] or [message]
    title = errors[0].get("title") or errors[0].get("detail")
    too_many = any("TooManyConnections" in str(error) for error in errors)
    return Transient(f"X ends the stream ({title!r:.100})", 60.0 if too_many else None)


def _text(post: dict[str, Any], others: list[dict[str, Any]]) -> str:
    """The whole text, also of a long post, and of a retweet, which is cut short; links in full."""
    text = _own_text(post)
    for reference in map(_dict, _list(post.get("referenced_tweets"))):
        if reference.get("type") == "retweeted" and (mark := _RETWEET.match(text)):
            original = next((each for each in others if each.get("id") == reference.get("id")), None)
            if original is not None:
                return mark.group() + _own_text(original)
    return text


def _own_text(post: dict[str, Any]) -> str:
    long = _dict(post.get("note_tweet"))
    said = long if isinstance(long.get("text"), str) else post
    text = said.get("text")
    text = text if isinstance(text, str) else ""
    for link in map(_dict, _list(_dict(said.get("entities")).get("urls"))[:50]):
        short, whole = link.get("url"), link.get("unwound_url") or link.get("expanded_url")
        if isinstance(short, str) and short.startswith("https://t.co/") and isinstance(whole, str):
            text = text.replace(short, whole[:2_000])
    return text


def _order(identity: str) -> tuple[int, str]:
    return len(identity), identity


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
