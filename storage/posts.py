"""Posts and mentions in Postgres: each post once, whatever is delivered again and by whom."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, RowMapping, delete, select, text
from sqlalchemy.exc import DBAPIError

from bearometer.errors import Transient
from bearometer.mention import Mention, Scored, Sentiment
from bearometer.post import Post
from bearometer.progress import Progress
from storage import tables
from storage.failures import translated_errors
from storage.partitions import Partitions

__all__ = ["PostStore", "StoredCounts"]

REBUILD_LOCK = 0x0BEA2003
CHUNK = 1000
NO_PARTITION = "23514"
"""SQLSTATE check_violation, which is also what a row without a partition gets."""

# One statement and one round trip. A JSON parameter in place of COPY to temporary tables: no tables are made and
# dropped per batch (that bloats the catalogue), it works behind a pooler, and it is a fifth faster (measured on two
# busy cores: 5,900 against 4,900 posts a second in batches of 64, 11,600 against 9,100 in batches of 512).
# Ids are claimed in sorted order, so that two workers with the same posts wait for each other and never deadlock;
# the loser of a claim waits until the winner has committed, and then finds the winner's post.
INSERT_BATCH = text("""
WITH batch AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:posts AS jsonb)) AS batch (
        id text, source text, text text, published_at timestamptz, ingested_at timestamptz, fingerprint text,
        author text, followers bigint, url text, links text[], language text, symbols text[], engagement bigint,
        negative double precision, neutral double precision, positive double precision, label text, topic text,
        topics jsonb, model text)
), claimed AS (
    INSERT INTO post_ids (id, published_at) SELECT id, published_at FROM batch ORDER BY id
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), inserted AS (
    INSERT INTO posts (
        id, source, text, published_at, ingested_at, fingerprint, author, followers, url, links, language, symbols,
        engagement, negative, neutral, positive, label, topic, topics, model)
    SELECT id, source, text, published_at, ingested_at, fingerprint, author, followers, url, links, language, symbols,
        engagement, negative, neutral, positive, label, topic, topics, model
    FROM batch JOIN claimed USING (id)
), mentioned AS (
    INSERT INTO mentions (
        post_id, symbol, published_at, position, source, fingerprint, author, negative, neutral, positive, label,
        topic, model)
    SELECT id, mention.symbol, published_at, mention.position, source, fingerprint, author, mention.negative,
        mention.neutral, mention.positive, mention.label, topic, model
    FROM batch JOIN claimed USING (id) JOIN jsonb_to_recordset(CAST(:mentions AS jsonb)) AS mention (
        post_id text, symbol text, position smallint, negative double precision, neutral double precision,
        positive double precision, label text) ON mention.post_id = id
)
SELECT id FROM claimed
""")

UPSERT_PROGRESS = text("""
INSERT INTO progress AS old (topic, partition, next_offset, newest_at, updated_at)
VALUES (:topic, :partition, :next_offset, :newest_at, clock_timestamp())
ON CONFLICT (topic, partition) DO UPDATE SET
    next_offset = greatest(old.next_offset, excluded.next_offset),
    newest_at = greatest(old.newest_at, excluded.newest_at),
    updated_at = excluded.updated_at
""")

EXPECT_PARTITIONS = text("""
INSERT INTO progress (topic, partition, next_offset, updated_at)
SELECT :topic, partition, 0, clock_timestamp() FROM generate_series(0, :partitions - 1) AS partition
ON CONFLICT (topic, partition) DO NOTHING
""")

SCORED = """
SELECT posts.*, (
    SELECT jsonb_agg(jsonb_build_array(symbol, negative, neutral, positive) ORDER BY position)
    FROM mentions WHERE mentions.published_at = posts.published_at AND mentions.post_id = posts.id
) AS mentions
FROM posts
"""

STORED_BY_ID = text(
    SCORED + "JOIN post_ids ON post_ids.id = posts.id AND post_ids.published_at = posts.published_at"
    " WHERE post_ids.id = ANY(:ids)"
)

# A late post renews its bucket, so the bucket's other posts belong to what Redis holds, however old they are.
STORED_SINCE = text(
    "WITH minutes AS (SELECT DISTINCT date_trunc('minute', published_at, 'UTC') AS minute FROM posts"
    " WHERE stored_at >= :since) "
    + SCORED
    + "JOIN minutes ON posts.published_at >= minute AND posts.published_at < minute + interval '1 minute'"
)

COUNTS = text("""
SELECT
    (SELECT count(*) FROM posts WHERE source = :source) AS posts,
    (SELECT count(*) FROM mentions WHERE source = :source) AS mentions,
    (SELECT count(DISTINCT fingerprint) FROM posts WHERE source = :source) AS texts
""")


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """What is stored of one source; `repeats` are posts that say what another post of the source says."""

    posts: int
    mentions: int
    repeats: int


class PostStore:
    """The posts, their mentions, and how far the stream has come. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._partitions = Partitions(engine)

    def save(self, batch: Sequence[Scored], progress: Sequence[Progress]) -> list[Scored]:
        """Insert the posts and mentions that are not there yet, and note the progress, in one transaction.

        Gives the distinct posts of the batch, in order, as stored: for an id that was there before, in this batch or
        in any other, the post and the score that came first. So a batch that is delivered again, or scored again by
        another model, changes nothing, and what goes to Redis is what Postgres holds. (A post whose month somebody
        has dropped is neither stored anew nor given back.)

        Of a progress neither `next_offset` nor `newest_at` goes back, whatever a worker that lost the partition says.
        Transient when the same call may succeed later, Unavailable when the server is away; then nothing is stored.
        Blocks while another worker stores the same posts.
        """
        first: dict[str, Scored] = {}
        for scored in batch:
            storable = _storable(scored)
            first.setdefault(storable.post.id, storable)
        with translated_errors(self._engine), self._dropped_months_are_retried():
            self._partitions.ensure(scored.post.published_at for scored in first.values())
            with self._engine.begin() as connection:
                new = _insert(connection, list(first.values())) if first else set()
                known = _stored_by_id(connection, first.keys() - new)
                for one in sorted(progress, key=lambda p: (p.topic, p.partition)):
                    connection.execute(UPSERT_PROGRESS, {name: getattr(one, name) for name in one.__slots__})
        return [first[id_] if id_ in new else known[id_] for id_ in first if id_ in new or id_ in known]

    def progress(self, topic: str) -> list[Progress]:
        """How far each partition of the topic has come, by partition."""
        table = tables.progress
        query = select(table).where(table.c.topic == topic).order_by(table.c.partition)
        with translated_errors(self._engine), self._engine.connect() as connection:
            return [
                Progress(row.topic, row.partition, row.next_offset, _utc(row.newest_at))
                for row in connection.execute(query)
            ]

    def expect_partitions(self, topic: str, partitions: int) -> None:
        """Say how many partitions there are before the first message of each has come; again changes nothing.

        Event time then waits for all of them: without this it would follow whichever partition is read first.
        """
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(EXPECT_PARTITIONS, {"topic": topic, "partitions": partitions})

    def reset_progress(self, topic: str) -> None:
        """Forget how far the topic's partitions have come: a fresh broker begins again at offset 0."""
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(delete(tables.progress).where(tables.progress.c.topic == topic))

    def stored_since(self, since: datetime) -> Iterator[list[Scored]]:
        """All posts of the minutes (of event time) in which any post was stored at `since` or later, in chunks.

        One snapshot, read in a transaction that stays open until the iterator ends; the order is not defined.
        """
        with translated_errors(self._engine), self._engine.connect() as connection:
            streaming = connection.execution_options(yield_per=CHUNK)
            for rows in streaming.execute(STORED_SINCE, {"since": since}).mappings().partitions():
                yield [_scored(row) for row in rows]

    def counts(self, source: str) -> StoredCounts:
        """How much of a source is stored; looks at every row."""
        with translated_errors(self._engine), self._engine.connect() as connection:
            row = connection.execute(COUNTS, {"source": source}).one()
        return StoredCounts(posts=row.posts, mentions=row.mentions, repeats=row.posts - row.texts)

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        """Hold the lock that lets one process at a time rebuild the windows; blocks until the others are done.

        The end of the process, or of its connection, frees the lock.
        """
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": REBUILD_LOCK})
            yield

    @contextmanager
    def _dropped_months_are_retried(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if getattr(error.orig, "pgcode", None) == NO_PARTITION and "no partition" in str(error.orig):
                self._partitions.forget()
                message = "a month's partition was dropped while posts of that month came in; to be tried again"
                raise Transient(message) from error
            raise


def _insert(connection: Connection, batch: Sequence[Scored]) -> set[str]:
    posts = [_post_row(scored) for scored in batch]
    mentions = [
        {"post_id": scored.post.id, "symbol": mention.symbol, "position": position, **_sentiment(mention.sentiment)}
        for scored in batch
        for position, mention in enumerate(scored.mentions)
    ]
    parameters = {"posts": orjson.dumps(posts).decode(), "mentions": orjson.dumps(mentions).decode()}
    return set(connection.execute(INSERT_BATCH, parameters).scalars())


def _stored_by_id(connection: Connection, ids: Iterable[str]) -> dict[str, Scored]:
    wanted = list(ids)
    if not wanted:
        return {}
    return {row["id"]: _scored(row) for row in connection.execute(STORED_BY_ID, {"ids": wanted}).mappings()}


def _post_row(scored: Scored) -> dict[str, Any]:
    post = scored.post
    row = {name: getattr(post, name) for name in post.__slots__}
    return {
        **row,
        **_sentiment(scored.sentiment),
        "topic": scored.topic,
        "topics": scored.topics,
        "model": scored.model,
    }


def _sentiment(sentiment: Sentiment) -> dict[str, float | str]:
    return {
        "negative": sentiment.negative,
        "neutral": sentiment.neutral,
        "positive": sentiment.positive,
        "label": sentiment.label,
    }


def _scored(row: RowMapping) -> Scored:
    return Scored(
        post=Post(
            id=row["id"],
            source=row["source"],
            text=row["text"],
            published_at=row["published_at"].astimezone(UTC),
            ingested_at=row["ingested_at"].astimezone(UTC),
            fingerprint=row["fingerprint"],
            symbols=tuple(row["symbols"]),
            author=row["author"],
            followers=row["followers"],
            url=row["url"],
            links=tuple(row["links"]),
            language=row["language"],
            engagement=row["engagement"],
        ),
        sentiment=Sentiment(row["negative"], row["neutral"], row["positive"]),
        mentions=tuple(
            Mention(symbol, Sentiment(float(negative), float(neutral), float(positive)))
            for symbol, negative, neutral, positive in row["mentions"] or ()
        ),
        model=row["model"],
        topics={topic: float(probability) for topic, probability in row["topics"].items()},
    )


def _storable(scored: Scored) -> Scored:
    """The same, without what Postgres cannot hold: NUL, halves of surrogate pairs, numbers beyond 64 bits.

    Normalising has removed these; a message that came another way must not stop the worker.
    """
    post = scored.post
    changes: dict[str, Any] = {}
    for name in post.__slots__:
        value = getattr(post, name)
        clean = _clean(value)
        if clean != value:
            changes[name] = clean
    mentions: dict[str, Sentiment] = {}
    for mention in scored.mentions:
        mentions.setdefault(_clean(mention.symbol), mention.sentiment)
    return replace(
        scored,
        post=replace(post, **changes) if changes else post,
        mentions=tuple(Mention(symbol, sentiment) for symbol, sentiment in mentions.items()),
    )


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        clean = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return clean if clean.isascii() else clean.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, tuple):
        return tuple(_clean(item) for item in value)
    if isinstance(value, int):
        return max(-(2**63), min(value, 2**63 - 1))
    return value


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
