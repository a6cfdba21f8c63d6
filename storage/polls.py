"""What is new in the stores since the evaluator looked last: how far event time has come, and the mentions."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from sys import intern
from typing import Any

from sqlalchemy import Connection, text

from bearometer.mention import SeenMention
from storage.post_statements import NO_TIMEOUT

__all__ = ["Poll", "read_poll", "read_snapshot"]

CHUNK = 5_000
ON_TIME = timedelta(days=1)

WATERMARK = text("""
SELECT CASE WHEN bool_and(newest_at IS NOT NULL) THEN min(newest_at) END
FROM progress
WHERE updated_at >= (SELECT max(updated_at) FROM progress) - make_interval(secs => :idle_after_seconds)
""")

# A mention of which the posts table has nothing (`bearometer forget` is at work) was known in time.
MENTIONS = """
SELECT mentions.symbol, mentions.post_id, mentions.published_at,
    coalesce(mentions.story, mentions.fingerprint) AS story, mentions.author, mentions.source, mentions.label,
    posts.ingested_at
FROM mentions LEFT JOIN posts ON posts.published_at = mentions.published_at AND posts.id = mentions.post_id
WHERE NOT mentions.spam"""
# The keys of topic_key and MARKET, bearometer/post.py.
WHOLE_POSTS = """
SELECT key.symbol, mentions.id AS post_id, mentions.published_at,
    coalesce(mentions.story, mentions.fingerprint) AS story, mentions.author, mentions.source, mentions.label,
    mentions.ingested_at
FROM posts AS mentions CROSS JOIN LATERAL (VALUES ('*'), ('#' || mentions.topic)) AS key (symbol)
WHERE key.symbol IS NOT NULL AND mentions.label IS NOT NULL AND mentions.spam = '{}'"""

FIRST = " AND mentions.published_at >= :since"
# What this snapshot sees and the last one did not: each mention once, whichever order transactions commit in. A
# cursor by xmin alone would hold back what is committed beside a long transaction, and `progress` would be ahead of
# it. The upper bound passes over rows of a restored backup, whose ids may be ahead of a new server's.
LATER = """
  AND mentions.stored_xid >= pg_snapshot_xmin(CAST(:seen AS pg_snapshot))
  AND mentions.stored_xid < pg_snapshot_xmax(pg_current_snapshot())
  AND NOT pg_visible_in_snapshot(mentions.stored_xid, CAST(:seen AS pg_snapshot))"""


@dataclass(frozen=True, slots=True)
class Poll:
    """What one look at the stores gives: how far event time has come, and the mentions that are new."""

    watermark: datetime | None
    mentions: int
    """How many were taken."""


def read_snapshot(connection: Connection) -> str:
    """What the transaction sees, to be handed to the next `read_poll`."""
    snapshot: str = connection.execute(text("SELECT CAST(pg_current_snapshot() AS text)")).scalar_one()
    return snapshot


def read_poll(
    connection: Connection,
    seen: str | None,
    since: datetime,
    idle_after_seconds: float,
    take: Callable[[Iterable[SeenMention]], None],
    *,
    whole_posts: bool,
) -> Poll:
    """Give `take` what is to be seen now and was not in the snapshot `seen`; without one, all of `since` or later.

    Spam, and what no model was asked about, is left out. A first poll may be of millions: it is read in chunks, in no
    order, and however long that takes.
    """
    if seen is None:
        connection.execute(NO_TIMEOUT)
    watermark = connection.execute(WATERMARK, {"idle_after_seconds": idle_after_seconds}).scalar_one()
    new = FIRST if seen is None else LATER
    sources = [MENTIONS, *([WHOLE_POSTS] if whole_posts else [])]
    statement = " UNION ALL ".join(source + new for source in sources)
    parameters: dict[str, Any] = {"since": since} if seen is None else {"seen": seen}
    counted = _Counted(_read(connection, statement, parameters))
    take(counted)
    return Poll(None if watermark is None else watermark.astimezone(UTC), counted.count)


class _Counted:
    """The mentions, and how many of them were taken."""

    def __init__(self, mentions: Iterator[SeenMention]) -> None:
        self._mentions = mentions
        self.count = 0

    def __iter__(self) -> Iterator[SeenMention]:
        for mention in self._mentions:
            self.count += 1
            yield mention


def _read(connection: Connection, statement: str, parameters: dict[str, Any]) -> Iterator[SeenMention]:
    # With each name that comes often held once.
    rows = connection.execute(text(statement), parameters, execution_options={"yield_per": CHUNK})
    for row in rows:
        yield SeenMention(
            symbol=intern(row.symbol),
            post_id=row.post_id,
            published_at=row.published_at.astimezone(UTC),
            story=row.story,
            author=row.author,
            source=intern(row.source),
            negative=row.label == "negative",
            on_time=row.ingested_at is None or row.ingested_at - row.published_at < ON_TIME,
        )
