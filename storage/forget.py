"""Forget an author, or single posts: in Postgres, in Redis, and in what alerts and their messages quote.

What stays is the id in `post_ids`, so that a message that is delivered again does not bring the post back, and the
counts of alerts, which name nobody.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from bearometer.clock import Clock
from bearometer.errors import Transient
from storage.failures import translated_errors
from storage.forget_windows import ForgettingWindowStore
from storage.post_statements import NO_TIMEOUT
from storage.posts import PostStore
from storage.session import EVALUATOR_LOCK
from storage.tables import alerts, deliveries

__all__ = ["Forgotten", "Whom", "forget", "known_sources", "preview"]

STOP_TRIES = 100
STOP_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Whom:
    """What is to be forgotten: all posts of an author, by every name that he is stored under, or posts by their ids."""

    names: frozenset[str] = frozenset()
    source: str | None = None
    """Only the author's posts of this source."""
    post_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was removed or changed."""

    posts: int = 0
    mentions: int = 0
    labels: int = 0
    shadow_scores: int = 0
    alerts: int = 0
    """Whose evidence named or quoted him."""
    messages: int = 0
    """Stored ones; those sent before are with their receivers."""
    buckets: int = 0
    stories: int = 0
    """About so many in Redis; their ids stay."""
    rebuilt_from: int = 0
    """Posts from which the windows were counted again."""

    @property
    def nothing(self) -> bool:
        """Whether there was nothing of it."""
        return replace(self, rebuilt_from=0) == Forgotten()


def known_sources(engine: Engine) -> frozenset[str]:
    """Every source that anything stored may be of. Looks at every post."""
    with translated_errors(engine), engine.connect() as connection:
        connection.execute(NO_TIMEOUT)
        return frozenset(connection.execute(SOURCES).scalars())


def preview(engine: Engine, windows: ForgettingWindowStore, whom: Whom) -> Forgotten:
    """What `forget` would remove, changing nothing. For the moment that it takes, it locks what it would change."""
    with translated_errors(engine), engine.connect() as connection:
        connection.execute(NO_TIMEOUT)
        found = _remove(connection, whom)
        connection.rollback()
    telling = windows.count_telling(whom.names, whom.post_ids)
    return replace(found, buckets=telling.buckets, stories=telling.stories)


def forget(
    engine: Engine,
    windows: ForgettingWindowStore,
    whom: Whom,
    clock: Clock,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Forgotten:
    """Remove it everywhere, then count the windows again. Safe beside all workers; killed anywhere, call it again.

    Redis first, under the lock that keeps others from rebuilding: then Postgres, in one transaction, still holds
    what a second call looks for when this one dies in between; and without their marker the windows are rebuilt by
    whoever comes first. Whoever evaluates alerts is stopped, and goes on from what is stored: he may hold the post in
    his hands. A post that is being stored in the same seconds may come back into a bucket; a later call finds it.
    """
    posts = PostStore(engine)
    with posts.rebuilding():
        telling = windows.remove_telling(whom.names, whom.post_ids)
        with translated_errors(engine), engine.begin() as connection:
            connection.execute(NO_TIMEOUT)
            _stop_evaluation(connection)
            removed = _remove(connection, whom)
    rebuilt_from = windows.rebuild(posts, clock, on_progress)
    return replace(removed, buckets=telling.buckets, stories=telling.stories, rebuilt_from=rebuilt_from)


def _stop_evaluation(connection: Connection) -> None:
    """End all sessions that know mentions, to evaluate or to take over; none begins before this transaction ends."""
    for _ in range(STOP_TRIES):
        if connection.execute(TRY_EVALUATOR_LOCK, {"key": EVALUATOR_LOCK}).scalar_one():
            return
        connection.execute(END_EVALUATION, {"key": EVALUATOR_LOCK}).all()
        connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": STOP_SECONDS})
    message = "the evaluation of alerts could not be stopped; try again"
    raise Transient(message)


def _remove(connection: Connection, whom: Whom) -> Forgotten:
    connection.execute(FORGOTTEN)
    if whom.names:
        connection.execute(FIND_BY_AUTHOR, {"names": sorted(whom.names), "source": whom.source})
    if whom.post_ids:
        connection.execute(FIND_BY_ID, {"ids": sorted(whom.post_ids)})
    connection.execute(text("ANALYZE forgotten"))
    quoted = frozenset(connection.execute(QUOTED).scalars())
    removed = {name: connection.execute(statement).rowcount for name, statement in DELETE.items()}
    without_posts = frozenset(connection.execute(AUTHORS_WITHOUT_POSTS).scalars())
    changed = _edit_quotes(connection, replace(whom, post_ids=whom.post_ids | quoted), whom.names | without_posts)
    connection.execute(text("DROP TABLE forgotten"))
    return Forgotten(**removed, **changed)


def _edit_quotes(connection: Connection, whom: Whom, unlisted: frozenset[str]) -> dict[str, int]:
    """Take the posts out of what alerts and messages quote, and these names out of their lists of authors."""
    changed = {"alerts": 0, "messages": 0}
    telling = {"gone": {"gone": sorted(unlisted | whom.post_ids)}}
    for row in connection.execute(TELLING_ALERTS, telling).all():
        evidence = _without(row.evidence, whom, unlisted)
        if evidence != row.evidence:
            connection.execute(update(alerts).where(alerts.c.id == row.id).values(evidence=evidence))
            changed["alerts"] += 1
    for message in connection.execute(TELLING_MESSAGES, telling).all():
        payload = _alert_without(message.payload, whom, unlisted)
        others = [_alert_without(other, whom, unlisted) for other in message.others]
        if (payload, others) != (message.payload, message.others):
            statement = update(deliveries).where(deliveries.c.id == message.id)
            connection.execute(statement.values(payload=payload, others=others))
            changed["messages"] += 1
    return changed


def _alert_without(alert: Mapping[str, Any], whom: Whom, unlisted: frozenset[str]) -> dict[str, Any]:
    evidence = alert.get("evidence")
    return {**alert, "evidence": _without(evidence, whom, unlisted)} if evidence else dict(alert)


def _without(evidence: Mapping[str, Any], whom: Whom, unlisted: frozenset[str]) -> dict[str, Any]:
    """The evidence, as storage/alert_rows.py writes it, without the posts and names that are to be forgotten.

    With a source given, the name goes from the list of authors all the same: the list does not say of which source.
    """
    kept = dict(evidence)
    kept["top_posts"] = [post for post in evidence["top_posts"] if not _is_meant(post, whom)]
    if "authors" in evidence:
        kept["authors"] = [[name, count] for name, count in evidence["authors"] if name not in unlisted]
    if "new_terms" in evidence:
        handles = {name.casefold().strip("@") for name in unlisted}
        kept["new_terms"] = [
            new for new in evidence["new_terms"] if new["term"].casefold().strip("@") not in handles - {""}
        ]
    return kept


def _is_meant(post: Mapping[str, Any], whom: Whom) -> bool:
    if post["id"] in whom.post_ids:
        return True
    # What older versions wrote has no source of its own.
    of_source = whom.source is None or whom.source == post.get("source") or post["id"].startswith(f"{whom.source}:")
    return post.get("author") in whom.names and of_source


SOURCES = text("""
SELECT source FROM posts
UNION SELECT name FROM sources
UNION SELECT jsonb_path_query(evidence, '$.sources[*][0]') #>> '{}' FROM alerts
UNION SELECT jsonb_path_query(evidence, '$.top_posts[*].source') #>> '{}' FROM alerts
""")

TRY_EVALUATOR_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")

# https://www.postgresql.org/docs/current/view-pg-locks.html: a key below 2^32 is `objid`, and `objsubid` is 1.
END_EVALUATION = text("""
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = :key AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")

FORGOTTEN = text("""
CREATE TEMPORARY TABLE forgotten (id text PRIMARY KEY, published_at timestamptz, author text)
""")

FIND_BY_AUTHOR = text("""
INSERT INTO forgotten SELECT id, published_at, author FROM posts
WHERE author = ANY(:names) AND (CAST(:source AS text) IS NULL OR source = :source)
ON CONFLICT DO NOTHING
""")

# Of a post whose month was dropped there may still be labels, and quotes.
FIND_BY_ID = text("""
INSERT INTO forgotten SELECT id, post_ids.published_at, posts.author FROM unnest(CAST(:ids AS text[])) AS id
LEFT JOIN post_ids USING (id) LEFT JOIN posts USING (id, published_at)
ON CONFLICT DO NOTHING
""")

QUOTED = text("""
SELECT forgotten.id FROM forgotten JOIN (
    SELECT jsonb_path_query(evidence, '$.top_posts[*].id') #>> '{}' AS id FROM alerts
    UNION SELECT jsonb_path_query(payload, '$.evidence.top_posts[*].id') #>> '{}' FROM deliveries
    UNION SELECT jsonb_path_query(others, '$[*].evidence.top_posts[*].id') #>> '{}' FROM deliveries
) AS quoted USING (id)
""")

# Once the posts are gone.
AUTHORS_WITHOUT_POSTS = text("""
SELECT DISTINCT author FROM forgotten
WHERE author IS NOT NULL AND NOT EXISTS (SELECT FROM posts WHERE posts.author = forgotten.author)
""")

_OF_POST = "{0}.published_at = forgotten.published_at AND {0}.{1} = forgotten.id"
DELETE = {
    "mentions": text(f"DELETE FROM mentions USING forgotten WHERE {_OF_POST.format('mentions', 'post_id')}"),
    "shadow_scores": text(
        f"DELETE FROM shadow_scores USING forgotten WHERE {_OF_POST.format('shadow_scores', 'post_id')}"
    ),
    "labels": text("DELETE FROM labels USING forgotten WHERE labels.post_id = forgotten.id"),
    "posts": text(f"DELETE FROM posts USING forgotten WHERE {_OF_POST.format('posts', 'id')}"),
}

# Any value anywhere in it; what then is taken out is decided above. Locked in order, as whoever delivers does.
_TELLS = "jsonb_path_exists({}, '$.** ? (@ == $gone[*])', :gone)"
_GONE = bindparam("gone", type_=JSONB)
TELLING_ALERTS = (
    select(alerts.c.id, alerts.c.evidence)
    .where(text(_TELLS.format("evidence")).bindparams(_GONE))
    .order_by(alerts.c.id)
    .with_for_update()
)
TELLING_MESSAGES = (
    select(deliveries.c.id, deliveries.c.payload, deliveries.c.others)
    .where(text(f"({_TELLS.format('payload')} OR {_TELLS.format('others')})").bindparams(_GONE))
    .order_by(deliveries.c.id)
    .with_for_update()
)
