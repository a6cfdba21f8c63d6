"""An alert in one line: who, how many, how many were expected, how rare that is, and why it is told now."""

from collections.abc import Sequence
from datetime import timedelta

from alerts.wording import count, expected_count, how_often, length_of_time, like_this, odds, percent
from bearometer.alert import Alert, Delivery, Measure, NotificationReason, Spike
from bearometer.post import MARKET, is_symbol
from bearometer.terminal import plain

__all__ = ["TEST_RULE", "by_authors", "expected", "headline", "name_of", "one_text", "rareness", "seen", "told_in_one"]

TEST_RULE = "test"
"""The rule of alerts that `bearometer alerts test` makes up: their messages say so."""

MAX_SYMBOL_CHARS = 20
MAX_TOPIC_CHARS = 60
MAX_PERSON_CHARS = 60
MAX_NAMES = 5
"""Companies named in the headline of a message that tells of many."""
MAX_OTHERS = 20
LEAST_COPIES = 3
LEAST_COPIED_SHARE = 1 / 3
"""From here on it is said that many of the posts are one text."""


def headline(delivery: Delivery) -> str:
    """The whole story in one line."""
    alert = delivery.alert
    told = f"{name_of(alert.symbol)}: {_story(alert, delivery.reason)}"
    told = told[:1].upper() + told[1:]
    if delivery.others:
        names = list(dict.fromkeys(name_of(each.symbol) for each in (alert, *delivery.others)))
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        told = f"{1 + len(delivery.others)} alerts at once, for {', '.join(names[:MAX_NAMES])}{more}. {told}"
    return f"This is a test, nothing has happened. {told}" if alert.rule == TEST_RULE else told


def told_in_one(others: Sequence[Alert]) -> tuple[str, ...]:
    """One line for each further alert of a message, twenty at most, and then how many more there are."""
    lines = [f"{name_of(each.symbol)}: {seen(each.peak)}; {rareness(each.peak)}" for each in others[:MAX_OTHERS]]
    return (*lines, *([f"and {len(others) - MAX_OTHERS} more"] if len(others) > MAX_OTHERS else []))


def name_of(symbol: str) -> str:
    """Who the alert is about: a symbol, `the market`, or a topic's key."""
    if symbol == MARKET:
        return "the market"
    return plain(symbol, MAX_SYMBOL_CHARS if is_symbol(symbol) else MAX_TOPIC_CHARS) or "(no symbol)"


def seen(spike: Spike) -> str:
    """What was seen, in how long, and what was expected."""
    length = length_of_time(spike.end - spike.start)
    if _is_share(spike):
        share = spike.negative / max(1, spike.posts or 0)
        return f"{percent(share)} of {count(spike.posts or 0, 'post')} negative in {length}, {expected(spike)} expected"
    if spike.measure is Measure.VOLUME and spike.posts is not None:
        posts = f"{count(spike.posts, 'post')} {by_authors(spike, spike.posts)}"
    else:
        posts = f"{count(spike.negative, 'negative post')} {by_authors(spike, spike.negative)}"
    return f"{posts} in {length}, {expected(spike)} expected"


def expected(spike: Spike) -> str:
    """What the past made us expect: a number of posts, or the negative share of those that were seen."""
    if _is_share(spike):
        return percent(min(1.0, max(0.0, spike.expected / max(1, spike.posts or 0))))
    return expected_count(spike.expected)


def by_authors(spike: Spike, posts: int) -> str:
    """Who said these posts: `by 14 authors`."""
    # Posts that say the same count once, and all who said it are authors: there can be more of these.
    authors = count(spike.authors, "author")
    return f"from {authors} with repeats" if spike.authors > posts else f"by {authors}"


def rareness(spike: Spike) -> str:
    """How rare that is: by bursts a year where that is known, else by the odds of this one window."""
    if spike.per_year is None:
        return f"odds {odds(spike.p_value)}"
    return f"{like_this(spike.end - spike.start)} {how_often(spike.per_year)}"


def one_text(alert: Alert) -> str:
    """Said plainly where many of the posts are one text, by how many; empty where they are not."""
    evidence = alert.evidence
    if evidence is None or not evidence.mentions:
        return ""
    copies = min(evidence.mentions, 1 + max((post.repeats for post in evidence.top_posts), default=0))
    if copies < LEAST_COPIES or copies < LEAST_COPIED_SHARE * evidence.mentions:
        return ""
    # Nobody counts who said the same; but where the busiest author has few posts, it cannot have been one.
    busiest = max((posts for _, posts in evidence.authors), default=copies)
    who = " by many accounts" if busiest * 4 <= copies else ""
    number = f"all {copies:,}" if copies == evidence.mentions else f"{copies:,} of {evidence.mentions:,}"
    return f"{number} are one text{who}"


def _story(alert: Alert, reason: NotificationReason) -> str:
    peak = alert.peak
    if reason is NotificationReason.RESOLVED:
        ended = alert.resolved_at or peak.end
        return f"over after {length_of_time(ended - alert.started_at)}; at its worst {seen(peak)}"
    if reason is NotificationReason.ACKNOWLEDGED:
        who = plain(alert.acknowledged.who, MAX_PERSON_CHARS) if alert.acknowledged else ""
        return f"acknowledged by {who or 'somebody'}; {seen(peak)}"
    copies = one_text(alert)
    told = f"{seen(peak)}; {rareness(peak)}{f'; {copies}' if copies else ''}"
    if reason is NotificationReason.ESCALATED:
        return f"much worse, {told}"
    if reason is NotificationReason.REPEATED:
        lasted = length_of_time(max((alert.told_at or peak.end) - alert.started_at, timedelta()))
        return f"still going on after {lasted}, and nobody has acknowledged it; at its worst {told}"
    return told


def _is_share(spike: Spike) -> bool:
    return spike.measure is Measure.SHARE and spike.posts is not None
