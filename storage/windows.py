"""Counts of the last two days in Redis: one hash per symbol or topic and minute, which Postgres can give back."""

import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bearometer.clock import Clock
from bearometer.errors import Misconfigured, WindowsLost
from bearometer.mention import Label, Scored
from bearometer.post import topic_of
from bearometer.settings import RedisSettings
from bearometer.sketch import make_sketch
from bearometer.window import Bucket, Window, floor_minute, name_buckets, sum_buckets
from storage.chunks import chunks
from storage.posts import PostStore
from storage.redis_errors import connect_redis, lost, translated_errors, where
from storage.stories import StoryStore

__all__ = ["WindowStore"]

MINUTE = timedelta(minutes=1)
ENTRIES_PER_CALL = 1000
"""Redis serves nobody else while a script runs: this many take about 10 ms."""
BUCKETS_PER_READ = 500
SCRIPTS = Path(__file__).parent


class WindowStore:
    """The buckets that windows are summed from. Safe to share between threads.

    A post is counted in the bucket of each of its symbols, with the mention's sentiment, and in those of its topic
    (by `topic_key`, if the model knew topics) and of MARKET with its own; spam in none. Nothing is counted unless the
    marker says that Redis holds all that Postgres holds: after an empty start, or any restart of Redis, `add` and
    `window` raise WindowsLost until `rebuild` has run.

    A million posts of 1.25 symbols each take 250 to 400 MB when 20 to 400 come in a minute and 810 MB when nearly each
    has a minute of its own (`python -m benchmarks.windows`): authors and stories are kept by name, so that distinct
    counts are exact and add up. A quarter of that is for topics.

    Buckets that a version before stories and weights began are counted on: their fingerprints stand for stories, and
    their posts have no part in a weighted mean. So an upgrade needs no rebuild.

    The scripts take the keys of many symbols at once, so Redis Cluster is not supported. Redis must not evict keys
    (`check`); it must be 6.2 or newer.
    """

    def __init__(self, settings: RedisSettings, stories: StoryStore | None = None) -> None:
        """`stories` are what a rebuild restores with the windows, for one marker speaks of both; by default its own."""
        self._stories = stories or StoryStore(settings)
        self._ttl = timedelta(hours=settings.ttl_hours)
        self._prefix = settings.prefix
        self._redis = connect_redis(settings)
        self._add_posts = self._redis.register_script((SCRIPTS / "add_posts.lua").read_text("utf-8"))
        self._guard = self._redis.register_script((SCRIPTS / "guard.lua").read_text("utf-8"))

    def add(self, scored: Sequence[Scored]) -> int:
        """Count each post in its buckets, unless it was counted there before; gives the number of buckets changed.

        Spam changes nothing: it has no buckets (`name_buckets`). A changed bucket lives for `ttl_hours` from now; one
        that has expired begins anew with what is given here. So give all that `PostStore.save` gave: it leaves out
        what has rightly expired, and adds to a late post the rest of its minute.

        WindowsLost when the windows are not complete, Unavailable when Redis is away; some of the batch may be counted
        then, and the same call may simply be repeated.
        """
        return self._add(scored, self._key("complete"), "")

    def buckets(self, symbol: str, start: datetime, end: datetime) -> list[Bucket]:
        """The buckets of `symbol` with `start` <= minute < `end` that hold anything, oldest first.

        In place of a symbol may stand MARKET or a topic's key. WindowsLost when the windows are not complete before
        and after the reading.
        """
        self._require_complete()
        found: list[Bucket] = []
        with self._translated_errors():
            for minutes in chunks(_minutes(start, end), BUCKETS_PER_READ):
                with self._redis.pipeline(transaction=False) as pipeline:
                    for minute in minutes:
                        pipeline.hgetall(self._bucket_key(symbol, minute))
                    answers = pipeline.execute()
                found += [_bucket(symbol, m, fields) for m, fields in zip(minutes, answers, strict=True) if fields]
        self._require_complete()
        return found

    def window(self, symbol: str, length: timedelta, end: datetime) -> Window:
        """The sum of the buckets of the minutes that lie in the `length` before `end`; WindowsLost as `buckets`."""
        return sum_buckets(symbol, end - length, end, self.buckets(symbol, end - length, end))

    def symbols(self) -> dict[str, datetime]:
        """The symbols (and MARKET) that have buckets, each with its newest minute; the newest first."""
        return {name: minute for name, minute in self._newest().items() if topic_of(name) is None}

    def topics(self) -> dict[str, datetime]:
        """The topics that have buckets, each with its newest minute; the newest first."""
        return {topic: minute for name, minute in self._newest().items() if (topic := topic_of(name)) is not None}

    def _newest(self) -> dict[str, datetime]:
        self._require_complete()
        with self._translated_errors():
            rows: Any = self._redis.zrevrange(self._key("symbols"), 0, -1, withscores=True)
            newest = {name.decode(): datetime.fromtimestamp(int(score), UTC) for name, score in rows}
            with self._redis.pipeline(transaction=False) as pipeline:
                for symbol, minute in newest.items():
                    pipeline.exists(self._bucket_key(symbol, minute))
                alive = pipeline.execute()
        return {symbol: newest[symbol] for symbol, there in zip(newest, alive, strict=True) if there}

    def rebuild(self, posts: PostStore, clock: Clock, on_progress: Callable[[int], None] = lambda _: None) -> int:
        """Count again everything that Postgres got within `ttl_hours`, then set the marker; gives the posts read.

        The stories of these posts, spam's too, are known again before the marker is set, for it speaks of them as well.
        Only posts without a score stay unknown: a post that tells the same as one of them begins a new story.

        Safe at any time, by any number of processes, beside running stream workers:

        - One at a time: a lock in Postgres. A process that found the marker missing and, once it has the lock, finds
          it set, has nothing left to do and gets 0.
        - Counting a post twice changes nothing, so what is there already may stay.
        - No post is missed. A worker first commits a post to Postgres, then adds it here. If the commit came before
          the reading began, the reading finds the post. If it came later, the worker's `add` comes later still:
          either after the marker, and it counts; or before, and it raises WindowsLost, after which the worker waits
          for this lock and adds the batch again. A worker that dies in between left the batch's offsets
          uncommitted, so another gets the batch, and `save` gives it the posts as stored, to be added.
        - If Redis is emptied or restarted meanwhile, the rebuild's own guard is gone or of another run: WindowsLost,
          and no marker.

        `on_progress` is told the number of posts read so far.
        """
        was_lost = not self._is_complete()
        token = f":{uuid.uuid4().hex}"
        count = 0
        with posts.rebuilding():
            if was_lost and self._is_complete():
                return 0
            guard = self._key("rebuilding")
            self._call_guard([guard], "begin", token, _milliseconds(self._ttl))
            for scored in posts.stored_since(clock.now() - self._ttl):
                self._add(scored, guard, token)
                # In order of time: posts of one slot are told of in one call.
                told = sorted((one for one in scored if one.story), key=lambda one: one.post.published_at)
                self._stories.remember(((make_sketch(one.post), one.story) for one in told), guard, token)
                count += len(scored)
                on_progress(count)
            if not self._call_guard([self._key("complete"), guard], "finish", token):
                message = "Redis was emptied or restarted during the rebuild; rebuild again"
                raise WindowsLost(message)
        return count

    def check(self) -> None:
        """Return if Redis answers and keeps what it is given; Unavailable or Misconfigured, in one line, if not."""
        with self._translated_errors():
            server: dict[str, Any] = self._redis.info("server")
            memory: dict[str, Any] = self._redis.info("memory")
        version = str(server.get("redis_version", "0"))
        if tuple(int(part) for part in version.split(".")[:2]) < (6, 2):
            message = f"Redis at {where(self._redis)} is version {version}; it must be 6.2 or newer"
            raise Misconfigured(message)
        policy = memory.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            message = (
                f"Redis at {where(self._redis)} has maxmemory-policy {policy} and would lose counts silently; "
                "it must be noeviction"
            )
            raise Misconfigured(message)

    def _add(self, scored: Sequence[Scored], guard: str, token: str) -> int:
        changed: set[str] = set()
        entries = [entry for one in scored for entry in self._entries(one)]
        with self._translated_errors():
            # Without posts the guard is still looked at: a worker learns of the loss at once.
            for chunk in chunks(entries, ENTRIES_PER_CALL) if entries else [[]]:
                keys = [key for key, _ in chunk]
                arguments: list[Any] = [token, _milliseconds(self._ttl)]
                for _, values in chunk:
                    arguments += values
                added = self._add_posts(keys=[guard, self._key("symbols"), *keys], args=arguments)
                changed.update(keys[position - 1] for position in added)
        return len(changed)

    def _entries(self, scored: Scored) -> Iterator[tuple[str, tuple[Any, ...]]]:
        seen = b"p" + hashlib.blake2b(scored.post.id.encode("utf-8", "replace"), digest_size=10).digest()
        for name, sentiment in name_buckets(scored):
            yield self._entry(Bucket.of(name, scored, sentiment), seen, sentiment.label)

    def _entry(self, bucket: Bucket, seen: bytes, label: Label) -> tuple[str, tuple[Any, ...]]:
        """The key and the values that storage/add_posts.lua takes for a bucket that holds one post."""
        [author], [story] = bucket.authors, bucket.stories
        values = (
            bucket.symbol,
            int(bucket.minute.timestamp()),
            seen,
            label,
            bucket.score_micros,
            bucket.weight_millis,
            bucket.weighted_score_micros,
            b"a" + author.encode("utf-8", "replace"),
            b"f" + story.encode("utf-8", "replace"),
        )
        return self._bucket_key(bucket.symbol, bucket.minute), values

    def _is_complete(self) -> bool:
        return self._call_guard([self._key("complete")], "check", "")

    def _require_complete(self) -> None:
        if not self._is_complete():
            raise lost(self._redis)

    def _call_guard(self, keys: list[str], *arguments: str | int) -> bool:
        with self._translated_errors():
            return bool(self._guard(keys=keys, args=list(arguments)))

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    def _bucket_key(self, symbol: str, minute: datetime) -> str:
        return f"{self._prefix}:bucket:{symbol}:{int(minute.timestamp()) // 60}"

    def _translated_errors(self) -> AbstractContextManager[None]:
        return translated_errors(self._redis)


def _bucket(symbol: str, minute: datetime, fields: dict[bytes, bytes]) -> Bucket:
    return Bucket(
        symbol=symbol,
        minute=minute,
        negative=int(fields.get(b"negative", 0)),
        neutral=int(fields.get(b"neutral", 0)),
        positive=int(fields.get(b"positive", 0)),
        score_micros=int(fields.get(b"score", 0)),
        weight_millis=int(fields.get(b"weight", 0)),
        weighted_score_micros=int(fields.get(b"weighted", 0)),
        authors=frozenset(name[1:].decode() for name in fields if name[:1] == b"a"),
        stories=frozenset(name[1:].decode() for name in fields if name[:1] == b"f"),
    )


def _minutes(start: datetime, end: datetime) -> list[datetime]:
    """The minutes with `start` <= minute < `end`."""
    first = floor_minute(start)
    if first < start:
        first += MINUTE
    return [first + n * MINUTE for n in range(max(0, -((first - end) // MINUTE)))]


def _milliseconds(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)
