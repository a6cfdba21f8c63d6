"""Posts and mentions in Postgres: each post once, whatever is delivered again and by whom."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, RowMapping, TextClause, delete, select, text
from sqlalchemy.exc import DBAPIError

from bearometer.errors import Transient
from bearometer.mention import Mention, Scored, Sentiment, Unscored
from bearometer.post import Post
from bearometer.progress import Progress
from bearometer.window import floor_minute
from storage import tables
from storage.failures import translated_errors
from storage.partitions import Partitions
from storage.post_statements import (
    COUNTS,
    EXPECT_PARTITIONS,
    FRESH_BY_ID,
    INSERT_BATCH,
    NO_TIMEOUT,
    REST_OF_MINUTES,
    STORED_BY_ID,
    STORED_SINCE,
    UPSERT_PROGRESS,
)

__all__ = ["PostStore", "StoredCounts", "clean_value"]

REBUILD_LOCK = 0x0BEA2003
CHUNK = 1000
NO_PARTITION = "23514"
"""SQLSTATE check_violation, which is also what a row without a partition gets."""


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """What is stored of one source."""

    posts: int
    mentions: int
    stories: int
    """Distinct ones that the posts tell; posts that were stored before stories were told apart count by their text."""
    spam: int
    unscored: int


class PostStore:
    """The posts, their mentions, and how far the stream has come. Safe to share between threads."""

    def __init__(self, engine: Engine, windows_live: timedelta = timedelta(hours=50)) -> None:
        """`windows_live` is how long Redis keeps a bucket (`redis.ttl_hours`); only `save` needs it."""
        self._engine = engine
        self._partitions = Partitions(engine)
        self._lives = {"windows_live": windows_live, "settled_after": windows_live / 2}

    def save(self, batch: Sequence[Scored | Unscored], progress: Sequence[Progress]) -> list[Scored]:
        """Insert the posts and mentions that are not there yet, and note the progress, in one transaction.

        Gives what is to be added to the windows: the distinct posts of the batch that have a score, in order, as
        stored. For an id that
        was there before, in this batch or in any other, that is the post and the score that came first. So a batch
        that is delivered again, or scored again by another model, changes nothing, and what goes to Redis is what
        Postgres holds. (A post whose month somebody has dropped is neither stored anew nor given back.)

        A bucket whose posts were all stored longer than `windows_live` ago has expired, and one that began again with
        only some of its minute's posts would be wrong. So, for minutes longer ago than half of `windows_live`:

        - A post that was stored longer ago than that half, such as one that a feed lists again, is given only when
          some post of its minute was stored within `windows_live`: the bucket should live then, and else it should not.
        - With the posts of a minute whose bucket should live come, after all others, the minute's posts that were
          stored longer ago than that half. Those stored since are in a bucket that still lives, or in a batch that
          will be delivered again.

        That is judged by when posts were stored, not by whether this call stored them: a batch that is delivered again
        after a crash between Postgres and Redis is still added whole, and a rebuild reads the same minutes. What is
        given must be added within half of `windows_live`.

        Of a progress neither `next_offset` nor `newest_at` goes back, whatever a worker that lost the partition says.
        Transient when the same call may succeed later, Unavailable when the server is away; then nothing is stored.
        Blocks while another worker stores the same posts.
        """
        first: dict[str, Scored | Unscored] = {}
        for one in batch:
            storable = _storable(one)
            first.setdefault(storable.post.id, storable)
        with translated_errors(self._engine), self._dropped_months_are_retried():
            self._partitions.ensure(one.post.published_at for one in first.values())
            with self._engine.begin() as connection:
                found = self._store(connection, first) if first else []
                for step in sorted(progress, key=lambda p: (p.topic, p.partition)):
                    connection.execute(UPSERT_PROGRESS, {name: getattr(step, name) for name in step.__slots__})
        return found

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

        One snapshot, read in a transaction that stays open until the iterator ends, however long that takes; the
        order is not defined.
        """
        with translated_errors(self._engine), self._engine.connect() as connection:
            connection.execute(NO_TIMEOUT)
            streaming = connection.execution_options(yield_per=CHUNK)
            for rows in streaming.execute(STORED_SINCE, {"since": since}).mappings().partitions():
                yield [_scored(row) for row in rows]

    def find(self, ids: Sequence[str]) -> dict[str, Scored]:
        """The posts with these ids, by id, as stored; an id that is not stored is left out."""
        with translated_errors(self._engine), self._engine.connect() as connection:
            return _read(connection, STORED_BY_ID, {"ids": list(ids)})

    def counts(self, source: str) -> StoredCounts:
        """How much of a source is stored; looks at every row."""
        with translated_errors(self._engine), self._engine.connect() as connection:
            row = connection.execute(COUNTS, {"source": source}).one()
        return StoredCounts(**row._asdict())

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        """Hold the lock that lets one process at a time rebuild the windows; blocks until the others are done.

        The end of the process, or of its connection, frees the lock.
        """
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(NO_TIMEOUT)
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": REBUILD_LOCK})
            yield

    def _store(self, connection: Connection, first: Mapping[str, Scored | Unscored]) -> list[Scored]:
        posts = [_post_row(one) for one in first.values()]
        mentions = [
            {
                "post_id": scored.post.id,
                "symbol": mention.symbol,
                "position": position,
                "in_text": mention.in_text,
                **_sentiment(mention.sentiment),
            }
            for scored in first.values()
            if isinstance(scored, Scored)
            for position, mention in enumerate(scored.mentions)
        ]
        parameters = {"posts": orjson.dumps(posts).decode(), "mentions": orjson.dumps(mentions).decode()}
        new = set(connection.execute(INSERT_BATCH, parameters).scalars())
        found = {id_: one for id_, one in first.items() if id_ in new and isinstance(one, Scored)}
        known = [id_ for id_ in first if id_ not in new]
        if known:
            found |= _read(connection, FRESH_BY_ID, {"ids": known, **self._lives})
        rest = self._rest_of_minutes(connection, first, found)
        return [*(found[id_] for id_ in first if id_ in found), *rest]

    def _rest_of_minutes(
        self, connection: Connection, batch: Mapping[str, Scored | Unscored], found: Mapping[str, Scored]
    ) -> Iterable[Scored]:
        minutes = sorted({floor_minute(one.post.published_at) for one in batch.values()})
        parameters = {
            "minutes": minutes,
            "first": minutes[0],
            "last": minutes[-1].replace(second=59, microsecond=999_999),
            "found": list(found),
            **self._lives,
        }
        ids = list(connection.execute(REST_OF_MINUTES, parameters).scalars())
        return _read(connection, STORED_BY_ID, {"ids": ids}).values() if ids else ()

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


def _read(connection: Connection, statement: TextClause, parameters: Mapping[str, Any]) -> dict[str, Scored]:
    return {row["id"]: _scored(row) for row in connection.execute(statement, parameters).mappings()}


def _post_row(one: Scored | Unscored) -> dict[str, Any]:
    row = {name: getattr(one.post, name) for name in one.post.__slots__} | {
        "story": one.story or None,
        "spam": one.spam,
    }
    if isinstance(one, Unscored):
        return row | {"topics": {}, "unscored": one.because}
    return row | _sentiment(one.sentiment) | {"topic": one.topic, "topics": one.topics, "model": one.model}


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
            Mention(symbol, Sentiment(float(negative), float(neutral), float(positive)), in_text)
            for symbol, negative, neutral, positive, in_text in row["mentions"] or ()
        ),
        model=row["model"],
        topics={topic: float(probability) for topic, probability in row["topics"].items()},
        story=row["story"] or "",
        spam=tuple(row["spam"]),
    )


def _storable(one: Scored | Unscored) -> Scored | Unscored:
    """The same, without what Postgres cannot hold: NUL, halves of surrogate pairs, numbers beyond 64 bits.

    Normalising has removed these; a message that came another way must not stop the worker.
    """
    post = one.post
    changes: dict[str, Any] = {}
    for name in post.__slots__:
        value = getattr(post, name)
        clean = clean_value(value)
        if clean != value:
            changes[name] = clean
    clean_post, spam = replace(post, **changes) if changes else post, clean_value(one.spam)
    if isinstance(one, Unscored):
        return replace(one, post=clean_post, because=clean_value(one.because), spam=spam)
    mentions: dict[str, Mention] = {}
    for mention in one.mentions:
        symbol = clean_value(mention.symbol)
        mentions.setdefault(symbol, replace(mention, symbol=symbol))
    return replace(one, post=clean_post, mentions=tuple(mentions.values()), spam=spam)


def clean_value(value: Any) -> Any:
    """A post's value, or part of one, as Postgres can hold it; see `_storable`."""
    if isinstance(value, str):
        clean = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return clean if clean.isascii() else clean.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, tuple):
        return tuple(clean_value(item) for item in value)
    if isinstance(value, int):
        return max(-(2**63), min(value, 2**63 - 1))
    return value


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
