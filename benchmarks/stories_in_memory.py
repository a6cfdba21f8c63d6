"""Stories as the stores find them, without the stores."""

from collections import defaultdict
from dataclasses import dataclass, field

from bearometer.post import Post
from bearometer.sketch import Comparison, Leader, Sketch, compare

__all__ = ["DAY", "Stories"]

DAY = 24 * 3600
"""Seconds."""


@dataclass
class Stories:
    """The leader rule in memory, without the caps of the stores: every post that shares a band is compared."""

    posts: list[Post] = field(default_factory=list)
    """First posts of stories, in order; the others are kept nowhere."""
    leaders: list[Leader] = field(default_factory=list)
    exact: dict[str, int] = field(default_factory=dict)
    band: dict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))
    looked: int = 0
    """Comparisons."""

    def place(self, post: Post, sketch: Sketch) -> tuple[int | None, int | None, Comparison | None]:
        """The story that the post joins, or else None, the nearest that it does not join, and how near."""
        leader = sketch.leader
        at = self.exact.get(sketch.fingerprint)
        if at is not None and abs(self.leaders[at].published_at - leader.published_at) <= DAY:
            return at, None, None
        near = {number for key in sketch.bands for number in self.band[key]}
        joined: tuple[float, int] | None = None
        nearest: tuple[float, int, Comparison] | None = None
        for number in sorted(near):
            other = self.leaders[number]
            if abs(other.published_at - leader.published_at) > DAY:
                continue
            self.looked += 1
            found = compare(other, leader)
            if found.is_same and (joined is None or found.resemblance > joined[0]):
                joined = found.resemblance, number
            elif not found.is_same:
                likeness = found.is_alike + found.resemblance
                if nearest is None or likeness > nearest[0]:
                    nearest = likeness, number, found
        if joined is not None:
            self.exact[sketch.fingerprint] = joined[1]
            return joined[1], None, compare(self.leaders[joined[1]], leader)
        number = len(self.leaders)
        self.leaders.append(leader)
        self.posts.append(post)
        self.exact[sketch.fingerprint] = number
        for key in sketch.bands:
            self.band[key].append(number)
        return None, nearest[1] if nearest else None, nearest[2] if nearest else None
