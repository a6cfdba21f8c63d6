"""What is said about an alert, whatever carries it: every word that a notifier shows is chosen here.

Posts are hostile text. All of it, and the symbol too, has lost its control and format characters and its length
when it leaves this module; each medium still escapes it in its own way.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit, urlunsplit

from bearometer.alert import Alert, ChartPoint, Delivery, NotificationReason, Spike, TopPost
from bearometer.linking import Span
from bearometer.settings import AlertSettings
from bearometer.terminal import plain

__all__ = [
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

TEST_RULE = "test"
"""The rule of alerts that `bearometer alerts test` makes up: their messages say so."""

MAX_QUOTES = 10
MAX_POST_CHARS = 500
MAX_SYMBOL_CHARS = 20
MAX_AUTHOR_CHARS = 60
MAX_WORDS = 5
MAX_WORD_CHARS = 40
MAX_URL_CHARS = 2000
MAX_MODEL_CHARS = 120
EXACT_ODDS = 10**9
"""Beyond this, odds are given as a power of ten."""
LEAST_P_VALUE = 1e-300
"""Smaller ones have run into the end of floating point."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A post as a message shows it; `byline` is author, followers, time and repeats in one line."""

    text: str
    byline: str
    url: str | None
    """Absolute, http or https, percent-encoded down to plain ASCII without quotes or brackets; or None."""
    strongest: str = ""
    """The words that made it negative, in one line; empty where they are not known."""
    marks: tuple[Span, ...] = ()
    """Where these words stand in `text`, in order, none over another."""


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
    chart_line: str
    """The chart in one line of block characters, for media without pictures; empty without a chart."""
    highlight: tuple[datetime, datetime]
    """The interval that the chart marks."""
    resolved: bool


def compose(delivery: Delivery, settings: AlertSettings) -> Message:
    """Put an alert into words."""
    alert = delivery.alert
    symbol = plain(alert.symbol, MAX_SYMBOL_CHARS) or "(no symbol)"
    resolved = delivery.reason is NotificationReason.RESOLVED
    told = _resolved(alert, symbol) if resolved else f"{symbol}: {_seen(alert.peak)}; odds {odds(alert.peak.p_value)}"
    evidence = alert.evidence
    points = evidence.chart if evidence else ()
    return Message(
        symbol=symbol,
        headline=f"This is a test, nothing has happened. {told}" if alert.rule == TEST_RULE else told,
        facts=_facts(alert, settings, resolved),
        quotes=tuple(_quote(post) for post in evidence.top_posts[:MAX_QUOTES]) if evidence else (),
        chart=points,
        chart_line=sparkline([point.negative for point in points]),
        highlight=(alert.peak.start, max(alert.resolved_at or alert.peak.end, alert.peak.end)),
        resolved=resolved,
    )


def render_text(message: Message) -> str:
    """The message as plain text, one trailing newline."""
    lines = [message.headline, ""]
    width = max(len(label) for label, _ in message.facts) + 2
    lines += [f"{label + ':':<{width}}{value}" for label, value in message.facts]
    if message.chart_line:
        lines += [f"{'Chart:':<{width}}{message.chart_line}"]
    if message.quotes:
        lines += ["", "What they say:"]
    for number, post in enumerate(message.quotes, start=1):
        lines += ["", f"{number}. {post.text}", f"   {post.byline}"]
        lines += [f"   {post.strongest}"] if post.strongest else []
        lines += [f"   {post.url}"] if post.url else []
    return "\n".join(lines) + "\n"


def _seen(spike: Spike) -> str:
    length = length_of_time(spike.end - spike.start)
    posts = f"{_count(spike.negative, 'negative post')} {_by_authors(spike)}"
    return f"{posts} in {length}, {expected_count(spike.expected)} expected"


def _by_authors(spike: Spike) -> str:
    # Posts that say the same count once, and all who said it are authors: there can be more of these.
    repeated = spike.authors > spike.negative
    return (
        f"from {_count(spike.authors, 'author')} with repeats" if repeated else f"by {_count(spike.authors, 'author')}"
    )


def _resolved(alert: Alert, symbol: str) -> str:
    ended = alert.resolved_at or alert.peak.end
    return f"{symbol}: over after {length_of_time(ended - alert.started_at)}; at its worst {_seen(alert.peak)}"


def _facts(alert: Alert, settings: AlertSettings, resolved: bool) -> tuple[tuple[str, str], ...]:
    spike = alert.peak
    facts = [("Started", time_utc(alert.started_at))]
    if resolved and alert.resolved_at is not None:
        facts.append(("Over at", time_utc(alert.resolved_at)))
    facts += [
        ("Worst window" if resolved else "Window", f"{time_utc(spike.start)} to {time_utc(spike.end)}"),
        ("Seen", f"{_count(spike.negative, 'distinct negative post')} {_by_authors(spike)}"),
        ("Expected", f"{expected_count(spike.expected)}, from the symbol's own past"),
        ("Odds", f"{odds(spike.p_value)} that chance alone does this in one window"),
        ("Rule", f"{plain(alert.rule, 100)}: {false_alert_budget(settings.false_alerts_per_symbol_year)}"),
    ]
    if alert.evidence and alert.evidence.models:
        facts.append(("Model", plain(", ".join(alert.evidence.models), MAX_MODEL_CHARS)))
    facts.append(("Alert", plain(alert.id, 200)))
    return tuple(facts)


def _quote(post: TopPost) -> Quote:
    parts = [plain(post.author or "", MAX_AUTHOR_CHARS) or "unknown author"]
    if post.followers is not None:
        parts.append(_count(post.followers, "follower"))
    parts.append(time_utc(post.published_at))
    if post.repeats > 0:
        parts.append(f"said {post.repeats:,} more {'time' if post.repeats == 1 else 'times'}")
    parts.append(f"{post.negative:.0%} negative")
    text = plain(post.text, MAX_POST_CHARS) or "(no text)"
    words = [word for word in (plain(each, MAX_WORD_CHARS) for each in post.words[:MAX_WORDS]) if word]
    return Quote(
        text=text,
        byline=" · ".join(parts),
        url=web_link(post.url),
        strongest=f"Strongest words: {', '.join(words)}" if words else "",
        marks=find_words(text, words),
    )


def find_words(text: str, words: Sequence[str]) -> tuple[Span, ...]:
    """Every place where one of the words stands as a whole word, in order; of words that overlap the longest."""
    patterns = [_whole_word(word) for word in sorted(words, key=len, reverse=True)]
    return tuple(match.span() for match in re.finditer("|".join(patterns), text)) if patterns else ()


def _whole_word(word: str) -> str:
    # A word may begin or end with a sign ("$AAPL", "14%"), which needs no boundary.
    before = r"(?<!\w)" if word[0].isalnum() else ""
    after = r"(?!\w)" if word[-1].isalnum() else ""
    return f"{before}{re.escape(word)}{after}"


def odds(p_value: float) -> str:
    """A small probability as a person says it: `1 in 2,300,000`; from a thousand million on `1 in 10^15`."""
    if p_value < LEAST_P_VALUE:
        return "less than 1 in 10^300"
    against = 1 / min(p_value, 1.0)
    if against < EXACT_ODDS:
        return f"1 in {_two_digits(against):,}"
    return f"1 in 10^{math.floor(math.log10(against) + 1e-9)}"


def expected_count(expected: float) -> str:
    """An expected number of posts to the digits that matter: `12`, `3.4`, `0.1`, `0.02`."""
    if expected >= 10:
        return f"{expected:,.0f}"
    if expected >= 0.095:
        return f"{expected:.1f}"
    return f"{expected:.1g}" if expected >= 0.001 else "less than 0.001"


def false_alert_budget(per_symbol_year: float) -> str:
    """The budget of false alerts in words: `at most one false alert per symbol in 20 years`."""
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
    parts = [_count(days, "day")] if days else []
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
    return "".join("▁▂▃▄▅▆▇█"[math.ceil(7 * max(0, count) / most)] for count in counts) if most > 0 else ""


def web_link(url: str | None) -> str | None:
    """The address if a person may be sent there: absolute, http or https, without a user name, re-encoded.

    What comes back is ASCII and holds no white space, quotes, angle brackets, pipes or backslashes.
    """
    if url is None or len(url) > MAX_URL_CHARS:
        return None
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError:  # a broken port or bracket, or a host that IDNA refuses
        return None
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or not re.fullmatch(r"[a-z0-9._-]+", host.lower()):
        return None
    try:
        path, query, fragment = (
            quote(part, safe="/:@!$&'()*+,;=-._~?%").replace("'", "%27")
            for part in (parts.path, parts.query, parts.fragment)
        )
    except UnicodeEncodeError:  # a lone surrogate
        return None
    link = urlunsplit((parts.scheme, f"{host}:{port}" if port else host, path, query, fragment))
    return link if len(link) <= MAX_URL_CHARS else None


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _two_digits(number: float) -> int:
    step = int(10 ** max(0, math.floor(math.log10(number)) - 1))
    return round(number / step) * step
