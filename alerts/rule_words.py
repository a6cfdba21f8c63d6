"""Rules in words: what each asks for, so that nobody has to know the keys."""

import math
from collections.abc import Sequence

from alerts.message import false_alert_budget
from alerts.monitor import watches_whole_posts
from alerts.rules import SCALES, QuietHours, Rule, RuleSet
from bearometer.alert import Measure
from bearometer.post import MARKET, source_of, topic_of
from bearometer.terminal import plain

__all__ = ["describe_rule", "describe_together"]

SHOWN = 4
"""So many symbols of a list are named; the rest is a number."""
_MEASURES = {
    Measure.COUNT: "distinct negative mentions",
    Measure.SHARE: "negative part of the distinct mentions",
    Measure.VOLUME: "all distinct mentions",
}
_SCALES = {"5m": "5 min", "1h": "1 h", "6h": "6 h", "24h": "24 h"}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def describe_rule(rule: Rule, symbol: str | None = None) -> str:
    """One rule in one line; with a symbol, a topic's key or MARKET, what it asks for there."""
    if not rule.measure.is_of_posts:
        return _describe_supply(rule)
    if symbol is None:
        watched = _several(rule.symbols) + (f" but not {_several(rule.exclude)}" if rule.exclude else "")
    else:
        watched = _thing("market" if symbol == MARKET else symbol)
    parts = [
        f"{_MEASURES[rule.measure]} of {watched} in {_scales(rule.scales)}",
        _threshold(rule),
        f"from {_count(rule.min_posts, 'post')} by {_count(rule.min_authors, 'author')} on"
        + (f" in {_count(rule.min_sources, 'source')}" if rule.min_sources > 1 else ""),
        _telling(rule),
        f"{_ending(rule)}, and then no new alert for {_length(rule.cooldown_seconds)}",
        *_whom(rule),
    ]
    return plain(f"{rule.name}: {'; '.join(parts)}", limit=4000)


def describe_together(rules: RuleSet) -> str:
    """What holds for all rules together, in one line."""
    budget = rules.market_false_alerts_per_year
    shared = "any number of false alerts a year"
    if budget is not None:
        shared = f"at most {budget:,g} false alerts a year, shared by the symbols and by the rules of each"
        if watches_whole_posts(rules):
            shared += ", and as many for each topic or for all posts together"
    return (
        f"all together: {shared}; "
        f"{rules.group_at:,} new alerts at once are one message; "
        f"at most {_count(rules.route_cap_per_hour, 'message')} an hour to each route"
    )


def _describe_supply(rule: Rule) -> str:
    watched = f"{_several(rule.symbols)}{f' but not {_several(rule.exclude)}' if rule.exclude else ''}"
    after = _length(round(rule.at_least or 0))
    what = {
        Measure.NO_DATA: f"no new post for {after} ({watched})",
        Measure.FAILING: f"trouble for {after} ({watched})",
    }.get(rule.measure, f"what is evaluated is {after} behind the clock")
    over = (
        f"when all has been well for {_length(rule.clear_seconds)}" if rule.clear_seconds else "as soon as all is well"
    )
    parts = [
        what,
        _telling(rule),
        f"over {over}, and then no new alert for {_length(rule.cooldown_seconds)}",
        *_whom(rule),
    ]
    return plain(f"{rule.name}: {'; '.join(parts)}", limit=4000)


def _whom(rule: Rule) -> list[str]:
    inhibited = "anything else" if "*" in rule.inhibits else _several(rule.inhibits)
    return [
        *(_waiting(hours) for hours in rule.quiet_hours),
        *([f"while it fires nothing is said of {inhibited}"] if rule.inhibits else []),
        f"{rule.severity}, told to {'every route' if '*' in rule.routes else _and(rule.routes)}",
    ]


def _several(patterns: Sequence[str]) -> str:
    names = [_thing(each) for each in patterns]
    if len(names) > SHOWN:
        names = [*names[: SHOWN - 1], f"{len(names) - SHOWN + 1:,} more"]
    return _and(names)


def _thing(pattern: str) -> str:
    topic = topic_of(pattern)
    if topic is not None:
        return "every topic" if topic == "*" else f"the topic {topic}"
    source = source_of(pattern)
    if source is not None:
        return "every source by itself" if source == "*" else f"source {source}"
    if pattern == "market":
        return "all posts together"
    if pattern == "*":
        return "every symbol"
    return f"symbols like {pattern}" if any(mark in pattern for mark in "*?[") else pattern


def _scales(scales: Sequence[str]) -> str:
    if tuple(scales) == tuple(SCALES):
        return f"{_SCALES[scales[0]]} to {_SCALES[scales[-1]]}"
    return _and([_SCALES[scale] for scale in scales])


def _threshold(rule: Rule) -> str:
    if rule.at_least is None:
        return false_alert_budget(rule.false_alerts_per_symbol_year)
    share = rule.measure is Measure.SHARE
    return f"when it reaches {f'{100 * rule.at_least:.3g} %' if share else f'{rule.at_least:,g}'}"


def _telling(rule: Rule) -> str:
    first = f"told after {_length(rule.pending_seconds)}" if rule.pending_seconds else "told at once"
    worse = "" if math.isinf(rule.escalate_factor) else f", again when {rule.escalate_factor:,g} times less likely"
    if rule.repeat_seconds is None:
        return first + worse
    return f"{first}{worse}, and every {_length(rule.repeat_seconds)} until somebody acknowledges it"


def _ending(rule: Rule) -> str:
    if rule.at_least is not None:
        return f"over when it has been less for {_length(rule.clear_seconds)}"
    return f"over when the odds have been {rule.clear_factor:,g} times better for {_length(rule.clear_seconds)}"


def _waiting(hours: QuietHours) -> str:
    days = f" on {_and([_DAYS[day] for day in hours.days])}"
    if len(hours.days) > 2 and hours.days == tuple(range(hours.days[0], hours.days[-1] + 1)):
        days = f" from {_DAYS[hours.days[0]]} to {_DAYS[hours.days[-1]]}" if len(hours.days) < len(_DAYS) else ""
    unless = f" unless {hours.unless}" if hours.unless else ""
    return f"waits from {hours.start:%H:%M} to {hours.end:%H:%M} {hours.zone}{days}{unless}"


def _length(seconds: int) -> str:
    minutes, left = divmod(seconds, 60)
    days, minutes = divmod(minutes, 24 * 60)
    parts = [_count(days, "day")] if days else []
    parts += [
        f"{number} {unit}" for number, unit in ((minutes // 60, "h"), (minutes % 60, "min"), (left, "s")) if number
    ]
    return " ".join(parts) or "0 s"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _and(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
