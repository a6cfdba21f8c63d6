"""How often chance alone lifts a window to what was seen: rates of bursts, as logarithms.

Windows slide, so a burst is looked at again and again; what costs is that one begins. Arrivals lift a window from k-1
to k posts mean · P(X = k-1) = k · P(X = k) times per window length, but a burst has many of these: while posts leave
the window it falls back, and the next one lifts it again. The part 1 - mean / k of them is the last one of its burst
(Alm 1983, for scan statistics of the Poisson; in Aldous 1989 it is the clump's size), which leaves (k - mean) · P(X =
k). At u standard deviations above the mean of a distribution near the normal this is u · phi(u), the rate of bursts of
a sliding sum whatever makes it spread, so the negative binomial's P is put in as well. No height may come more often
than a lower one, and u · phi(u) is greatest at u = 1, so k - mean counts as at least one standard deviation.

A window is looked at only once a bin, though, so there are at most J · P(X >= k) bursts in a window of J bins; past the
mean, P(X >= k) <= P(X = k) / (1 - ratio) with the largest ratio of P(X = j+1) to P(X = j) from k on: the one at k, or
where the spread is above 1 the limit. The smaller of the two is taken.
"""

from math import lgamma, log, sqrt

__all__ = ["BINS_A_WEEK", "count_crossings", "count_high", "share_crossings"]

BINS_A_WEEK = 2016
CLOSEST = 0.001
"""The ratio stays this far from 1."""
HIGH = 2.326347874
"""The standard normal's quantile of 99%."""


def count_crossings(seen: float, mean: float, spread: float, bins: int) -> float:
    """Logarithm of how often a week a window of so many bins reaches `seen`, which is above the mean.

    The count is negative binomial with variance mean + spread · mean². `seen` may be no whole number.
    """
    shape = 1 / spread
    total = mean + shape
    logarithm = (
        lgamma(seen + shape) - lgamma(shape) - lgamma(seen + 1) + seen * log(mean / total) + shape * log(shape / total)
    )
    ratio = min(1 - CLOSEST, max(1.0, (seen + shape) / (seen + 1)) * mean / total)
    above = min(seen, max(seen - mean, sqrt(mean * (1 + spread * mean))))
    return logarithm + log(min(above, bins / (1 - ratio)) * BINS_A_WEEK / bins)


def share_crossings(
    negative: float, posts: float, share: float, spread: float, bins: int, posts_a_week: float
) -> float:
    """The same for `negative` of `posts`, more than the share makes us expect.

    The negative ones are Beta-binomial, the Beta having the mean `share` and the variance spread · share · (1 - share).
    Each post brings one look, and a look reaches as much by chance with probability P(X >= negative) at the most: where
    few `posts_a_week` come, that is less than what windows full of posts all week would bring. Who is hardly spoken of
    may be of a sudden, so there are taken to be as many looks a week as there are other posts in the window.
    """
    strength = 1 / spread - 1
    a, b = share * strength, (1 - share) * strength
    rest = posts - negative
    logarithm = (
        lgamma(posts + 1)
        - lgamma(negative + 1)
        - lgamma(rest + 1)
        + lgamma(negative + a)
        + lgamma(rest + b)
        - lgamma(posts + strength)
        + lgamma(strength)
        - lgamma(a)
        - lgamma(b)
    )
    ratio = 0.0 if rest <= 0 else rest * (negative + a) / ((negative + 1) * (rest - 1 + b))
    ratio = min(1 - CLOSEST, ratio)
    looks = max(posts_a_week, posts - 1)
    return logarithm + log(min(min(negative, bins / (1 - ratio)) * BINS_A_WEEK / bins, looks / (1 - ratio)))


def count_high(mean: float, spread: float) -> float:
    """What a count exceeds once in a hundred windows: Wilson and Hilferty's cube (1931), on a Gamma of its moments."""
    return mean * _cube(mean / (1 + spread * mean))


def _cube(shape: float) -> float:
    return max(0.0, 1 - 1 / (9 * shape) + HIGH / (3 * sqrt(shape))) ** 3
