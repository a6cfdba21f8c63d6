"""Distinct counting: an author speaks once, a text is said once.

Of each author the earliest post inside the interval counts (of two at the same moment the one with the smaller
key), and of those posts the different texts are counted. The order in which posts become known does not matter.
"""

import heapq
from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import NamedTuple

from bearometer.mention import NegativeMention

__all__ = ["DistinctWindow", "Entry", "PeriodEntries", "count_distinct", "entry_of"]


class Entry(NamedTuple):
    """A negative mention in numbers: 32 bytes in an array instead of a kilobyte of objects."""

    at: int
    """Microseconds since 1970."""
    post: int
    author: int
    text: int


def entry_of(mention: NegativeMention, at: int) -> Entry:
    """The mention in numbers; a post without an author is an author of its own. The same in every process."""
    post = _key(f"post {mention.post_id}")
    author = post if mention.author is None else _key(f"author {mention.author}")
    return Entry(at, post, author, _key(f"text {mention.fingerprint}"))


def _key(name: str) -> int:
    # Python's own hash differs between processes; a collision of two of these is less likely than a broken disk.
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)


class DistinctWindow:
    """The entries of a sliding window, in any order, and their distinct count at a small constant cost per entry."""

    def __init__(self) -> None:
        self._by_time: list[Entry] = []
        self._by_author: dict[int, list[Entry]] = {}
        self._texts: dict[int, int] = {}

    @property
    def count(self) -> int:
        """Distinct texts among the authors' first posts."""
        return len(self._texts)

    @property
    def authors(self) -> int:
        """Distinct authors."""
        return len(self._by_author)

    @property
    def oldest(self) -> int | None:
        """When the first entry to leave was published."""
        return self._by_time[0].at if self._by_time else None

    @property
    def may_rise(self) -> bool:
        """Whether the count can rise by entries leaving: an author's next post then becomes the first."""
        return len(self._by_time) > len(self._by_author)

    def add(self, entry: Entry) -> None:
        """Take an entry in; one that is already there changes nothing."""
        posts = self._by_author.setdefault(entry.author, [])
        place = bisect_left(posts, entry)
        if place < len(posts) and posts[place] == entry:
            return
        if posts and place == 0:
            self._drop_text(posts[0].text)
        posts.insert(place, entry)
        if place == 0:
            self._count_text(entry.text)
        heapq.heappush(self._by_time, entry)

    def expire(self, until: int) -> None:
        """Let go of all entries published at or before `until`."""
        while self._by_time and self._by_time[0].at <= until:
            entry = heapq.heappop(self._by_time)
            posts = self._by_author[entry.author]
            posts.pop(0)
            self._drop_text(entry.text)
            if posts:
                self._count_text(posts[0].text)
            else:
                del self._by_author[entry.author]

    def _count_text(self, text: int) -> None:
        self._texts[text] = self._texts.get(text, 0) + 1

    def _drop_text(self, text: int) -> None:
        if self._texts[text] == 1:
            del self._texts[text]
        else:
            self._texts[text] -= 1


class PeriodEntries:
    """All entries of one period of the past, small, so that a late one can still find its place."""

    __slots__ = ("_count", "_numbers")

    def __init__(self) -> None:
        self._numbers = array("q")
        self._count: int | None = 0

    def add(self, entry: Entry) -> None:
        """Take an entry in; one that is already there does not change the count."""
        self._numbers.extend(entry)
        self._count = None

    @property
    def count(self) -> int:
        """Distinct count of the whole period; computed once until something is added."""
        if self._count is None:
            self._count = self.count_between(-(2**63), 2**63)
        return self._count

    def entries(self, after: int, until: int) -> list[Entry]:
        """Those published in (after, until]."""
        numbers = iter(self._numbers)
        return [e for e in map(Entry._make, zip(*[numbers] * 4, strict=True)) if after < e.at <= until]

    def count_between(self, after: int, until: int) -> int:
        """Distinct count of those published in (after, until]."""
        return count_distinct(self.entries(after, until))


def count_distinct(entries: list[Entry]) -> int:
    """The same count as `DistinctWindow`'s, from scratch."""
    first: dict[int, Entry] = {}
    for entry in entries:
        if entry.author not in first or entry < first[entry.author]:
            first[entry.author] = entry
    return len({entry.text for entry in first.values()})
