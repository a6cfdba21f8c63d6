"""What an alert's evidence is made of: who said what in an interval, and how one speaks otherwise.

The work is bounded, however many posts a crisis has: counts and texts come from the newest COUNTED posts of the
interval, texts are the TEXTS of each kind named below, and the weeks before are sampled slot by slot. That makes four
statements, none longer than MAX_SECONDS.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

from bearometer.alert import TopPost
from bearometer.post import MARKET, is_symbol, topic_of

__all__ = ["Said", "SaidText", "find_said"]

COUNTED = 50_000
TEXTS = 100
"""Texts of each kind: the most repeated, the most negative, the first; and three times as many by lot."""
REPEATS_READ = 10
"""Of a text's repeats the first ones, in which the most followed author is looked for."""
NAMES = 10
TEXT_CHARS = 2_000
WEEKS_BEFORE = timedelta(weeks=4)
SLOT = timedelta(hours=6)
READ_PER_SLOT = 40
OWN_PER_SLOT = 20
OTHERS_PER_SLOT = 10
MAX_SECONDS = 20


@dataclass(frozen=True, slots=True)
class SaidText:
    """One text of the interval; posts with one fingerprint are one text."""

    times: int
    """Posts that say it."""
    first: TopPost
    """The earliest of them. Its `repeats` are the other ones."""
    most_followed: TopPost
    """The one with the most followers among the first ten; of equals the earliest."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was said in an interval. Names are those with the most posts, the most first, ten at most."""

    mentions: int
    """All posts, repeats counted; COUNTED at most, and then they are the newest, and so everything that follows."""
    sources: tuple[tuple[str, int], ...]
    authors: tuple[tuple[str, int], ...]
    topics: tuple[tuple[str, int], ...]
    models: tuple[str, ...]
    """Versions of the models that scored the posts."""
    texts: tuple[SaidText, ...]
    """The most repeated, the most negative and the earliest ones, and as many others by lot; 600 at most.

    The earliest are those of the whole interval."""
    past: tuple[str, ...]
    """Texts of every label about the same in the four weeks before, spread over them."""
    elsewhere: tuple[str, ...]
    """Texts about anything in the same weeks, of the labels that were asked for."""


def find_said(connection: Connection, key: str, start: datetime, end: datetime, every_label: bool = False) -> Said:
    """What was said of `start` <= published_at < `end` about a symbol, a topic (by `topic_key`) or MARKET.

    Only what is negative, unless `every_label`: of a symbol the mentions with that label, else the posts. Four reads
    in the connection's transaction, whose further statements inherit the time limit of MAX_SECONDS.
    """
    table, id_, about = _of(key)
    told = f"""FROM {table} WHERE {about} AND (:every_label OR label = 'negative')
                AND published_at >= :start AND published_at < :end"""
    values = {
        "key": topic_of(key) or key,
        "start": start,
        "end": end,
        "every_label": every_label,
        "before": start - WEEKS_BEFORE,
        "slot": SLOT,
        **LIMITS,
    }
    connection.execute(text(f"SET LOCAL statement_timeout = {MAX_SECONDS * 1000}"))
    names: dict[str, list[tuple[str, int]]] = {}
    for kind, name, times in connection.execute(_counts(told), values):
        names.setdefault(kind, []).append((name, times))
    texts: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(_texts(id_, told), values):
        texts.setdefault(row.fingerprint, []).append(row)
    return Said(
        mentions=names["all"][0][1],
        sources=tuple(names.get("source", ())),
        authors=tuple(names.get("author", ())),
        topics=tuple(names.get("topic", ())),
        models=tuple(sorted(name for name, _ in names.get("model", ()))),
        texts=tuple(
            SaidText(rows[0].times, _top_post(rows[0]), _top_post(min(rows, key=lambda row: row.reach)))
            for rows in texts.values()
        ),
        past=tuple(connection.execute(_past(table, id_, about), values).scalars()),
        elsewhere=tuple(connection.execute(ELSEWHERE, values).scalars()),
    )


LIMITS: Mapping[str, Any] = {
    "counted": COUNTED,
    "names": NAMES,
    "few": TEXTS,
    "by_lot": 3 * TEXTS,
    "repeats_read": REPEATS_READ,
    "chars": TEXT_CHARS,
    "read_per_slot": READ_PER_SLOT,
    "own_per_slot": OWN_PER_SLOT,
    "others_per_slot": OTHERS_PER_SLOT,
}


POST = "SELECT text, author, followers, url, source FROM posts WHERE posts.id ="
"""Of a post looked up with LIMIT: a plain join may read all posts that there are, when the planner guesses wrong."""


def _of(key: str) -> tuple[str, str, str]:
    """The table that tells of it, the name of a post's id there, and the condition."""
    if is_symbol(key):
        return "mentions", "post_id", "symbol = :key"
    return "posts", "id", "true" if key == MARKET else "topic = :key"


def _counts(told: str) -> TextClause:
    """Kind, name and number of posts: all of them, and by source, author, topic and model."""
    by = " UNION ALL ".join(
        f"(SELECT '{name}', {name}, count(*) FROM told WHERE {name} IS NOT NULL"
        f" GROUP BY {name} ORDER BY count(*) DESC, {name} LIMIT :names)"
        for name in ("source", "author", "topic", "model")
    )
    return text(f"""
        WITH told AS MATERIALIZED (
            SELECT source, author, topic, model {told} ORDER BY published_at DESC LIMIT :counted
        )
        (SELECT 'all', '', count(*) FROM told) UNION ALL {by}
    """)


def _texts(id_: str, told: str) -> TextClause:
    """Of each text that was chosen the first post and the one with the greatest reach, in that order.

    A fingerprint is a digest, so that the first in its order are a draw by lot, the same each time.
    """
    return text(f"""
        WITH newest AS MATERIALIZED (
            SELECT {id_} AS id, published_at, fingerprint, negative {told} ORDER BY published_at DESC LIMIT :counted
        ), told AS MATERIALIZED (
            SELECT * FROM newest UNION ALL (
                SELECT {id_}, published_at, fingerprint, negative {told}
                    AND published_at < (SELECT min(published_at) FROM newest)
                ORDER BY published_at, {id_} LIMIT :few)
        ), texts AS MATERIALIZED (
            SELECT fingerprint, count(*) AS times, max(negative) AS worst, min(published_at) AS since
            FROM told GROUP BY fingerprint
        ), chosen AS MATERIALIZED (
            (SELECT fingerprint FROM texts ORDER BY times DESC, worst DESC, fingerprint LIMIT :few)
            UNION (SELECT fingerprint FROM texts ORDER BY worst DESC, fingerprint LIMIT :few)
            UNION (SELECT fingerprint FROM texts ORDER BY since, fingerprint LIMIT :few)
            UNION (SELECT fingerprint FROM texts ORDER BY fingerprint LIMIT :by_lot)
        ), placed AS (
            SELECT told.id, told.published_at, told.negative, fingerprint, times,
                row_number() OVER (PARTITION BY fingerprint ORDER BY told.published_at, told.id) AS place
            FROM chosen JOIN texts USING (fingerprint) JOIN told USING (fingerprint)
        ), read AS (
            SELECT placed.*, left(post.text, :chars) AS text, post.author, post.followers, post.url, post.source,
                row_number() OVER (
                    PARTITION BY placed.fingerprint ORDER BY post.followers DESC NULLS LAST, place) AS reach
            FROM placed
            CROSS JOIN LATERAL ({POST} placed.id AND posts.published_at = placed.published_at LIMIT 1) AS post
            WHERE place <= :repeats_read
        )
        SELECT * FROM read WHERE place = 1 OR reach = 1 ORDER BY fingerprint, place
    """)


SLOTS = "generate_series(CAST(:before AS timestamptz), :start - CAST(:slot AS interval), :slot) AS slot"
IN_SLOT = "published_at >= slot AND published_at < slot + :slot"


def _past(table: str, id_: str, about: str) -> TextClause:
    # A rare topic is looked for among the first posts of each slot only: there is no index by topic.
    scan = (
        f"(SELECT id, published_at, topic FROM posts WHERE {IN_SLOT} ORDER BY published_at LIMIT :read_per_slot * 10)"
    )
    source = table if table == "mentions" else f"{scan} AS scan"
    return text(f"""
        SELECT left(post.text, :chars) FROM {SLOTS}
        CROSS JOIN LATERAL (
            SELECT {id_} AS id, published_at FROM {source} WHERE {about} AND {IN_SLOT}
            ORDER BY published_at LIMIT :own_per_slot
        ) AS told
        CROSS JOIN LATERAL ({POST} told.id AND posts.published_at = told.published_at LIMIT 1) AS post
        ORDER BY told.published_at, told.id
    """)


ELSEWHERE = text(f"""
    SELECT left(told.text, :chars) FROM {SLOTS}
    CROSS JOIN LATERAL (
        SELECT text FROM (
            SELECT text, label, published_at, id FROM posts WHERE {IN_SLOT}
            ORDER BY published_at LIMIT :read_per_slot
        ) AS scan
        WHERE :every_label OR label = 'negative'
        ORDER BY published_at, id LIMIT :others_per_slot
    ) AS told
""")


def _top_post(row: Row[Any]) -> TopPost:
    return TopPost(
        id=row.id,
        text=row.text,
        published_at=row.published_at.astimezone(UTC),
        negative=row.negative,
        repeats=row.times - 1,
        author=row.author,
        followers=row.followers,
        url=row.url,
        source=row.source,
    )
