"""Numbers, times and shares as a person says them."""

import itertools
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from bearometer.alert import ChartPoint
from bearometer.terminal import plain

__all__ = [
    "bar_length",
    "bar_name",
    "count",
    "expected_count",
    "false_alert_budget",
    "how_often",
    "length_of_time",
    "like_this",
    "odds",
    "percent",
    "spam_left_out",
    "sparkline",
    "stories_told",
    "time_utc",
]

EXACT_ODDS = 10**9
"""Beyond this, odds are given as a power of ten."""
LEAST_P_VALUE = 1e-300
"""Smaller ones have run into the end of floating point."""
LEAST_PER_YEAR, MOST_PER_YEAR = 1e-3, 1e5
"""Nobody's past is known so well that rarer could be told from rarest."""

MAX_CODE_CHARS = 40
SPAM = {
    "many-symbols": "too many symbols",
    "promotion": "promotion",
    "same-text": "identical text from many accounts",
    "rate": "too many posts of one account",
    "link-farm": "links beside strings of symbols",
    "gibberish": "gibberish",
}
"""The codes of stream/spam.py in words. What else stands in a reason may come from a post, and is told to nobody."""


def count(number: int, noun: str) -> str:
    """`1 post`, `2,300 posts`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def stories_told(posts: int, stories: int | None) -> str:
    """`84 posts tell 31 stories`; where an older version did not count these, `84 with repeats`."""
    if stories is None:
        return f"{posts:,} with repeats"
    told = "1 story" if stories == 1 else f"{stories:,} stories"
    return f"{count(posts, 'post')} {'tells' if posts == 1 else 'tell'} {told}"


def spam_left_out(posts: int, reasons: Sequence[tuple[str, int]]) -> str:
    """`37 further posts were left out as spam: 30 promotion, 7 too many symbols`; empty where there were none.

    `reasons` are codes with the numbers of their posts; what they do not account for is said to be of other reasons.
    """
    if posts < 1:
        return ""
    numbers: dict[str, int] = {}
    for code, number in reasons:
        words = SPAM.get(code) or plain(code, MAX_CODE_CHARS) or "no reason given"
        numbers[words] = numbers.get(words, 0) + number
    if (rest := posts - sum(numbers.values())) > 0:
        numbers["other reasons"] = rest
    why = next(iter(numbers)) if len(numbers) == 1 else ", ".join(f"{n:,} {words}" for words, n in numbers.items())
    return f"{count(posts, 'further post')} {'was' if posts == 1 else 'were'} left out as spam: {why}"


def odds(p_value: float) -> str:
    """A small probability as a person says it: `1 in 2,300,000`; from a thousand million on `1 in 10^15`."""
    if p_value < LEAST_P_VALUE:
        return "less than 1 in 10^300"
    against = 1 / min(p_value, 1.0)
    if against < EXACT_ODDS:
        return f"1 in {_two_digits(against):,}"
    return f"1 in 10^{math.floor(math.log10(against) + 1e-9)}"


def how_often(per_year: float) -> str:
    """How often something comes that comes so often a year: `about once in 9 years`, `about 4 times a year`."""
    if per_year < LEAST_PER_YEAR:
        return f"less than once in {1 / LEAST_PER_YEAR:,.0f} years"
    if per_year < 0.8:
        years = 1 / per_year
        return f"about once in {f'{years:.2g}' if years < 2.95 else f'{_two_digits(years):,}'} years"
    if per_year < 1.5:
        return "about once a year"
    return f"about {_two_digits(min(per_year, MOST_PER_YEAR)):,} times a year"


def like_this(window: timedelta) -> str:
    """What is so rare, by the length of the window in which it was seen: `a day like this`, `such a burst`."""
    hours = window / timedelta(hours=1)
    if hours <= 1:
        return "such a burst"
    return f"{hours:.0f} hours like these" if hours < 20 else "a day like this" if hours <= 28 else "such days"


def expected_count(expected: float) -> str:
    """An expected number of posts to the digits that matter: `12`, `3.4`, `0.1`, `0.02`."""
    if expected >= 10:
        return f"{expected:,.0f}"
    if expected >= 0.095:
        return f"{expected:.1f}"
    return f"{expected:.1g}" if expected >= 0.001 else "less than 0.001"


def percent(share: float) -> str:
    """A share from 0 to 1 in whole percents; what would be none of them `less than 1%`."""
    return "less than 1%" if 0 < share < 0.005 else f"{share:.0%}"


def false_alert_budget(per_symbol_year: float) -> str:
    """The budget of false alerts in words: `at most one false alert per symbol in 5 years`."""
    if per_symbol_year > 1:
        return f"at most {per_symbol_year:.3g} false alerts per symbol a year"
    years = 1 / per_symbol_year
    return f"at most one false alert per symbol {'a year' if years < 1.05 else f'in {years:.3g} years'}"


def length_of_time(length: timedelta) -> str:
    """A length of time in its two largest units: `24 h`, `45 min`, `3 days 4 h`; never negative."""
    minutes = max(0, round(length.total_seconds() / 60))
    days, hours = divmod(minutes // 60, 24)
    if minutes <= 24 * 60:
        days, hours = 0, minutes // 60
    parts = [count(days, "day")] if days else []
    parts += [f"{hours} h"] if hours else []
    parts += [f"{minutes % 60} min"] if minutes % 60 and not days else []
    return " ".join(parts) or "0 min"


def time_utc(moment: datetime) -> str:
    """A time to the minute, with its zone."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def sparkline(counts: list[int], width: int = 48) -> str:
    """Counts as block characters, the latest `width` of them; empty when there is nothing to show."""
    counts = counts[-width:]
    most = max(counts, default=0)
    return "".join("▁▂▃▄▅▆▇█"[math.ceil(7 * max(0, each) / most)] for each in counts) if most > 0 else ""


def bar_length(points: Sequence[ChartPoint]) -> timedelta:
    """The time that one bar of a chart stands for; an hour where a single one leaves it open."""
    gaps = [after.at - before.at for before, after in itertools.pairwise(points) if after.at > before.at]
    return min(gaps, default=timedelta(hours=1))


def bar_name(length: timedelta) -> str:
    """What comes behind `per`: `hour`, `5 minutes`."""
    minutes = max(1, round(length.total_seconds() / 60))
    if minutes % (24 * 60) == 0:
        return "day" if minutes == 24 * 60 else f"{minutes // (24 * 60)} days"
    if minutes % 60 == 0:
        return "hour" if minutes == 60 else f"{minutes // 60} hours"
    return "minute" if minutes == 1 else f"{minutes} minutes"


def _two_digits(number: float) -> int:
    step = int(10 ** max(0, math.floor(math.log10(number)) - 1))
    return round(number / step) * step
