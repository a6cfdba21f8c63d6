"""The tables, as queries need them. Their making, with indexes and views, is in migrations/versions."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, Integer, MetaData, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import UserDefinedType

__all__ = [
    "alert_actions",
    "alerts",
    "deliveries",
    "evaluator",
    "labels",
    "mentions",
    "metadata",
    "model_changes",
    "models",
    "post_ids",
    "posts",
    "progress",
    "shadow_scores",
    "silences",
    "sources",
    "stream_workers",
]

metadata = MetaData()


class Xid8(UserDefinedType[str]):
    """Postgres' transaction id of 64 bits, which never comes round again."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Its name in SQL."""
        return "xid8"


def _time() -> DateTime:
    return DateTime(timezone=True)


post_ids = Table(
    "post_ids",
    metadata,
    Column("id", Text, primary_key=True),
    Column("published_at", _time(), nullable=False),
    comment="A partitioned table cannot hold an id unique across its months; this one does.",
)

posts = Table(
    "posts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("published_at", _time(), primary_key=True),
    Column("ingested_at", _time(), nullable=False),
    Column("stored_at", _time(), nullable=False),
    Column("stored_xid", Xid8, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("author", Text),
    Column("followers", BigInteger),
    Column("url", Text),
    Column("links", ARRAY(Text), nullable=False),
    Column("language", Text, nullable=False),
    Column("symbols", ARRAY(Text), nullable=False),
    Column("engagement", BigInteger, nullable=False),
    Column("negative", Double),
    Column("neutral", Double),
    Column("positive", Double),
    Column("label", Text),
    Column("topic", Text),
    Column("topics", JSONB, nullable=False),
    Column("model", Text),
    Column("story", Text),
    Column("spam", ARRAY(Text), nullable=False),
    Column("unscored", Text),
)

mentions = Table(
    "mentions",
    metadata,
    Column("post_id", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("published_at", _time(), primary_key=True),
    Column("position", SmallInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("author", Text),
    Column("negative", Double, nullable=False),
    Column("neutral", Double, nullable=False),
    Column("positive", Double, nullable=False),
    Column("label", Text, nullable=False),
    Column("topic", Text),
    Column("model", Text, nullable=False),
    Column("stored_xid", Xid8, nullable=False),
    Column("in_text", Boolean, nullable=False),
    Column("story", Text),
    Column("spam", Boolean, nullable=False),
)

progress = Table(
    "progress",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("newest_at", _time()),
    Column("updated_at", _time(), nullable=False),
)

evaluator = Table(
    "evaluator",
    metadata,
    Column("single_row", Integer, primary_key=True),
    Column("as_of", _time(), nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_at", _time(), nullable=False),
    Column("fired_at", _time()),
    Column("resolved_at", _time()),
    Column("quiet_since", _time()),
    Column("peak_start", _time(), nullable=False),
    Column("peak_end", _time(), nullable=False),
    Column("negative", Integer, nullable=False),
    Column("expected", Double, nullable=False),
    Column("p_value", Double, nullable=False),
    Column("authors", Integer, nullable=False),
    Column("evidence", JSONB),
    Column("created_at", _time(), nullable=False),
    Column("updated_at", _time(), nullable=False),
    Column("severity", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("posts", Integer),
    Column("per_year", Double),
    Column("acknowledged_by", Text),
    Column("acknowledged_at", _time()),
    Column("acknowledged_comment", Text),
    Column("told", JSONB),
    Column("told_at", _time()),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("number", BigInteger, nullable=False),
    Column("id", Text, primary_key=True),
    Column("alert_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("notifier", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("next_attempt_at", _time(), nullable=False),
    Column("created_at", _time(), nullable=False),
    Column("sent_at", _time()),
    Column("receipt", Text),
    Column("others", JSONB, nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("event_at", _time()),
)

silences = Table(
    "silences",
    metadata,
    Column("id", Text, primary_key=True),
    Column("symbol", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("starts_at", _time(), nullable=False),
    Column("ends_at", _time(), nullable=False),
    Column("created_at", _time(), nullable=False),
)

alert_actions = Table(
    "alert_actions",
    metadata,
    Column("number", BigInteger, primary_key=True),
    Column("alert_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", _time(), nullable=False),
    Column("applied_at", _time()),
)

models = Table(
    "models",
    metadata,
    Column("version", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("files", JSONB, nullable=False),
    Column("card", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("registered_at", _time(), nullable=False),
    Column("registered_by", Text, nullable=False),
)

model_changes = Table(
    "model_changes",
    metadata,
    Column("number", BigInteger, primary_key=True),
    Column("changed_at", _time(), nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("version", Text),
    Column("previous", Text),
)

stream_workers = Table(
    "stream_workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seen_at", _time(), nullable=False),
    Column("version", Text, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("wanted", Text),
    Column("problem", Text),
    Column("shadow", Text),
    Column("shadow_scored", BigInteger, nullable=False),
    Column("shadow_dropped", BigInteger, nullable=False),
    Column("shadow_problem", Text),
)

shadow_scores = Table(
    "shadow_scores",
    metadata,
    Column("model", Text, primary_key=True),
    Column("published_at", _time(), primary_key=True),
    Column("post_id", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("negative", Double, nullable=False),
    Column("neutral", Double, nullable=False),
    Column("positive", Double, nullable=False),
    Column("label", Text, nullable=False),
    Column("topic", Text),
    Column("scored_at", _time(), nullable=False),
)

labels = Table(
    "labels",
    metadata,
    Column("post_id", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("who", Text, primary_key=True),
    Column("label", Text),
    Column("topic", Text),
    Column("text", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("model", Text),
    Column("model_label", Text),
    Column("labelled_at", _time(), nullable=False),
)

sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("cursor", Text),
    Column("paused", Boolean, nullable=False),
    Column("posts", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("last_error", Text),
    Column("newest_published_at", _time()),
    Column("polled_at", _time()),
    Column("updated_at", _time(), nullable=False),
)
