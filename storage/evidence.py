"""What an alert's evidence is made of: who said what in an interval, and how one speaks otherwise.

The work is bounded, however many posts a crisis has: counts and stories come from the newest COUNTED posts of the
interval, stories are the STORIES of each kind named below, and the weeks before are sampled slot by slot. That makes
six statements, none longer than MAX_SECONDS.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, TextClause, text

from bearometer.alert import TopPost
from bearometer.post import MARKET, is_symbol, topic_of

__all__ = ["Said", "find_said"]

COUNTED = 50_000
SEARCHED = 200_000
"""Posts of the interval, the newest ones, among which spam is looked for: there may be none."""
STORIES = 100
"""Stories of each kind: the most told, the most negative, the first; and three times as many by lot."""
NAMES = 10
TEXT_CHARS = 2_000
DAY_BEFORE = timedelta(days=1)
"""How long before the interval it is looked whether a story has begun already."""
COUNTED_BEFORE = 10_000
WEEKS_BEFORE = timedelta(weeks=4)
SLOT = timedelta(hours=6)
READ_PER_SLOT = 40
OWN_PER_SLOT = 20
OTHERS_PER_SLOT = 10
CODE_CHARS = 40
MAX_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Said:
    """What was said in an interval, spam left out. Names are those with the most posts, the most first, ten at most."""

    mentions: int
    """All posts, repeats counted; COUNTED at most, and then they are the newest, and so everything that follows."""
    stories: int
    """How many stories these posts tell."""
    sources: tuple[tuple[str, int], ...]
    authors: tuple[tuple[str, int], ...]
    topics: tuple[tuple[str, int], ...]
    models: tuple[str, ...]
    """Versions of the models that scored the posts."""
    firsts: tuple[TopPost, ...]
    """Of the most told, the most negative and the earliest stories, and of as many others by lot, the earliest post of
    the interval; 600 at most. `since` is looked for among the last COUNTED_BEFORE posts of the day before.

    The earliest are those of the whole interval."""
    spam: int
    """Posts that were left out as spam, whatever their label; COUNTED at most, of the newest SEARCHED of all."""
    spam_reasons: tuple[tuple[str, int], ...]
    """The code of a post's first reason."""
    past: tuple[str, ...]
    """Texts of every label about the same in the four weeks before, spread over them."""
    elsewhere: tuple[str, ...]
    """Texts about anything in the same weeks, of the labels that were asked for."""


def find_said(connection: Connection, key: str, start: datetime, end: datetime, every_label: bool = False) -> Said:
    """What was said of `start` <= published_at < `end` about a symbol, a topic (by `topic_key`) or MARKET.

    Only what is negative, unless `every_label`: of a symbol the mentions with that label, else the posts. What no model
    was asked about is in none of it. Six reads in the connection's transaction, whose further statements inherit the
    time limit of MAX_SECONDS.
    """
    about = _about(key)
    values = {
        "key": topic_of(key) or key,
        "start": start,
        "end": end,
        "every_label": every_label,
        "before": start - WEEKS_BEFORE,
        "day_before": start - DAY_BEFORE,
        "slot": SLOT,
        **LIMITS,
    }
    connection.execute(text(f"SET LOCAL statement_timeout = {MAX_SECONDS * 1000}"))
    names: dict[str, list[tuple[str, int]]] = {}
    for kind, name, times in connection.execute(_counts(about), values):
        names.setdefault(kind, []).append((name, times))
    firsts = {row.story: _top_post(row) for row in connection.execute(_firsts(about), values)}
    for story, since in connection.execute(_begun_before(about), values | {"stories": list(firsts)}):
        firsts[story] = replace(firsts[story], since=since.astimezone(UTC))
    spam = connection.execute(_spam(about), values).all()
    return Said(
        mentions=names["all"][0][1],
        stories=names["stories"][0][1],
        sources=tuple(names.get("source", ())),
        authors=tuple(names.get("author", ())),
        topics=tuple(names.get("topic", ())),
        models=tuple(sorted(name for name, _ in names.get("model", ()))),
        firsts=tuple(firsts.values()),
        spam=spam[0].total if spam else 0,
        spam_reasons=tuple((row.code, row.posts) for row in spam),
        past=tuple(connection.execute(_past(about), values).scalars()),
        elsewhere=tuple(connection.execute(ELSEWHERE, values).scalars()),
    )


LIMITS: Mapping[str, Any] = {
    "counted": COUNTED,
    "searched": SEARCHED,
    "counted_before": COUNTED_BEFORE,
    "names": NAMES,
    "few": STORIES,
    "by_lot": 3 * STORIES,
    "chars": TEXT_CHARS,
    "code_chars": CODE_CHARS,
    "read_per_slot": READ_PER_SLOT,
    "own_per_slot": OWN_PER_SLOT,
    "others_per_slot": OTHERS_PER_SLOT,
}


STORY = "coalesce(story, fingerprint)"
"""What was stored before stories were told apart has its fingerprint for one."""
ASKED = "(:every_label OR label = 'negative')"
SEEN_POSTS = "spam = '{}' AND label IS NOT NULL"


class _About(NamedTuple):
    """Where it is said, in SQL."""

    table: str
    id: str
    """The name of a post's id there."""
    condition: str
    seen: str
    """That a row counts."""
    spam: str

    def between(self, start: str, end: str) -> str:
        """The rows of an interval."""
        return f"""FROM {self.table}
            WHERE {self.condition} AND published_at >= {start} AND published_at < {end}"""

    @property
    def told(self) -> str:
        """The rows that count of the interval that was asked for."""
        return f"{self.between(':start', ':end')} AND {self.seen} AND {ASKED}"


def _about(key: str) -> _About:
    if is_symbol(key):
        return _About("mentions", "post_id", "symbol = :key", "NOT spam", "spam")
    return _About("posts", "id", "true" if key == MARKET else "topic = :key", SEEN_POSTS, "spam <> '{}'")


def _post_of(columns: str, row: str) -> str:
    """The post of a row, by LATERAL: a plain join may read all posts that there are, when the planner guesses wrong."""
    return f"""LATERAL (
        SELECT {columns} FROM posts WHERE posts.id = {row}.id AND posts.published_at = {row}.published_at LIMIT 1
    ) AS post"""


def _counts(about: _About) -> TextClause:
    """Kind, name and number of posts: all of them, the stories, and by source, author, topic and model."""
    by = " UNION ALL ".join(
        f"(SELECT '{name}', {name}, count(*) FROM told WHERE {name} IS NOT NULL"
        f" GROUP BY {name} ORDER BY count(*) DESC, {name} LIMIT :names)"
        for name in ("source", "author", "topic", "model")
    )
    return text(f"""
        WITH told AS MATERIALIZED (
            SELECT source, author, topic, model, {STORY} AS story {about.told}
            ORDER BY published_at DESC LIMIT :counted
        )
        (SELECT 'all', '', count(*) FROM told) UNION ALL (SELECT 'stories', '', count(DISTINCT story) FROM told)
        UNION ALL {by}
    """)


def _firsts(about: _About) -> TextClause:
    """Of each story that was chosen the first post, and how many posts, authors and sources tell it.

    A story's name is a digest, so that the first in its order are a draw by lot, the same each time.
    """
    columns = f"{about.id} AS id, published_at, {STORY} AS story, negative, source, author"
    told = about.told
    return text(f"""
        WITH newest AS MATERIALIZED (
            SELECT {columns} {told} ORDER BY published_at DESC LIMIT :counted
        ), told AS MATERIALIZED (
            SELECT * FROM newest UNION ALL (
                SELECT {columns} {told} AND published_at < (SELECT min(published_at) FROM newest)
                ORDER BY published_at, {about.id} LIMIT :few)
        ), stories AS MATERIALIZED (
            SELECT story, count(*) AS times, count(DISTINCT coalesce(author, id)) AS accounts,
                count(DISTINCT source) AS places, max(negative) AS worst, min(published_at) AS begun
            FROM told GROUP BY story
        ), chosen AS MATERIALIZED (
            (SELECT story FROM stories ORDER BY times DESC, worst DESC, story LIMIT :few)
            UNION (SELECT story FROM stories ORDER BY worst DESC, story LIMIT :few)
            UNION (SELECT story FROM stories ORDER BY begun, story LIMIT :few)
            UNION (SELECT story FROM stories ORDER BY story LIMIT :by_lot)
        ), first AS (
            SELECT DISTINCT ON (story) story, times, accounts, places, told.id, told.published_at, told.negative
            FROM chosen JOIN stories USING (story) JOIN told USING (story)
            ORDER BY story, told.published_at, told.id
        )
        SELECT first.*, left(post.text, :chars) AS text, post.author, post.followers, post.url, post.source
        FROM first CROSS JOIN {_post_of("text, author, followers, url, source", "first")}
        ORDER BY story
    """)


def _begun_before(about: _About) -> TextClause:
    """The chosen stories that were told in the day before, by posts of whatever label, and when first."""
    return text(f"""
        SELECT story, min(published_at) AS since FROM (
            SELECT published_at, {STORY} AS story {about.between(":day_before", ":start")} AND {about.seen}
            ORDER BY published_at DESC LIMIT :counted_before
        ) AS before
        WHERE story = ANY(CAST(:stories AS text[])) GROUP BY story
    """)


def _spam(about: _About) -> TextClause:
    """The codes of the first reasons with the number of posts of each, and of all, whatever their label.

    Spam is often bland: what misleads is that there is so much of it.
    """
    return text(f"""
        SELECT left(split_part(post.spam[1], ':', 1), :code_chars) AS code, count(*) AS posts,
            CAST(sum(count(*)) OVER () AS bigint) AS total
        FROM (
            SELECT id, published_at FROM (
                SELECT {about.id} AS id, published_at, spam {about.between(":start", ":end")}
                ORDER BY published_at DESC LIMIT :searched
            ) AS newest
            WHERE {about.spam} LIMIT :counted
        ) AS told
        CROSS JOIN {_post_of("spam", "told")}
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :names
    """)


SLOTS = "generate_series(CAST(:before AS timestamptz), :start - CAST(:slot AS interval), :slot) AS slot"
IN_SLOT = "published_at >= slot AND published_at < slot + :slot"


def _past(about: _About) -> TextClause:
    # A rare topic is looked for among the first posts of each slot only: there is no index by topic.
    scan = f"""(
        SELECT id, published_at, topic, label, spam FROM posts WHERE {IN_SLOT}
        ORDER BY published_at LIMIT :read_per_slot * 10
    ) AS scan"""
    source = about.table if about.table == "mentions" else scan
    return text(f"""
        SELECT left(post.text, :chars) FROM {SLOTS}
        CROSS JOIN LATERAL (
            SELECT {about.id} AS id, published_at FROM {source} WHERE {about.condition} AND {about.seen} AND {IN_SLOT}
            ORDER BY published_at LIMIT :own_per_slot
        ) AS told
        CROSS JOIN {_post_of("text", "told")}
        ORDER BY told.published_at, told.id
    """)


ELSEWHERE = text(f"""
    SELECT left(told.text, :chars) FROM {SLOTS}
    CROSS JOIN LATERAL (
        SELECT text FROM (
            SELECT text, label, spam, published_at, id FROM posts WHERE {IN_SLOT}
            ORDER BY published_at LIMIT :read_per_slot
        ) AS scan
        WHERE {SEEN_POSTS} AND (:every_label OR label = 'negative')
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
        accounts=row.accounts,
        places=row.places,
    )
