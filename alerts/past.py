"""What a symbol's past makes us expect of its next window, learned hour by hour, one estimate per length of window.

Level and spread are exponentially weighted and robust: each window teaches at most CLIP standard deviations above or
below what was expected of it (Huber's Proposal 2, as a recursion: Gelper, Fried and Croux 2010). So a burst is
remembered as a bad hour and not as the new normal, and the clipping of ordinary windows is made good in the spread. A
day that is still high after three days of that is the new normal, and teaches in full.
"""

import math
from dataclasses import dataclass

from alerts.surprise import BINS_A_WEEK

__all__ = ["DEFAULT_PRIOR", "LENGTHS", "CountPast", "Prior", "SharePast"]

LENGTHS = (1, 12, 72, 288)
"""Bins in a window, the shortest first."""
HALF_LIFE = 2 * BINS_A_WEEK
KEPT: float = 0.5 ** (1 / HALF_LIFE)
"""What is left of the past's weight after a bin."""
CLIP = 1.5
_INSIDE = math.erf(CLIP / math.sqrt(2))
UNCLIP = 1 / (_INSIDE - 2 * CLIP * math.exp(-CLIP * CLIP / 2) / math.sqrt(2 * math.pi) + CLIP * CLIP * (1 - _INSIDE))
"""By how much clipping makes the variance of a normal variable smaller."""
LEAST_CLIP = 1.0
"""So many above the mean are never clipped: of a sparse symbol every single post is above it."""
FIRST_DAY = 288
"""Bins whose windows teach in full: nothing is known yet that would tell a burst from a busy symbol."""
PRIOR_SPREAD = 0.3
"""Relative variance of the rate from window to window: 0.3 to 0.5 for days of the StockNet tweets of 2015q4 without the
real bursts."""
LEAST_SPREAD = 0.00001
DOUBT = 5.0
"""The prior of the rate gives way: after so many posts it weighs half. Symbols differ by orders of magnitude."""
SHARE_PRIOR_SPREAD = 0.005
SHARE_LEAST_SPREAD = 0.00001
SHARE_WEIGHT = 200.0
"""How many pairs of posts in windows the prior of the share's spread weighs."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is expected of a symbol before anything is known of it."""

    negative_per_day: float = 0.15
    """Mean over the symbols of the StockNet tweets of 2015q4, with an earlier classifier; today's finds 0.18."""
    posts_per_day: float = 1.5
    """The same of all posts."""
    shape: float = 0.25
    """Of the Gamma that the rates are drawn from: the smaller, the more do symbols differ."""
    share_weight: float = 50.0
    """Posts that the prior's share weighs: shares differ from symbol to symbol by as much there."""


DEFAULT_PRIOR = Prior()


def _gathered(kept: float) -> float:
    """The weight of the bins after which `kept` is left of what was before them."""
    gathered: float = (1 - kept) / (1 - KEPT)
    return gathered


class CountPast:
    """The level and the spread of one length of window."""

    __slots__ = ("_bins", "_count", "_deviations", "_prior", "_shape", "_weights", "bins", "flat", "spread")

    def __init__(self, bins: int, per_day: float, shape: float) -> None:
        """`per_day` and `shape` are the mean and the shape of the Gamma that the rate is drawn from."""
        self.bins = bins
        self._shape = shape
        self._prior = shape / per_day * FIRST_DAY
        """Bins that the prior weighs."""
        self._bins = self._count = self._weights = self._deviations = 0.0
        self.flat = 0.0
        """The mean of a window, whatever the hour."""
        self.spread = 0.0
        """The relative variance of the next window's rate: the windows' own, and our doubt of the level."""
        self._learn()

    def teach(self, seen: float, factor: float, kept: float, *, in_full: bool = False) -> tuple[float, bool]:
        """A window had `seen` in an hour of this factor, and `kept` is left of what was known before.

        What of it has taught, and whether more was seen than that.
        """
        mean = self.flat * factor
        learned = seen
        early = self._bins < FIRST_DAY
        if not early and not in_full:
            reach = CLIP * math.sqrt(mean + self.spread * mean * mean)
            learned = min(max(seen, mean - reach), mean + max(reach, LEAST_CLIP))
        weight = _gathered(kept)
        self._bins = self._bins * kept + weight
        self._count = self._count * kept + weight * learned / factor / self.bins
        if not early:
            # What a window says of the spread: little when it has few posts.
            known = mean / (mean + 1)
            weight *= known * known * mean / (1 + mean * self.spread)
            deviation = (UNCLIP * (learned - mean) ** 2 - mean) / (mean * mean)
            self._weights = self._weights * kept + weight
            self._deviations = self._deviations * kept + weight * deviation
        self._learn()
        return learned, seen > learned

    def _learn(self) -> None:
        prior = self._prior / (1 + self._count / DOUBT)
        counted = self._shape + self._count
        self.flat = self.bins * counted / (prior + self._bins)
        own = (self.bins * PRIOR_SPREAD + self._deviations) / (self.bins + self._weights)
        self.spread = (1 + max(LEAST_SPREAD, own)) * (1 + 1 / counted) - 1


class SharePast:
    """The negative share in one length of window, and how much it differs from one to the next."""

    __slots__ = (
        "_bins",
        "_deviations",
        "_negative",
        "_pairs",
        "_posts",
        "_prior",
        "_shape",
        "_unknown",
        "_weight",
        "bins",
        "per_week",
        "share",
        "spread",
    )

    def __init__(self, bins: int, prior: Prior) -> None:
        self.bins = bins
        self._prior, self._weight = prior.negative_per_day / prior.posts_per_day, prior.share_weight
        self._shape, self._unknown = prior.shape, prior.shape / prior.posts_per_day * FIRST_DAY
        self._bins = self._posts = self._negative = self._pairs = self._deviations = 0.0
        self.share = self._prior
        self.per_week = 0.0
        """How many posts come in a week."""
        self.spread = 0.0
        """The variance of the next window's share, relative to share · (1 - share)."""
        self._learn()

    def teach(self, negative: float, posts: float, kept: float, *, in_full: bool = False) -> None:
        """A window had so many `negative` of its `posts`, and `kept` is left of what was known before."""
        weight = _gathered(kept)
        early = self._bins < FIRST_DAY
        self._bins = self._bins * kept + weight
        self._pairs *= kept
        self._deviations *= kept
        learned = negative
        if posts > 0 and not early:
            even = posts * self.share * (1 - self.share)
            if not in_full:
                reach = CLIP * math.sqrt(even * (1 + (posts - 1) * self.spread))
                mean = posts * self.share
                learned = min(max(negative, mean - reach), mean + max(reach, LEAST_CLIP))
            if posts > 1:
                # Var = even · (1 + (posts - 1) · spread), so each window weighs as the square of what it can tell.
                pairs = weight / self.bins * (posts - 1) / (1 + (posts - 1) * self.spread)
                deviation = (UNCLIP * (learned - posts * self.share) ** 2 / even - 1) / (posts - 1)
                self._pairs += pairs
                self._deviations += pairs * deviation
        self._posts = self._posts * kept + weight / self.bins * posts
        self._negative = self._negative * kept + weight / self.bins * learned
        self._learn()

    def _learn(self) -> None:
        known = self._weight + self._posts
        self.share = min(0.99, max(0.001, (self._weight * self._prior + self._negative) / known))
        self.per_week = (self._shape + self._posts) / (self._unknown + self._bins) * BINS_A_WEEK
        own = (SHARE_WEIGHT * SHARE_PRIOR_SPREAD + self._deviations) / (SHARE_WEIGHT + self._pairs)
        own = min(0.5, max(SHARE_LEAST_SPREAD, own))
        self.spread = own + (1 - own) / (known + 1)
