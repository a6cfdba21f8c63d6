"""What is said of one symbol as distinct counts per bin, a bin being five minutes of event time.

The counts must add up, so that the bins of an hour are the hour's count and those of a day the day's. So an author
speaks once a day and a story is told once a day:

    an author's first post of the author's day counts, unless another author's first post told the same story before,
    on the story's day

These days are of 24 hours and begin at a time of their own for each author and each story, by their hash: with one
midnight for all, everybody would begin to count again at once. Posts that speak badly and the others are counted
apart, so that who was neutral in the morning can speak badly in the afternoon. A window of 24 hours so holds an author
or a story at most twice, whatever a flood repeats, and mostly once.

A story lives for `stream.story_hours` around its first post; what tells the same later is another story, with days of
its own. So what goes on for days without an end counts once or twice a day, and at most three times in 24 hours.

The counts follow from the mentions that are known, in order of event time and, at the same moment, of the post's key;
the order in which they became known does not matter.
"""

from array import array
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from bearometer.mention import SeenMention

__all__ = [
    "BIN",
    "BINS_A_DAY",
    "LOOK_BACK",
    "TICK",
    "Count",
    "DistinctCounter",
    "Said",
    "Talk",
    "bin_of",
    "moment",
    "said_of",
]

BIN = 300_000_000
"""Microseconds."""
TICK = timedelta(microseconds=BIN)
BINS_A_DAY = 288
LOOK_BACK = 2 * BINS_A_DAY
"""A counter that has read the mentions of this many bins counts the next ones as if it had read all: whether a story
is new depends on a day, and whether its first author had spoken before on the day before."""

_DAY = BIN * BINS_A_DAY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Said(NamedTuple):
    """A mention in numbers: 40 bytes in an array instead of a kilobyte of objects."""

    at: int
    """Microseconds since 1970."""
    post: int
    author: int
    story: int
    source: int
    """An even number, or that number and one when the mention is negative."""

    @property
    def negative(self) -> bool:
        """Whether it speaks badly."""
        return bool(self.source & 1)


class Count(NamedTuple):
    """Distinct mentions in one bin."""

    bin: int
    negative: int
    posts: int
    """All of them, the negative ones too."""


def said_of(mention: SeenMention) -> Said:
    """The mention in numbers; a post without an author is an author of its own. The same in every process."""
    at = (mention.published_at - _EPOCH) // _MICROSECOND
    post = _key(f"post {mention.post_id}")
    author = post if mention.author is None else _key(f"author {mention.author}")
    source = (_key(f"source {mention.source}") & ~1) | mention.negative
    # Called a text, as it was before there were stories: an upgrade moves nobody's days.
    return Said(at, post, author, _key(f"text {mention.story}"), source)


def bin_of(at: datetime) -> int:
    """The bin that a moment lies in; bin b holds its beginning, 300·b seconds since 1970, and not its end."""
    return (at - _EPOCH) // _MICROSECOND // BIN


def moment(bin: int) -> datetime:
    """When the bin begins."""
    return _EPOCH + bin * BIN * _MICROSECOND


def _key(name: str) -> int:
    # Python's own hash differs between processes; a collision of two of these is less likely than a broken disk.
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)


class DistinctCounter:
    """Counts the mentions of one symbol that it is given in order, each once."""

    __slots__ = ("_spoken", "_told")

    def __init__(self) -> None:
        self._spoken: tuple[dict[int, int], dict[int, int]] = ({}, {})
        """Author to the last of its days that was counted; of posts that are not negative, and of those that are."""
        self._told: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def count(self, mentions: Iterable[Said]) -> list[Count]:
        """The bins in which something counts, ascending.

        `mentions` must be sorted and without repeats, and not before those of earlier calls.
        """
        counts: list[Count] = []
        bin = negatives = posts = 0
        today = 0
        for at, _, author, story, source in mentions:
            if at // _DAY != today:
                today = at // _DAY
                self.forget(at // BIN)
            negative = source & 1
            spoken, told = self._spoken[negative], self._told[negative]
            day = (at + author % _DAY) // _DAY
            if spoken.get(author) == day:
                continue
            spoken[author] = day
            day = (at + story % _DAY) // _DAY
            if told.get(story) == day:
                continue
            told[story] = day
            if at // BIN != bin:
                if posts:
                    counts.append(Count(bin, negatives, posts))
                bin, negatives, posts = at // BIN, 0, 0
            negatives += negative
            posts += 1
        if posts:
            counts.append(Count(bin, negatives, posts))
        return counts

    def forget(self, bin: int) -> None:
        """Let go of what cannot matter to mentions of this bin and later."""
        day = bin // BINS_A_DAY - 1
        for known in (*self._spoken, *self._told):
            for key in [key for key, last in known.items() if last < day]:
                del known[key]


class Talk:
    """All mentions of one symbol that are known, small, so that a late one can still find its place."""

    __slots__ = ("_days",)

    def __init__(self) -> None:
        self._days: dict[int, array[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._days)

    def add(self, said: Said) -> bool:
        """Take a mention in; whether it is the first that is known of its day (of UTC)."""
        day = said.at // _DAY
        known = self._days.get(day)
        if known is None:
            self._days[day] = array("q", said)
            return True
        known.extend(said)
        return False

    def between(self, start: int, end: int) -> Iterator[Said]:
        """The mentions of the bins `start` <= b < `end`, sorted, each once; no more than a day's at once in memory."""
        begin, until = start * BIN, end * BIN
        days = range(start // BINS_A_DAY, (end - 1) // BINS_A_DAY + 1)
        known = (day for day in days if day in self._days) if len(days) < len(self._days) else sorted(self._days)
        for day in known:
            if day in days:
                numbers = iter(self._days[day])
                each = map(Said._make, zip(*[numbers] * 5, strict=True))
                yield from sorted({said for said in each if begin <= said.at < until})

    def spoke(self, first_day: int, last_day: int) -> bool:
        """Whether anything was said on one of these days, both included."""
        return any(first_day <= day <= last_day for day in self._days)

    def forget(self, bin: int) -> None:
        """Let go of the days that are over before this bin."""
        for day in [day for day in self._days if day < bin // BINS_A_DAY]:
            del self._days[day]
