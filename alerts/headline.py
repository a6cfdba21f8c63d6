"""An alert in one line: who, how many, how many were expected, how rare that is, and why it is told now."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.wording import count, expected_count, how_often, length_of_time, like_this, odds, percent
from bearometer.alert import Alert, Delivery, Measure, NotificationReason, Spike
from bearometer.post import EVALUATION, MARKET, is_symbol, source_of
from bearometer.terminal import plain

__all__ = [
    "TEST_RULE",
    "by_authors",
    "expected",
    "headline",
    "name_of",
    "one_story",
    "problem",
    "rareness",
    "seen",
    "told_in_one",
]

TEST_RULE = "test"
"""The rule of alerts that `bearometer alerts test` makes up: their messages say so."""

MAX_SYMBOL_CHARS = 20
MAX_TOPIC_CHARS = 60
MAX_PERSON_CHARS = 60
MAX_PROBLEM_CHARS = 200
MAX_NAMES = 5
"""Companies named in the headline of a message that tells of many."""
MAX_OTHERS = 20
LEAST_COPIES = 3
LEAST_COPIED_SHARE = 1 / 3
"""From here on it is said that many of the posts tell one story."""


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
    lines = [f"{name_of(each.symbol)}: {_in_short(each)}" for each in others[:MAX_OTHERS]]
    return (*lines, *([f"and {len(others) - MAX_OTHERS} more"] if len(others) > MAX_OTHERS else []))


def name_of(symbol: str) -> str:
    """Who the alert is about: a symbol, `the market`, a topic's key, a source or `the evaluation`."""
    if symbol in (MARKET, EVALUATION):
        return "the market" if symbol == MARKET else "the evaluation"
    source = source_of(symbol)
    if source is not None:
        return f"source {plain(source, MAX_TOPIC_CHARS) or '(no name)'}"
    return plain(symbol, MAX_SYMBOL_CHARS if is_symbol(symbol) else MAX_TOPIC_CHARS) or "(no symbol)"


def seen(spike: Spike, until: datetime | None = None) -> str:
    """What was seen, in how long, and what was expected; of the supply of posts, what was missing for how long.

    The supply may have failed for longer than when that was too long: `until` then.
    """
    length = length_of_time(max(spike.end, until or spike.end) - spike.start)
    if not spike.measure.is_of_posts:
        return _missing(spike, length)
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


def problem(alert: Alert) -> str:
    """What is wrong with the supply of posts, as far as is known; empty where nothing is."""
    known = alert.evidence.problem if alert.evidence else None
    return plain(known or "", MAX_PROBLEM_CHARS)


def one_story(alert: Alert) -> str:
    """Said plainly where many of the posts tell one story, how many and by whom; empty where they do not."""
    evidence = alert.evidence
    if evidence is None or not evidence.mentions:
        return ""
    most = max(evidence.top_posts, key=lambda post: post.repeats, default=None)
    copies = min(evidence.mentions, 1 + (most.repeats if most else 0))
    if most is None or copies < LEAST_COPIES or copies < LEAST_COPIED_SHARE * evidence.mentions:
        return ""
    number = f"all {copies:,}" if copies == evidence.mentions else f"{copies:,} of {evidence.mentions:,}"
    if most.accounts is not None:
        return f"{number} tell one story, by {count(most.accounts, 'account')}"
    # An older version wrote it, of posts with one text, and did not count who said the same; but where the busiest
    # author has few posts, it cannot have been one.
    busiest = max((posts for _, posts in evidence.authors), default=copies)
    who = " by many accounts" if busiest * 4 <= copies else ""
    return f"{number} are one text{who}"


def _in_short(alert: Alert) -> str:
    if alert.peak.measure.is_of_posts:
        return f"{seen(alert.peak)}; {rareness(alert.peak)}"
    return _story_of_supply(alert, NotificationReason.FIRING)


def _missing(spike: Spike, length: str) -> str:
    match spike.measure:
        case Measure.NO_DATA:
            return f"no new post for {length}"
        case Measure.FAILING:
            return f"has failed for {length}"
        case _:
            return f"{length} behind the clock"


def _story_of_supply(alert: Alert, reason: NotificationReason) -> str:
    peak = alert.peak
    if reason is NotificationReason.RESOLVED:
        ended = alert.resolved_at or peak.end
        # It is over only after it has been well for a while.
        worst = seen(peak, alert.quiet_since or ended)
        return f"over after {length_of_time(ended - alert.started_at)}; it was: {worst}"
    if reason is NotificationReason.ACKNOWLEDGED and alert.acknowledged:
        who = plain(alert.acknowledged.who, MAX_PERSON_CHARS)
        return f"acknowledged by {who or 'somebody'}; {seen(peak, alert.acknowledged.at)}"
    wrong = problem(alert)
    told = f"{seen(peak, alert.told_at)}{f'; {wrong}' if wrong else ''}"
    return f"still {told}; nobody has acknowledged it" if reason is NotificationReason.REPEATED else told


def _story(alert: Alert, reason: NotificationReason) -> str:
    peak = alert.peak
    if not peak.measure.is_of_posts:
        return _story_of_supply(alert, reason)
    if reason is NotificationReason.RESOLVED:
        ended = alert.resolved_at or peak.end
        return f"over after {length_of_time(ended - alert.started_at)}; at its worst {seen(peak)}"
    if reason is NotificationReason.ACKNOWLEDGED:
        who = plain(alert.acknowledged.who, MAX_PERSON_CHARS) if alert.acknowledged else ""
        return f"acknowledged by {who or 'somebody'}; {seen(peak)}"
    copies = one_story(alert)
    told = f"{seen(peak)}; {rareness(peak)}{f'; {copies}' if copies else ''}"
    if reason is NotificationReason.ESCALATED:
        return f"much worse, {told}"
    if reason is NotificationReason.REPEATED:
        lasted = length_of_time(max((alert.told_at or peak.end) - alert.started_at, timedelta()))
        return f"still going on after {lasted}, and nobody has acknowledged it; at its worst {told}"
    return told


def _is_share(spike: Spike) -> bool:
    return spike.measure is Measure.SHARE and spike.posts is not None
