"""The in-memory twin of storage/windows.py, for tests that need no Redis: the same contract, run by the same tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bearometer.clock import Clock
from bearometer.errors import WindowsLost
from bearometer.mention import Scored
from bearometer.post import topic_of
from bearometer.sketch import make_sketch
from bearometer.window import Bucket, Window, name_buckets, sum_buckets
from storage.memory_stories import MemoryStoryStore
from storage.posts import PostStore

__all__ = ["MemoryWindowStore"]


@dataclass
class _Counted:
    bucket: Bucket
    posts: set[str] = field(default_factory=set)


class MemoryWindowStore:
    """As WindowStore; it forgets when told to (`lose`), never by time, and begins complete. One thread only."""

    def __init__(self, stories: MemoryStoryStore | None = None) -> None:
        """`stories` are lost with the windows and restored with them, as those in one Redis are."""
        self._stories = stories or MemoryStoryStore()
        self._buckets: dict[tuple[str, datetime], _Counted] = {}
        self._complete = True

    def lose(self) -> None:
        """Be as Redis is after a restart."""
        self._stories.lose()
        self._buckets.clear()
        self._complete = False

    def add(self, scored: Sequence[Scored]) -> int:
        """Count each post in its buckets, unless it was counted there before; gives the number of buckets changed.

        Spam has no buckets.
        """
        self._require_complete()
        return self._add(scored)

    def buckets(self, symbol: str, start: datetime, end: datetime) -> list[Bucket]:
        """The buckets of `symbol` with `start` <= minute < `end` that hold anything, oldest first."""
        self._require_complete()
        found = [c.bucket for (name, minute), c in self._buckets.items() if name == symbol and start <= minute < end]
        return sorted(found, key=lambda bucket: bucket.minute)

    def window(self, symbol: str, length: timedelta, end: datetime) -> Window:
        """The sum of the buckets of the minutes that lie in the `length` before `end`."""
        return sum_buckets(symbol, end - length, end, self.buckets(symbol, end - length, end))

    def symbols(self) -> dict[str, datetime]:
        """The symbols (and MARKET) that have buckets, each with its newest minute; the newest first."""
        return {name: minute for name, minute in self._newest().items() if topic_of(name) is None}

    def topics(self) -> dict[str, datetime]:
        """The topics that have buckets, each with its newest minute; the newest first."""
        return {topic: minute for name, minute in self._newest().items() if (topic := topic_of(name)) is not None}

    def _newest(self) -> dict[str, datetime]:
        self._require_complete()
        newest: dict[str, datetime] = {}
        for symbol, minute in sorted(self._buckets, key=lambda key: (key[1], key[0])):
            newest[symbol] = minute
        return dict(sorted(newest.items(), key=lambda item: (item[1], item[0]), reverse=True))

    def rebuild(self, posts: PostStore, clock: Clock, on_progress: Callable[[int], None] = lambda _: None) -> int:
        """Count again everything stored in the 50 hours before the clock's time; gives the posts read."""
        count = 0
        for scored in posts.stored_since(clock.now() - timedelta(hours=50)):
            self._add(scored)
            self._stories.remember((make_sketch(one.post), one.story) for one in scored if one.story)
            count += len(scored)
            on_progress(count)
        self._stories.restore()
        self._complete = True
        return count

    def check(self) -> None:
        """Nothing can be wrong with it."""

    def _require_complete(self) -> None:
        if not self._complete:
            message = "the windows are not complete: rebuild them"
            raise WindowsLost(message)

    def _add(self, scored: Sequence[Scored]) -> int:
        changed = set()
        for one in scored:
            for name, sentiment in name_buckets(one):
                new = Bucket.of(name, one, sentiment)
                key = (new.symbol, new.minute)
                counted = self._buckets.setdefault(key, _Counted(Bucket(*key)))
                if one.post.id not in counted.posts:
                    counted.posts.add(one.post.id)
                    counted.bucket = _sum(counted.bucket, new)
                    changed.add(key)
        return len(changed)


def _sum(a: Bucket, b: Bucket) -> Bucket:
    return replace(
        a,
        negative=a.negative + b.negative,
        neutral=a.neutral + b.neutral,
        positive=a.positive + b.positive,
        score_micros=a.score_micros + b.score_micros,
        weight_millis=a.weight_millis + b.weight_millis,
        weighted_score_micros=a.weighted_score_micros + b.weighted_score_micros,
        authors=a.authors | b.authors,
        stories=a.stories | b.stories,
    )
