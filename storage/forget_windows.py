"""Take the buckets that tell of somebody out of Redis, to be counted again from what Postgres has left."""

import hashlib
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from bearometer.settings import RedisSettings
from storage.forget_stories import ForgettingStoryStore, escape_pattern
from storage.windows import WindowStore

__all__ = ["ForgettingWindowStore", "Telling"]

KEYS_PER_SCAN = 1000


class Telling(NamedTuple):
    """How much of Redis tells of somebody."""

    buckets: int
    stories: int


class ForgettingWindowStore(WindowStore):
    """The windows, with a way to look for an author or a post in all buckets, whatever Postgres knows of them.

    And in all stories, which have the marker in common with them.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._forgetting_stories = ForgettingStoryStore(settings)
        super().__init__(settings, self._forgetting_stories)

    def count_telling(self, authors: Collection[str], post_ids: Collection[str]) -> Telling:
        """How many buckets hold any of these authors' names or have counted any of these posts; and how many stories.

        Looks at every one.
        """
        buckets = sum(tells for _, tells in self._look(authors, post_ids))
        return Telling(buckets, self._forgetting_stories.count_telling(authors, post_ids))

    def remove_telling(self, authors: Collection[str], post_ids: Collection[str]) -> Telling:
        """Remove those buckets and, if any tells, all stories; gives how many told.

        Where there are any, nobody can read, count or place until a `rebuild`. To be called in `PostStore.rebuilding`:
        a rebuild at the same time would count again what is to be forgotten. The marker goes first, so that a process
        that dies in here leaves windows that whoever comes next rebuilds.
        """
        telling = self.count_telling(authors, post_ids)
        if telling == (0, 0):
            return telling
        with self._translated_errors():
            self._redis.delete(self._key("complete"))
        if telling.stories:
            # What was placed since they were counted goes with them.
            self._forgetting_stories.remove_all()
        return telling._replace(buckets=self._remove_buckets(authors, post_ids))

    def _remove_buckets(self, authors: Collection[str], post_ids: Collection[str]) -> int:
        removed = 0
        gone: set[str] = set()
        newest: dict[str, int] = {}
        for key, tells in self._look(authors, post_ids):
            name, minute = self._name_and_minute(key)
            if tells:
                with self._translated_errors():
                    self._redis.unlink(key)
                removed += 1
                gone.add(name)
            else:
                newest[name] = max(minute, newest.get(name, minute))
        with self._translated_errors():
            # The newest minutes must not point at what is gone: a rebuild only ever moves them on.
            for name in gone:
                if name in newest:
                    self._redis.zadd(self._key("symbols"), {name: newest[name] * 60}, xx=True)
                else:
                    self._redis.zrem(self._key("symbols"), name)
        return removed

    def _look(self, authors: Collection[str], post_ids: Collection[str]) -> Iterator[tuple[str, bool]]:
        """Every bucket's key, once, and whether it tells of them."""
        # The fields that storage/add_posts.lua speaks of.
        fields = [b"a" + author.encode("utf-8", "replace") for author in authors]
        fields += [b"p" + hashlib.blake2b(id_.encode("utf-8", "replace"), digest_size=10).digest() for id_ in post_ids]
        pattern = f"{escape_pattern(self._key('bucket:'))}*"
        seen: set[str] = set()
        cursor: Any = None
        while cursor != 0:
            with self._translated_errors():
                found: Any
                cursor, found = self._redis.scan(cursor or 0, match=pattern, count=KEYS_PER_SCAN)
                # A name that is no UTF-8 has no bucket: they are made of text.
                keys = [key for key in map(bytes.decode, found) if key not in seen]
                with self._redis.pipeline(transaction=False) as pipeline:
                    for key in keys:
                        pipeline.hmget(key, fields)
                    answers: list[Any] = pipeline.execute() if fields else [[]] * len(keys)
            seen.update(keys)
            for key, values in zip(keys, answers, strict=True):
                yield key, any(value is not None for value in values)

    def _name_and_minute(self, key: str) -> tuple[str, int]:
        name, _, minute = key.removeprefix(self._key("bucket:")).rpartition(":")
        return name, int(minute)
