"""From what the detector finds to what a rule says of it: is it over the threshold, is it quiet again?"""

import math
from collections.abc import Callable
from datetime import timedelta

from alerts.bins import moment
from alerts.detector import Finding, InWindow
from alerts.rules import SCALES, Rule
from alerts.spike import Look
from alerts.watched import Seen
from bearometer.alert import Measure, Spike

__all__ = ["CLEAREST_PER_YEAR", "is_strange", "judge", "scales_of"]

YEAR = timedelta(days=365.25)
CLEAREST_PER_YEAR = 50.0
"""An alert may clear at the latest when what is seen comes about once a week anyway."""


def scales_of(rule: Rule) -> tuple[str, ...]:
    """The scales at which the detector must look for this rule, the shortest first.

    A rule with an explicit threshold for a number of posts needs only its longest: no shorter window holds more.
    """
    scales = tuple(scale for scale in SCALES if scale in rule.scales)
    return scales if rule.at_least is None or rule.measure is Measure.SHARE else scales[-1:]


def is_strange(rule: Rule, finding: Finding, budget: float) -> bool:
    """Whether what was found is over the rule's threshold, however few said it."""
    if rule.at_least is not None:
        return any(_is_high(rule, window) for window in finding.windows)
    return finding.per_year <= budget and finding.windows[0].surprise > 0


def judge(
    symbol: str, rule: Rule, finding: Finding, seen_in: Callable[[int], Seen], *, budget: float, end: int, warm: bool
) -> Look:
    """The look at what was found at the end of the bin before `end`; `seen_in` says what was in so many bins before.

    `budget` is how many alerts a year the rule may raise by chance for this symbol. A look that is not `warm` (too
    little of the past is known) is never over.

    The spike is that of the strangest window which is news by itself and has as many posts, authors and sources as the
    rule asks for: a burst may be strangest in its first five minutes, when three have spoken. Where no window is and
    has, it is never over.

    Of the spike, `expected` is always a number of posts (of a share, its part of the posts that were seen; of the
    volume, all posts), and `p_value` the probability that at least one burst as strange as this one begins in a
    window of this length: 1 - exp(-per_year · window / year), bursts by chance being rare and apart from each other.
    """
    is_volume = rule.measure is Measure.VOLUME
    enough = False
    for window in finding.windows:
        seen = seen_in(SCALES[window.scale])
        if _is_high(rule, window) and _is_enough(rule, seen):
            enough = True
            break
    else:
        window = finding.strangest
        seen = seen_in(SCALES[window.scale])
    start = moment(end - SCALES[window.scale])
    spike = Spike(
        symbol=symbol,
        start=start,
        end=moment(end),
        negative=seen.negative,
        expected=window.expected * (window.of or 0) if rule.measure is Measure.SHARE else window.expected,
        p_value=-math.expm1(-finding.per_year * ((moment(end) - start) / YEAR)),
        authors=seen.authors if is_volume else seen.negative_authors,
        measure=rule.measure,
        posts=seen.posts,
        per_year=finding.per_year,
    )
    strange = is_strange(rule, finding, budget)
    if rule.at_least is not None:
        quiet = not (strange and enough)
    else:
        quiet = finding.per_year > max(budget, min(budget * rule.clear_factor, CLEAREST_PER_YEAR))
    return Look(spike=spike, over=warm and enough and strange, quiet=quiet)


def _is_high(rule: Rule, window: InWindow) -> bool:
    return window.seen >= rule.at_least if rule.at_least is not None else window.surprise > 0


def _is_enough(rule: Rule, seen: Seen) -> bool:
    if rule.measure is Measure.VOLUME:
        posts, authors, sources = seen.posts, seen.authors, seen.sources
    else:
        posts, authors, sources = seen.negative, seen.negative_authors, seen.negative_sources
    return posts >= rule.min_posts and authors >= rule.min_authors and sources >= rule.min_sources
