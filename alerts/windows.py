"""Sums over the last bins, for several lengths of window at once."""

from collections import deque
from collections.abc import Sequence

__all__ = ["Windows"]


class Windows:
    """Counts of negative mentions and of all, in the last so many bins; bins without any cost nothing.

    `negative` and `posts` hold a sum for each length.
    """

    __slots__ = ("_lengths", "_now", "_parts", "negative", "posts")

    def __init__(self, lengths: Sequence[int], now: int) -> None:
        """`lengths` are in bins, ascending; `now` is the last bin of the windows, for a start."""
        self._lengths = tuple(lengths)
        self._parts: tuple[deque[list[float]], ...] = tuple(deque() for _ in lengths)
        """By length, the bins that have something: [bin, negative, posts], the same list in all of them."""
        self._now = now
        self.negative: list[float] = [0.0] * len(self._lengths)
        self.posts: list[float] = [0.0] * len(self._lengths)

    @property
    def is_empty(self) -> bool:
        """Whether even the longest window holds nothing."""
        return not self._parts[-1]

    def has(self, bin: int) -> bool:
        """Whether the last bin that has something is this one."""
        return bool(self._parts[-1]) and self._parts[-1][-1][0] == bin

    def add(self, bin: int, negative: float, posts: float) -> None:
        """So many more in this bin, which is not after the windows' last one; one before all windows is let go."""
        age = self._now - bin
        if age >= self._lengths[-1] or not (negative or posts):
            return
        longest = self._parts[-1]
        found = next((entry for entry in reversed(longest) if entry[0] <= bin), None)
        is_new = found is None or found[0] != bin
        entry = [float(bin), 0.0, 0.0] if found is None or is_new else found
        for place, length in enumerate(self._lengths):
            if age < length:
                if is_new:
                    _insert(self._parts[place], entry)
                self.negative[place] += negative
                self.posts[place] += posts
        entry[1] += negative
        entry[2] += posts

    def slide(self, now: int) -> None:
        """The windows end with this bin, which is not before the one they ended with."""
        self._now = now
        for place, part in enumerate(self._parts):
            oldest = now - self._lengths[place]
            while part and part[0][0] <= oldest:
                _, negative, posts = part.popleft()
                self.negative[place] -= negative
                self.posts[place] -= posts
            if not part:
                self.negative[place] = self.posts[place] = 0.0  # what no whole numbers would leave of their sums

    def last(self, place: int, is_negative: bool) -> list[tuple[int, float]]:
        """The bins of one length that have something, and how much: negative mentions, or all."""
        return [(int(bin), negative if is_negative else posts) for bin, negative, posts in self._parts[place]]


def _insert(part: deque[list[float]], entry: list[float]) -> None:
    place = len(part)
    while place and part[place - 1][0] > entry[0]:
        place -= 1
    part.insert(place, entry)
