"""What is said about an alert, whatever carries it: every word that a notifier shows is chosen here.

Posts are hostile text. All of it, and the symbol too, has lost its control and format characters and its length
when it leaves this module; each medium still escapes it in its own way.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from alerts.headline import (
    TEST_RULE,
    by_authors,
    expected,
    headline,
    name_of,
    one_story,
    problem,
    rareness,
    told_in_one,
)
from alerts.quotes import MAX_POST_CHARS, Quote, find_words, quote_post, web_link
from alerts.wording import (
    bar_length,
    bar_name,
    count,
    expected_count,
    false_alert_budget,
    length_of_time,
    odds,
    percent,
    spam_left_out,
    sparkline,
    stories_told,
    time_utc,
)
from bearometer.alert import (
    Alert,
    AlertState,
    ChartPoint,
    Delivery,
    Evidence,
    Measure,
    NewTerm,
    NotificationReason,
    Severity,
    Spike,
)
from bearometer.post import MARKET, is_symbol, source_of
from bearometer.settings import AlertSettings
from bearometer.terminal import plain

__all__ = [
    "MAX_POST_CHARS",
    "TEST_RULE",
    "Message",
    "Quote",
    "compose",
    "expected_count",
    "false_alert_budget",
    "find_words",
    "length_of_time",
    "odds",
    "render_text",
    "sparkline",
    "time_utc",
    "web_link",
]

MAX_QUOTES = 10
MAX_RULE_CHARS = 100
MAX_ID_CHARS = 200
MAX_MODEL_CHARS = 120
MAX_NAME_CHARS = 40
MAX_NAMES = 5
MAX_COMMENT_CHARS = 300
DEFAULT_RULE = "negative-spike"
"""The one rule where nobody wrote any: its budget is in the settings."""
CHART_SPAN = timedelta(hours=24)
UNANSWERED = (NotificationReason.FIRING, NotificationReason.ESCALATED, NotificationReason.REPEATED)


@dataclass(frozen=True, slots=True)
class Message:
    """An alert in words: single lines without control characters, not yet escaped for any medium."""

    symbol: str
    headline: str
    """The whole story in one line."""
    facts: tuple[tuple[str, str], ...]
    """Labels and values, in the order in which they are read."""
    quotes: tuple[Quote, ...]
    chart: tuple[ChartPoint, ...]
    """The last 24 hours, or as many as the alert's window has."""
    chart_line: str
    """The chart in one line of block characters, for media without pictures; empty without a chart."""
    highlight: tuple[datetime, datetime]
    """The interval that the chart marks."""
    resolved: bool
    reason: NotificationReason = NotificationReason.FIRING
    """Why people are told."""
    others: tuple[str, ...] = ()
    """One line for each further alert that the same message tells of."""
    severity: Severity = Severity.WARNING
    link: str | None = None
    """The alert's page, http or https, as `Quote.url` is; None where `alerts.link_base` is not set."""
    chart_alt: str = ""
    """The chart in words; empty without a chart."""


def compose(delivery: Delivery, settings: AlertSettings) -> Message:
    """Put an alert into words."""
    alert, evidence = delivery.alert, delivery.alert.evidence
    points = _last_day(evidence.chart if evidence else (), alert.peak)
    name = name_of(alert.symbol)
    link = _link(alert, settings)
    return Message(
        symbol=name if is_symbol(alert.symbol) else name[:1].upper() + name[1:],
        headline=headline(delivery),
        facts=(*_what(delivery), *_who(evidence), *_to_do(delivery, link), *_origin(alert, settings)),
        quotes=tuple(quote_post(post) for post in evidence.top_posts[:MAX_QUOTES]) if evidence else (),
        chart=points,
        chart_line=sparkline([point.negative for point in points]),
        highlight=(alert.peak.start, max(alert.resolved_at or alert.peak.end, alert.peak.end)),
        resolved=delivery.reason is NotificationReason.RESOLVED,
        reason=delivery.reason,
        others=told_in_one(delivery.others),
        severity=alert.severity,
        link=link,
        chart_alt=_chart_in_words(name, points),
    )


def render_text(message: Message) -> str:
    """The message as plain text, one trailing newline."""
    lines = [message.headline, ""]
    width = max(len(label) for label, _ in message.facts) + 2
    lines += [f"{label + ':':<{width}}{value}" for label, value in message.facts]
    if message.chart_line:
        lines += [f"{'Chart:':<{width}}{message.chart_line}"]
    if message.others:
        lines += ["", "At the same time:", *(f"- {line}" for line in message.others)]
    if message.quotes:
        lines += ["", "What they say:"]
    for number, post in enumerate(message.quotes, start=1):
        lines += ["", f"{number}. {post.text}", f"   {post.byline}"]
        lines += [f"   {post.strongest}"] if post.strongest else []
        lines += [f"   {post.url}"] if post.url else []
    return "\n".join(lines) + "\n"


def _what(delivery: Delivery) -> list[tuple[str, str]]:
    """When, how much, and how strange that is."""
    alert, spike = delivery.alert, delivery.alert.peak
    facts = [("Started", time_utc(alert.started_at))]
    if delivery.reason is NotificationReason.RESOLVED and alert.resolved_at is not None:
        facts.append(("Over at", time_utc(alert.resolved_at)))
    if not spike.measure.is_of_posts:
        return [*facts, *_what_is_missing(alert)]
    worst = delivery.reason in (NotificationReason.RESOLVED, NotificationReason.REPEATED)
    past = "the symbol's" if is_symbol(alert.symbol) else "its"
    part = " of the posts" if spike.measure is Measure.SHARE and spike.posts is not None else ""
    rare = (
        f"{odds(spike.p_value)} that chance alone does this in one window"
        if spike.per_year is None
        else f"{rareness(spike)} for {name_of(alert.symbol)}"
    )
    spam = spam_left_out(alert.evidence.spam, alert.evidence.spam_reasons[:MAX_NAMES]) if alert.evidence else ""
    return [
        *facts,
        ("Worst window" if worst else "Window", f"{time_utc(spike.start)} to {time_utc(spike.end)}"),
        ("Seen", _all_seen(spike, alert.evidence)),
        ("Expected", f"{expected(spike)}{part}, from {past} own past"),
        ("Odds", rare[:1].upper() + rare[1:]),
        *((label, value) for label, value in (("Repeats", one_story(alert)), ("Left out", spam)) if value),
    ]


def _what_is_missing(alert: Alert) -> list[tuple[str, str]]:
    """What came last, how long it may take, and what is known to be wrong."""
    spike, source = alert.peak, plain(source_of(alert.symbol) or "", MAX_NAME_CHARS)
    last = {Measure.NO_DATA: "Last post", Measure.FAILING: "Worked until"}.get(spike.measure, "Evaluated to")
    allowed = length_of_time(timedelta(seconds=spike.expected))
    wrong = problem(alert)
    look = "bearometer doctor" if spike.measure is Measure.LAG else "bearometer sources list"
    facts = [
        (last, time_utc(spike.start) if spike.start < spike.end else "never so far"),
        ("Too long", f"from {allowed} on"),
        *([("Problem", wrong)] if wrong else []),
    ]
    if alert.state is AlertState.RESOLVED:
        return facts
    can_pause = bool(source) and source == _argument(source)
    return [*facts, ("Look", look), *([("Pause it", f"bearometer sources pause {source}")] if can_pause else [])]


def _all_seen(spike: Spike, evidence: Evidence | None) -> str:
    if spike.measure is Measure.VOLUME and spike.posts is not None:
        told, by = spike.posts, by_authors(spike, spike.posts)
        shown = f"{count(told, 'distinct post')} {by}, {spike.negative:,} of them negative"
    else:
        told, by = spike.negative, by_authors(spike, spike.negative)
        shown = f"{count(told, 'distinct negative post')} {by}"
        if spike.posts is not None:
            shown += f", {percent(told / max(1, spike.posts))} of {count(spike.posts, 'post')}"
    if evidence and evidence.mentions and evidence.mentions > told:
        shown += f"; {stories_told(evidence.mentions, evidence.stories)}"
    return shown


def _who(evidence: Evidence | None) -> list[tuple[str, str]]:
    """Who says it where, of what, and in which words."""
    if evidence is None:
        return []
    busy = [(name, posts) for name, posts in evidence.authors if posts > 1]
    listed = (
        ("Sources", _numbers(evidence.sources)),
        ("Busiest", _numbers(busy)),
        ("Topics", _numbers(evidence.topics)),
        ("New words", ", ".join(_new_term(new) for new in evidence.new_terms[:MAX_NAMES])),
    )
    return [(label, value) for label, value in listed if value]


def _numbers(names: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{plain(name, MAX_NAME_CHARS) or '(no name)'} {posts:,}" for name, posts in names[:MAX_NAMES])


def _new_term(new: NewTerm) -> str:
    return f"{plain(new.term, MAX_NAME_CHARS)} ({new.seen:,}, {expected_count(new.expected)} expected)"


def _to_do(delivery: Delivery, link: str | None) -> list[tuple[str, str]]:
    """What people have done about it, and how they can."""
    alert, facts = delivery.alert, []
    if alert.acknowledged is not None:
        comment = plain(alert.acknowledged.comment, MAX_COMMENT_CHARS)
        who = plain(alert.acknowledged.who, MAX_NAME_CHARS) or "somebody"
        facts.append(
            ("Acknowledged", f"by {who}, {time_utc(alert.acknowledged.at)}{f': {comment}' if comment else ''}")
        )
    if delivery.dropped > 0:
        kept = count(delivery.dropped, "earlier message")
        verb = "was" if delivery.dropped == 1 else "were"
        facts.append(("Kept back", f"{kept} {verb} kept back by the cap of this route"))
    if delivery.reason not in UNANSWERED or alert.rule == TEST_RULE:
        return facts
    if link is not None:
        return [*facts, ("Acknowledge or silence", link)]
    shown_id, shown_symbol = _argument(alert.id), "market" if alert.symbol == MARKET else _argument(alert.symbol)
    if shown_id and alert.acknowledged is None:
        facts.append(("Acknowledge", f"bearometer alerts ack {shown_id}"))
    if shown_symbol:
        facts.append(("Silence", f"bearometer silences add {shown_symbol} --for 4h --reason '…'"))
    return facts


def _argument(text: str) -> str:
    """The text as one word for a shell, empty where it cannot be shown as it is."""
    return shlex.quote(text) if text and text == plain(text, MAX_ID_CHARS) and not text.startswith("-") else ""


def _link(alert: Alert, settings: AlertSettings) -> str | None:
    if settings.link_base is None or alert.rule == TEST_RULE:
        return None
    return web_link(f"{settings.link_base.rstrip('/')}/alerts/{quote(alert.id, safe='', errors='replace')}")


def _origin(alert: Alert, settings: AlertSettings) -> list[tuple[str, str]]:
    """What has found it."""
    rule = f"{plain(alert.rule, MAX_RULE_CHARS)} ({alert.severity})"
    if alert.rule == DEFAULT_RULE and settings.rules is None:
        rule += f": {false_alert_budget(settings.false_alerts_per_symbol_year)}"
    facts = [("Rule", rule)]
    if alert.evidence and alert.evidence.models:
        facts.append(("Model", plain(", ".join(alert.evidence.models), MAX_MODEL_CHARS)))
    return [*facts, ("Alert", plain(alert.id, MAX_ID_CHARS))]


def _last_day(points: Sequence[ChartPoint], spike: Spike) -> tuple[ChartPoint, ...]:
    """The last 24 hours, or as long as the window is, of bars that are short enough for it; else all of them."""
    span = max(CHART_SPAN, spike.end - spike.start)
    length = bar_length(points)
    if not points or length * 12 > span:
        return tuple(points)
    end = max(point.at for point in points) + length
    return tuple(point for point in points if point.at >= end - span)


def _chart_in_words(name: str, points: Sequence[ChartPoint]) -> str:
    if not points:
        return ""
    most = max(points, key=lambda point: (point.negative, point.at))
    return (
        f"Bar chart: negative posts about {name} per {bar_name(bar_length(points))},"
        f" from {time_utc(points[0].at)} on; at most {most.negative:,}, at {time_utc(most.at)},"
        f" where {expected_count(most.expected)} were expected"
    )
