"""A post as a message quotes it: hostile text made harmless, its words marked, its address checked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from alerts.wording import count, time_utc
from bearometer.alert import TopPost
from bearometer.linking import Span
from bearometer.terminal import plain

__all__ = ["MAX_POST_CHARS", "Quote", "find_words", "quote_post", "web_link"]

MAX_POST_CHARS = 500
MAX_AUTHOR_CHARS = 60
MAX_SOURCE_CHARS = 40
MAX_ROLES = 3
MAX_WORDS = 5
MAX_WORD_CHARS = 40
MAX_URL_CHARS = 2000

ROLES = {"first": "first seen"}
"""How a role is said, where not by its own name."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A post as a message shows it; `byline` is why it is shown, by whom, when, and how far its story went."""

    text: str
    byline: str
    url: str | None
    """Absolute, http or https, percent-encoded down to plain ASCII without quotes or brackets; or None."""
    strongest: str = ""
    """The words that made it negative, in one line; empty where they are not known."""
    marks: tuple[Span, ...] = ()
    """Where these words stand in `text`, in order, none over another."""


def quote_post(post: TopPost) -> Quote:
    """The post in single lines without control characters."""
    roles = ", ".join(plain(ROLES.get(role, role), MAX_WORD_CHARS) for role in post.roles[:MAX_ROLES])
    parts = [roles[:1].upper() + roles[1:]] if roles else []
    parts.append(plain(post.author or "", MAX_AUTHOR_CHARS) or "unknown author")
    if source := plain(post.source or "", MAX_SOURCE_CHARS):
        parts.append(source)
    if post.followers is not None:
        parts.append(count(post.followers, "follower"))
    parts.append(time_utc(post.published_at))
    if post.repeats > 0:
        parts.append(_repeats(post))
    if post.since is not None:
        parts.append(f"told since {time_utc(post.since)}")
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


def _repeats(post: TopPost) -> str:
    """How often its story was told further, and by whom: `said 12 more times, by 9 accounts on 3 sources in all`."""
    said = f"said {post.repeats:,} more {'time' if post.repeats == 1 else 'times'}"
    if post.accounts is None:
        return said
    places = f" on {count(post.places, 'source')}" if post.places is not None and post.places > 1 else ""
    return f"{said}, by {count(post.accounts, 'account')}{places} in all"


def _whole_word(word: str) -> str:
    # A word may begin or end with a sign ("$AAPL", "14%"), which needs no boundary.
    before = r"(?<!\w)" if word[0].isalnum() else ""
    after = r"(?!\w)" if word[-1].isalnum() else ""
    return f"{before}{re.escape(word)}{after}"


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
