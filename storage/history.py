"""The stored mentions in the order in which they became known."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern

from sqlalchemy import Engine, text

from bearometer.alert import TopPost
from bearometer.mention import SeenMention
from storage.failures import translated_errors
from storage.polls import CHUNK, ON_TIME
from storage.post_statements import NO_TIMEOUT

__all__ = ["KnownMention", "find_post", "read_history"]

# Two posts of the same moment of ingestion are taken in order of event time, as a sorted file is replayed. A topic's
# key and MARKET stand for whole posts (bearometer/post.py).
HISTORY = text("""
SELECT mentions.symbol, mentions.post_id, mentions.published_at,
    coalesce(mentions.story, mentions.fingerprint) AS story, mentions.author, mentions.source, mentions.label,
    posts.ingested_at
FROM mentions JOIN posts ON posts.published_at = mentions.published_at AND posts.id = mentions.post_id
WHERE NOT mentions.spam AND mentions.published_at >= :since AND mentions.published_at < :until
UNION ALL
SELECT key.symbol, id, published_at, coalesce(story, fingerprint), author, source, label, ingested_at
FROM posts CROSS JOIN LATERAL (VALUES ('*'), ('#' || topic)) AS key (symbol)
WHERE :whole_posts AND key.symbol IS NOT NULL AND label IS NOT NULL AND spam = '{}'
    AND published_at >= :since AND published_at < :until
ORDER BY ingested_at, published_at, post_id, symbol
""")

POST = text("""
SELECT posts.id, posts.text, posts.published_at, mentions.negative, posts.author, posts.followers, posts.url,
    posts.source
FROM mentions JOIN posts ON posts.published_at = mentions.published_at AND posts.id = mentions.post_id
WHERE mentions.symbol = :symbol AND NOT mentions.spam AND mentions.published_at >= :start
    AND mentions.published_at < :end
ORDER BY mentions.negative DESC, posts.published_at, posts.id
LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class KnownMention:
    """A mention and when it became known."""

    known_at: datetime
    mention: SeenMention


def read_history(engine: Engine, since: datetime, until: datetime, *, whole_posts: bool) -> Iterator[KnownMention]:
    """The mentions with `since` <= published_at < `until` in the order in which they were ingested.

    Each has the label that the model of that time gave it: a post is scored once. `whole_posts` adds each post once
    for MARKET and once for its topic's key. Spam, and what no model was asked about, is left out. Reads in chunks,
    however long that takes.
    """
    with translated_errors(engine), engine.connect() as connection:
        connection.execute(NO_TIMEOUT)
        parameters = {"since": since, "until": until, "whole_posts": whole_posts}
        for row in connection.execution_options(yield_per=CHUNK).execute(HISTORY, parameters):
            yield KnownMention(
                known_at=row.ingested_at.astimezone(UTC),
                mention=SeenMention(
                    symbol=intern(row.symbol),
                    post_id=row.post_id,
                    published_at=row.published_at.astimezone(UTC),
                    story=row.story,
                    author=row.author,
                    source=intern(row.source),
                    negative=row.label == "negative",
                    on_time=row.ingested_at - row.published_at < ON_TIME,
                ),
            )


def find_post(engine: Engine, symbol: str, start: datetime, end: datetime) -> TopPost | None:
    """The post of `start` <= published_at < `end` that speaks worst of the symbol, spam left out; None without any."""
    with translated_errors(engine), engine.connect() as connection:
        row = connection.execute(POST, {"symbol": symbol, "start": start, "end": end}).one_or_none()
    if row is None:
        return None
    return TopPost(
        id=row.id,
        text=row.text,
        published_at=row.published_at.astimezone(UTC),
        negative=row.negative,
        repeats=0,
        author=row.author,
        followers=row.followers,
        url=row.url,
        source=row.source,
    )
