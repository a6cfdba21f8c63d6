"""What was told: the stories of a time, the posts of a story, and what was left out as spam."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, Engine, RowMapping, TextClause, text

from storage.failures import translated_errors

__all__ = [
    "Order",
    "SpamReason",
    "StoredPost",
    "Stories",
    "Story",
    "newest_post_at",
    "read_spam",
    "read_stories",
    "read_story",
]

T = TypeVar("T", "Story", "StoredPost")
Order = Literal["reach", "negative", "first"]
_ORDERS: Mapping[Order, str] = {
    "reach": "posts DESC, first_at, story",
    "negative": "negative DESC, posts DESC, first_at, story",
    "first": "first_at DESC, story",
}

_STORIES = """
SELECT *, count(*) OVER () AS all_stories, CAST(sum(posts) OVER () AS bigint) AS all_posts
FROM {told} ORDER BY {order} LIMIT :limit
"""
_OF_SYMBOL, _OF_ALL = "stories_of(:symbol, :since, :until)", "stories_between(:since, :until)"
_SPAM_OF_SYMBOL = text("""
SELECT (
    SELECT count(*) FROM mentions WHERE published_at >= :since AND published_at < :until AND symbol = :symbol AND spam
) + (
    SELECT count(*) FROM posts
    WHERE published_at >= :since AND published_at < :until AND cardinality(spam) > 0 AND unscored IS NOT NULL
        AND symbols @> ARRAY[CAST(:symbol AS text)]
)
""")
_SPAM_OF_ALL = text("""
SELECT count(*) FROM posts
WHERE published_at >= :since AND published_at < :until AND cardinality(spam) > 0
""")

_POST = """
    id, published_at, source, author, followers, url, text, fingerprint, symbols, language, label,
    positive - negative AS score, spam, unscored
"""
# What was stored before stories were told apart has none: its fingerprint, longer than a story's id, stands for it.
_MEMBERS = """
SELECT {post}, count(*) OVER () AS all_posts FROM posts WHERE {story} {times}
ORDER BY published_at, id LIMIT :limit
"""
_STORY, _OLD_STORY = "story = :story", "story IS NULL AND fingerprint = :story"
_STORY_CHARS = 16

_SPAM_ASKED = """
published_at >= :since AND published_at < :until AND cardinality(spam) > 0
    AND (CAST(:symbol AS text) IS NULL OR symbols @> ARRAY[CAST(:symbol AS text)])
"""
_REASONS = text(f"""
SELECT split_part(reason, ':', 1) AS code, count(DISTINCT id) AS posts,
    count(DISTINCT coalesce(author, id)) AS distinct_authors
FROM posts CROSS JOIN LATERAL unnest(spam) AS reason
WHERE {_SPAM_ASKED}
GROUP BY 1 ORDER BY posts DESC, code
""")
# The newest for each reason, then the next of each: a rare reason has its examples, too.
_SPAM = text(f"""
SELECT * FROM (
    SELECT {_POST}, count(*) OVER () AS all_posts,
        row_number() OVER (PARTITION BY split_part(spam[1], ':', 1) ORDER BY published_at DESC, id) AS turn
    FROM posts WHERE {_SPAM_ASKED}
) AS asked
ORDER BY turn, published_at DESC, id LIMIT :limit
""")
# Backwards through the newest month's index, up to the first post.
_NEWEST = text("SELECT max(published_at) FROM posts WHERE published_at <= :now")


@dataclass(frozen=True, slots=True)
class Story:
    """What the posts of one story said in a time; spam is counted in `spam` alone."""

    story: str
    first_at: datetime
    last_at: datetime
    posts: int
    """Its reach."""
    distinct_authors: int
    """A post without an author counts as an author of its own."""
    distinct_sources: int
    distinct_texts: int
    negative: int
    neutral: int
    positive: int
    mean_score: float
    spam: int
    symbols: tuple[str, ...]
    """Of the first post, as is what follows."""
    source: str
    author: str | None
    url: str | None
    text: str
    post_id: str


@dataclass(frozen=True, slots=True)
class Stories:
    """The first of the stories of a time, and how many there are in all."""

    shown: tuple[Story, ...]
    stories: int
    posts: int
    spam: int


@dataclass(frozen=True, slots=True)
class StoredPost:
    """A post as a person wants to see it; without `label` and `score` when it was not scored."""

    id: str
    published_at: datetime
    source: str
    author: str | None
    followers: int | None
    url: str | None
    text: str
    fingerprint: str
    symbols: tuple[str, ...]
    language: str
    label: str | None
    score: float | None
    spam: tuple[str, ...]
    unscored: str | None


@dataclass(frozen=True, slots=True)
class SpamReason:
    """How much was spam for one reason; a post with two reasons counts for both."""

    code: str
    posts: int
    distinct_authors: int


def newest_post_at(engine: Engine, now: datetime) -> datetime | None:
    """When the newest post that is not from the future was published; None when there is none."""
    with _reading(engine) as connection:
        newest = connection.execute(_NEWEST, {"now": now}).scalar_one()
    return None if newest is None else newest.astimezone(UTC)


def read_stories(
    engine: Engine, since: datetime, until: datetime, *, symbol: str | None, order: Order, limit: int | None
) -> Stories:
    """The stories of `since` <= published_at < `until`, of all posts or by how they speak of one symbol.

    Most posts first, most negative ones first, or the last to begin first; at most `limit` of them. Counts are of that
    time alone, and a story's first post is its first then.
    """
    asked = {"since": since, "until": until, "symbol": symbol}
    statement = _STORIES.format(told=_OF_ALL if symbol is None else _OF_SYMBOL, order=_ORDERS[order])
    with _reading(engine) as connection:
        rows = connection.execute(text(statement), asked | {"limit": limit}).mappings().all()
        spam = connection.execute(_SPAM_OF_ALL if symbol is None else _SPAM_OF_SYMBOL, asked).scalar_one()
    return Stories(
        shown=tuple(_make(Story, row) for row in rows),
        stories=rows[0]["all_stories"] if rows else 0,
        posts=rows[0]["all_posts"] if rows else 0,
        spam=spam,
    )


def read_story(
    engine: Engine, story: str, *, since: datetime | None, until: datetime | None, limit: int | None
) -> tuple[list[StoredPost], int]:
    """The posts of a story, spam too, the oldest first, at most `limit`; and how many there are in all."""
    times = ("AND published_at >= :since" * (since is not None)) + (" AND published_at < :until" * (until is not None))
    which = _STORY if len(story) <= _STORY_CHARS else _OLD_STORY
    statement = text(_MEMBERS.format(post=_POST, story=which, times=times))
    asked = {"story": story, "limit": limit} | {
        name: moment for name, moment in (("since", since), ("until", until)) if moment is not None
    }
    return _read_posts(engine, statement, asked)


def read_spam(
    engine: Engine, since: datetime, until: datetime, *, symbol: str | None, limit: int | None
) -> tuple[list[SpamReason], list[StoredPost], int]:
    """Why posts were spam, the most frequent reason first; such posts; how many there are in all.

    The posts are the newest for each reason, all reasons in turn, at most `limit`; the newest comes first.
    """
    asked = {"since": since, "until": until, "symbol": symbol}
    with _reading(engine) as connection:
        reasons = [SpamReason(*row) for row in connection.execute(_REASONS, asked)]
    posts, total = _read_posts(engine, _SPAM, asked | {"limit": limit})
    return reasons, sorted(posts, key=lambda post: post.published_at, reverse=True), total


def _read_posts(engine: Engine, statement: TextClause, asked: Mapping[str, Any]) -> tuple[list[StoredPost], int]:
    with _reading(engine) as connection:
        rows = connection.execute(statement, asked).mappings().all()
    return [_make(StoredPost, row) for row in rows], rows[0]["all_posts"] if rows else 0


@contextmanager
def _reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database; a person waits for it, so it may take its time."""
    with translated_errors(engine), engine.connect() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        yield connection
        connection.rollback()


def _make(noun: type[T], row: RowMapping) -> T:
    return noun(**{column.name: _value(row[column.name]) for column in fields(noun)})


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return tuple(value) if isinstance(value, list) else value
