"""How much an author's word weighs where somebody asks for a mean that authors weigh in."""

import math

__all__ = ["MAX_WEIGHT", "author_weight"]

MAX_WEIGHT = 7.0
"""The weight of a million followers."""


def author_weight(followers: int | None) -> float:
    """1 + log10(1 + followers), from 1 (nobody follows, or nobody knows) to MAX_WEIGHT at a million followers.

    A logarithm, since follower counts span seven orders of magnitude: weighed one by one, a single large account would
    be the whole mean. Capped, since beyond a million most accounts are brands and broadcasters, which repeat news more
    than they make it.

    Never the default, and no part of any alert: followers can be bought, a post costs its author nothing more for
    them, and most sources do not give their number at all.
    """
    return min(MAX_WEIGHT, 1 + math.log10(1 + max(0, followers or 0)))
