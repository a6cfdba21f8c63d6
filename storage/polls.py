"""What is new in the stores since the evaluator looked last: how far event time has come, and the mentions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern
from typing import Any

from sqlalchemy import Connection, text

from bearometer.mention import SeenMention

__all__ = ["Poll", "read_poll", "read_snapshot"]

CHUNK = 5_000

WATERMARK = text("""
SELECT CASE WHEN bool_and(newest_at IS NOT NULL) THEN min(newest_at) END
FROM progress
WHERE updated_at >= (SELECT max(updated_at) FROM progress) - make_interval(secs => :idle_after_seconds)
""")

COLUMNS = "symbol, post_id, published_at, fingerprint, author, source, label"
MENTIONS = f"SELECT {COLUMNS} FROM mentions WHERE true"
# The keys of topic_key and MARKET, bearometer/post.py.
WHOLE_POSTS = """
SELECT key.symbol, id AS post_id, published_at, fingerprint, author, source, label
FROM posts CROSS JOIN LATERAL (VALUES ('*'), ('#' || topic)) AS key (symbol)
WHERE key.symbol IS NOT NULL"""

FIRST = " AND published_at >= :since"
# What this snapshot sees and the last one did not: each mention once, whichever order transactions commit in. A
# cursor by xmin alone would hold back what is committed beside a long transaction, and `progress` would be ahead of
# it. The upper bound passes over rows of a restored backup, whose ids may be ahead of a new server's.
LATER = """
  AND stored_xid >= pg_snapshot_xmin(CAST(:seen AS pg_snapshot))
  AND stored_xid < pg_snapshot_xmax(pg_current_snapshot())
  AND NOT pg_visible_in_snapshot(stored_xid, CAST(:seen AS pg_snapshot))"""


@dataclass(frozen=True, slots=True)
class Poll:
    """What one look at the stores gives: how far event time has come, and the mentions that are new."""

    watermark: datetime | None
    mentions: tuple[SeenMention, ...]


def read_snapshot(connection: Connection) -> str:
    """What the transaction sees, to be handed to the next `read_poll`."""
    snapshot: str = connection.execute(text("SELECT CAST(pg_current_snapshot() AS text)")).scalar_one()
    return snapshot


def read_poll(
    connection: Connection,
    seen: str | None,
    since: datetime,
    idle_after_seconds: float,
    *,
    whole_posts: bool,
) -> Poll:
    """What is to be seen now and was not in the snapshot `seen`; without one, all published at `since` or later."""
    watermark = connection.execute(WATERMARK, {"idle_after_seconds": idle_after_seconds}).scalar_one()
    new = FIRST if seen is None else LATER
    sources = [MENTIONS, *([WHOLE_POSTS] if whole_posts else [])]
    statement = " UNION ALL ".join(source + new for source in sources) + "\nORDER BY published_at, post_id, symbol"
    parameters: dict[str, Any] = {"since": since} if seen is None else {"seen": seen}
    mentions = tuple(_read(connection, statement, parameters))
    return Poll(None if watermark is None else watermark.astimezone(UTC), mentions)


def _read(connection: Connection, statement: str, parameters: dict[str, Any]) -> Iterator[SeenMention]:
    # A first poll may be of millions: read in chunks, and with each name that comes often held once.
    rows = connection.execute(text(statement), parameters, execution_options={"yield_per": CHUNK})
    for row in rows:
        yield SeenMention(
            symbol=intern(row.symbol),
            post_id=row.post_id,
            published_at=row.published_at.astimezone(UTC),
            fingerprint=row.fingerprint,
            author=row.author,
            source=intern(row.source),
            negative=row.label == "negative",
        )
