"""The right of one process at a time to evaluate, and all that the evaluator reads and writes under it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from bearometer.alert import Alert, AlertState, Delivery, TopPost
from bearometer.errors import Unavailable
from bearometer.mention import NegativeMention
from storage import tables
from storage.alert_rows import alert_of, alert_row, alert_to_json
from storage.failures import translated_errors

__all__ = ["EVALUATOR_LOCK", "EvaluatorLease", "Poll"]

EVALUATOR_LOCK = 0x0BEA2004

WATERMARK = text("""
SELECT CASE WHEN bool_and(newest_at IS NOT NULL) THEN min(newest_at) END
FROM progress
WHERE updated_at >= (SELECT max(updated_at) FROM progress) - make_interval(secs => :idle_after_seconds)
""")

FIRST_NEGATIVES = text("""
SELECT symbol, post_id, published_at, fingerprint, author FROM mentions
WHERE label = 'negative' AND published_at >= :since
ORDER BY published_at, post_id, symbol
""")

# What this snapshot sees and the last one did not: each mention once, whichever order transactions commit in. A
# cursor by xmin alone would hold back what is committed beside a long transaction, and `progress` would be ahead of
# it. The upper bound passes over rows of a restored backup, whose ids may be ahead of a new server's.
NEW_NEGATIVES = text("""
SELECT symbol, post_id, published_at, fingerprint, author FROM mentions
WHERE label = 'negative'
  AND stored_xid >= pg_snapshot_xmin(CAST(:seen AS pg_snapshot))
  AND stored_xid < pg_snapshot_xmax(pg_current_snapshot())
  AND NOT pg_visible_in_snapshot(stored_xid, CAST(:seen AS pg_snapshot))
ORDER BY published_at, post_id, symbol
""")

TOP_POSTS = text("""
WITH ranked AS (
    SELECT mentions.post_id, mentions.published_at, mentions.negative, posts.text, posts.author, posts.followers,
        posts.url, count(*) OVER same_text - 1 AS repeats,
        row_number() OVER (same_text ORDER BY posts.followers DESC NULLS LAST, mentions.negative DESC, posts.id)
            AS place
    FROM mentions
    JOIN posts ON posts.published_at = mentions.published_at AND posts.id = mentions.post_id
    WHERE mentions.symbol = :symbol AND mentions.published_at >= :start AND mentions.published_at < :end
      AND mentions.label = 'negative'
    WINDOW same_text AS (PARTITION BY mentions.fingerprint)
)
SELECT * FROM ranked WHERE place = 1
ORDER BY repeats DESC, followers DESC NULLS LAST, negative DESC, post_id
LIMIT :limit
""")

MODELS = text("""
SELECT DISTINCT model FROM mentions
WHERE symbol = :symbol AND published_at >= :start AND published_at < :end
ORDER BY model
""")


@dataclass(frozen=True, slots=True)
class Poll:
    """What one look at the stores gives: how far event time has come, and the negative mentions that are new."""

    watermark: datetime | None
    negatives: tuple[NegativeMention, ...]


class EvaluatorLease:
    """Held until `release`, or until its connection ends: then every call raises Unavailable, and nothing is written.

    Everything goes over the one connection that holds the lock. Not to be shared between threads.
    """

    def __init__(self, connection: Connection, engine: Engine) -> None:
        self._connection = connection
        self._engine = engine
        self._seen: str | None = None
        self._lost = False

    def as_of(self) -> datetime | None:
        """Event time up to which the evaluation was committed; None before the first."""
        with self._transaction() as connection:
            moment = connection.execute(select(tables.evaluator.c.as_of)).scalar_one_or_none()
        return None if moment is None else moment.astimezone(UTC)

    def recent_alerts(self, ended_since: datetime) -> list[Alert]:
        """All pending and firing alerts, and those resolved at `ended_since` or later; the oldest first."""
        table = tables.alerts
        query = (
            select(table)
            .where(or_(table.c.state != str(AlertState.RESOLVED), table.c.resolved_at >= ended_since))
            .order_by(table.c.started_at, table.c.id)
        )
        with self._transaction() as connection:
            return [alert_of(row) for row in connection.execute(query)]

    def poll(self, since: datetime, idle_after_seconds: float) -> Poll:
        """The watermark, and the negative mentions committed since the poll before, in one snapshot.

        The first poll gives every negative mention with published_at >= `since`; each later one those committed
        since, late ones (before `since`) too: over the life of the lease each mention exactly once, in event time's
        order within a poll. The watermark is never ahead of the mentions: both are of the same snapshot, and a
        post and the progress past it are of the same transaction. It is the least `newest_at` of the partitions,
        without those whose progress was noted more than `idle_after_seconds` before the latest; None when there is
        none, or while one of them has not seen any time.
        """
        with self._transaction(snapshot=True) as connection:
            snapshot = connection.execute(text("SELECT CAST(pg_current_snapshot() AS text)")).scalar_one()
            watermark = connection.execute(WATERMARK, {"idle_after_seconds": idle_after_seconds}).scalar_one()
            if self._seen is None:
                rows = connection.execute(FIRST_NEGATIVES, {"since": since}).all()
            else:
                rows = connection.execute(NEW_NEGATIVES, {"seen": self._seen}).all()
        self._seen = snapshot
        return Poll(
            watermark=None if watermark is None else watermark.astimezone(UTC),
            negatives=tuple(
                NegativeMention(row.symbol, row.post_id, row.published_at.astimezone(UTC), row.fingerprint, row.author)
                for row in rows
            ),
        )

    def top_posts(self, symbol: str, start: datetime, end: datetime, limit: int) -> tuple[TopPost, ...]:
        """The distinct negative texts of `start` <= published_at < `end`.

        The most repeated first, then the most followed, then the most negative; of equal texts the most followed.
        """
        with self._transaction() as connection:
            rows = connection.execute(TOP_POSTS, {"symbol": symbol, "start": start, "end": end, "limit": limit}).all()
        return tuple(
            TopPost(
                id=row.post_id,
                text=row.text,
                published_at=row.published_at.astimezone(UTC),
                negative=row.negative,
                repeats=row.repeats,
                author=row.author,
                followers=row.followers,
                url=row.url,
            )
            for row in rows
        )

    def models(self, symbol: str, start: datetime, end: datetime) -> tuple[str, ...]:
        """The versions of the models that scored the symbol's mentions of `start` <= published_at < `end`."""
        with self._transaction() as connection:
            return tuple(connection.execute(MODELS, {"symbol": symbol, "start": start, "end": end}).scalars())

    def commit(self, as_of: datetime, alerts: Sequence[Alert], deliveries: Sequence[Delivery]) -> None:
        """Note the evaluation up to `as_of`, the alerts as they are now, and the messages to be sent: all or nothing.

        An alert of the same id is replaced; a delivery of an id that is there is left as it is.
        """
        with self._transaction() as connection:
            position = insert(tables.evaluator).values(single_row=1, as_of=as_of)
            connection.execute(
                position.on_conflict_do_update(index_elements=["single_row"], set_={"as_of": position.excluded.as_of})
            )
            for alert in alerts:
                row = alert_row(alert)
                upsert = insert(tables.alerts).values(row)
                changed: dict[str, Any] = {name: upsert.excluded[name] for name in row if name != "id"}
                changed["updated_at"] = text("clock_timestamp()")
                connection.execute(upsert.on_conflict_do_update(index_elements=["id"], set_=changed))
            for delivery in deliveries:
                connection.execute(
                    insert(tables.deliveries)
                    .values(
                        id=delivery.id,
                        alert_id=delivery.alert.id,
                        reason=str(delivery.reason),
                        notifier=delivery.notifier,
                        payload=alert_to_json(delivery.alert),
                        attempts=delivery.attempts,
                        next_attempt_at=delivery.next_attempt_at,
                    )
                    .on_conflict_do_nothing(index_elements=["id"])
                )

    def release(self) -> None:
        """Let another have it. May be called again, and after the connection was lost."""
        self._lost = True
        self._connection.close()

    @contextmanager
    def _transaction(self, snapshot: bool = False) -> Iterator[Connection]:
        # A connection that was lost must never be made anew: the new session would not hold the lock.
        if self._lost or self._connection.invalidated:
            message = "the evaluator's lease is over: its connection to Postgres was lost or released"
            raise Unavailable(message)
        try:
            with translated_errors(self._engine), self._connection.begin():
                if snapshot:
                    self._connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                yield self._connection
        except Unavailable:
            self._lost = True
            self._connection.invalidate()
            raise
