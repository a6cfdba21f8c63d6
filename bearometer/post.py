"""What somebody wrote, normalised, and how far a source has come."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["EVALUATION", "MARKET", "Heartbeat", "Post", "is_symbol", "source_key", "source_of", "topic_key", "topic_of"]

MARKET = "*"
"""Stands where a symbol stands and means: all posts together."""
_TOPIC_MARK = "#"
_SOURCE_MARK = "!"
EVALUATION = _SOURCE_MARK
"""Stands where a symbol stands and means: the path from the sources to the alerts."""


def topic_key(topic: str) -> str:
    """What stands where a symbol stands and means: all posts on this topic; `#Earnings`, which no symbol is."""
    return f"{_TOPIC_MARK}{topic}"


def topic_of(key: str) -> str | None:
    """The topic that `topic_key` made this key of; None for a symbol and for MARKET."""
    return key.removeprefix(_TOPIC_MARK) if key.startswith(_TOPIC_MARK) else None


def source_key(source: str) -> str:
    """What stands where a symbol stands and means: this source of posts; `!feeds`, which no symbol is."""
    return f"{_SOURCE_MARK}{source}"


def source_of(key: str) -> str | None:
    """The source that `source_key` made this key of, empty for EVALUATION; None for whatever posts speak of."""
    return key.removeprefix(_SOURCE_MARK) if key.startswith(_SOURCE_MARK) else None


def is_symbol(key: str) -> bool:
    """Whether this may be the symbol of a company: it is neither MARKET nor a topic's key nor a source's."""
    return key != MARKET and topic_of(key) is None and source_of(key) is None


@dataclass(frozen=True, slots=True)
class Post:
    """One news item or social post, as it travels on the topic.

    `text` is unescaped, in NFC and without links (they are in `links`). Two posts have the same `fingerprint`
    when they say the same but for links, letter case, white space and retweet marks.
    """

    id: str
    """`source:native-id`; writing the same id twice changes nothing."""
    source: str
    text: str
    published_at: datetime
    ingested_at: datetime
    """When it became known: as it came in, and for a replay of the past when it was published."""
    fingerprint: str
    symbols: tuple[str, ...] = ()
    """Upper-case ticker symbols that the post speaks of, in order of appearance, without repeats."""
    author: str | None = None
    followers: int | None = None
    url: str | None = None
    links: tuple[str, ...] = ()
    language: str = "und"
    """BCP 47 primary tag; `und` when nobody knows."""
    engagement: int = 0
    """Retweets, likes and replies together."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A source's word that it has published all that it had up to `at`.

    Ingest sends one to every partition, so that event time moves on through a quiet partition too, in the same
    way for a live feed and for a replay at any speed.
    """

    source: str
    at: datetime
