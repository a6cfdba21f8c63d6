"""Drop what is old: posts by whole months, everything else row by row, a few at a time."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Engine, TextClause, text

from storage.failures import translated_errors
from storage.partitions import drop_month, month_of, stored_months
from storage.post_statements import NO_TIMEOUT

__all__ = ["TABLES", "Pruned", "TableName", "prune"]

TableName = Literal["posts", "shadow", "alerts", "labels"]
TABLES: tuple[TableName, ...] = ("posts", "shadow", "alerts", "labels")

IDS_PER_LOOK = 20_000
ROWS_PER_DELETE = 50_000
ALERTS_PER_DELETE = 500


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was dropped."""

    months: tuple[str, ...] = ()
    """Of posts and mentions, such as `2024-03`, the oldest first."""
    post_ids: int = 0
    shadow_scores: int = 0
    alerts: int = 0
    messages: int = 0
    labels: int = 0


def prune(engine: Engine, before: datetime, tables: Collection[TableName], *, dry_run: bool = False) -> Pruned:
    """Drop what is older than `before` from these tables; with `dry_run` only say what that is.

    - posts: the months of posts and mentions that are over by then, and the ids of their posts. A post of before that
      is stored meanwhile keeps its id.
    - shadow: a shadow model's scores of posts that were published in those months.
    - alerts: those that were over by then, with their messages, unless one of these still waits.
    - labels: what people said by then.

    Safe beside all workers; killed anywhere, call it again. Transient when a month stays in use for some seconds.
    """
    month = month_of(before)
    with translated_errors(engine):
        return Pruned(
            months=_drop_months(engine, month, dry_run=dry_run) if "posts" in tables else (),
            post_ids=_forget_ids(engine, month, dry_run=dry_run) if "posts" in tables else 0,
            shadow_scores=_delete(engine, SHADOW, ROWS_PER_DELETE, month, dry_run)["shadow_scores"]
            if "shadow" in tables
            else 0,
            **_delete(engine, ALERTS, ALERTS_PER_DELETE, before, dry_run) if "alerts" in tables else {},
            **_delete(engine, LABELS, ROWS_PER_DELETE, before, dry_run) if "labels" in tables else {},
        )


def _drop_months(engine: Engine, before: datetime, *, dry_run: bool) -> tuple[str, ...]:
    with engine.connect() as connection:
        months = [month for month in stored_months(connection) if month < (before.year, before.month)]
    for month in months if not dry_run else ():
        drop_month(engine, *month)
    return tuple(f"{year:04}-{month:02}" for year, month in months)


def _forget_ids(engine: Engine, before: datetime, *, dry_run: bool) -> int:
    """After the months: an id that came back without its post's row would be a post twice."""
    if dry_run:
        with engine.connect() as connection:
            connection.execute(NO_TIMEOUT)
            return int(connection.execute(COUNT_IDS, {"before": before}).scalar_one())
    deleted = 0
    after: str | None = ""
    while after is not None:
        with engine.begin() as connection:
            after, count = connection.execute(
                DELETE_IDS, {"after": after, "before": before, "limit": IDS_PER_LOOK}
            ).one()
        deleted += count
    return deleted


def _delete(engine: Engine, statement: TextClause, limit: int, before: datetime, dry_run: bool) -> dict[str, int]:
    """Run it until it finds no more; its columns are counts, the first one of what `limit` is of."""
    totals: dict[str, int] = {}
    while True:
        with engine.connect() as connection:
            connection.execute(NO_TIMEOUT)
            found: Any = (
                connection.execute(statement, {"before": before, "limit": None if dry_run else limit}).mappings().one()
            )
            connection.rollback() if dry_run else connection.commit()
        totals = {name: totals.get(name, 0) + count for name, count in found.items()}
        if dry_run or next(iter(found.values())) == 0:
            return totals


COUNT_IDS = text("SELECT count(*) FROM post_ids WHERE published_at < :before")

# By their order, so that each is looked at once; the id of a post that is there must stay.
DELETE_IDS = text("""
WITH page AS MATERIALIZED (
    SELECT id, published_at FROM post_ids WHERE id > :after ORDER BY id LIMIT :limit
), gone AS (
    DELETE FROM post_ids USING page
    WHERE post_ids.id = page.id AND page.published_at < :before AND NOT EXISTS (
        SELECT FROM posts WHERE posts.published_at = page.published_at AND posts.id = page.id)
    RETURNING 1
)
SELECT max(id), (SELECT count(*) FROM gone) FROM page
""")

SHADOW = text("""
WITH gone AS (
    DELETE FROM shadow_scores
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM shadow_scores WHERE published_at < :before LIMIT :limit))
    RETURNING 1
)
SELECT count(*) AS shadow_scores FROM gone
""")

# A message is told of one alert and may quote others: it goes with the one that it is of.
ALERTS = text("""
WITH old AS MATERIALIZED (
    SELECT id FROM alerts
    WHERE state = 'resolved' AND resolved_at < :before
        AND NOT EXISTS (SELECT FROM deliveries WHERE alert_id = alerts.id AND status = 'waiting')
    ORDER BY id LIMIT :limit FOR UPDATE
), messages AS (
    DELETE FROM deliveries USING old WHERE alert_id = old.id RETURNING 1
), actions AS (
    DELETE FROM alert_actions USING old WHERE alert_id = old.id RETURNING 1
), gone AS (
    DELETE FROM alerts USING old WHERE alerts.id = old.id RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS alerts, (SELECT count(*) FROM messages) AS messages
""")

LABELS = text("""
WITH gone AS (
    DELETE FROM labels
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM labels WHERE labelled_at < :before LIMIT :limit))
    RETURNING 1
)
SELECT count(*) AS labels FROM gone
""")
