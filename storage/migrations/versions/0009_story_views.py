"""Stories, spam and unscored posts for people who write SQL; spam counts in no view of sentiment or topics.

Stories are functions of a time first: a view that groups by story would read every month before a filter by time can
leave one out, while a function of one SELECT is planned as if its caller had written it. They run with the rights of
whoever calls them.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# For `posts WHERE story = …`. What was stored before has no story, so building it only reads.
STORY_INDEX = "CREATE INDEX posts_story ON posts (story) WHERE story IS NOT NULL"

# Replaced, not dropped and made anew, so that they keep who may read them; new columns can only come last.
# A row without any post that counts is left out: queries of before divide by `posts`.
SENTIMENT_BY = """
CREATE OR REPLACE VIEW sentiment_by_{unit} AS
SELECT
    date_trunc('{unit}', published_at, 'UTC')                                     AS {unit},
    symbol,
    topic,
    count(*) FILTER (WHERE NOT spam)                                              AS posts,
    count(*) FILTER (WHERE NOT spam AND label = 'negative')                       AS negative,
    count(*) FILTER (WHERE NOT spam AND label = 'neutral')                        AS neutral,
    count(*) FILTER (WHERE NOT spam AND label = 'positive')                       AS positive,
    avg(positive - negative) FILTER (WHERE NOT spam)                              AS mean_score,
    count(DISTINCT coalesce(author, post_id)) FILTER (WHERE NOT spam)             AS distinct_authors,
    count(DISTINCT fingerprint) FILTER (WHERE NOT spam)                           AS distinct_texts,
    count(*) FILTER (WHERE NOT spam AND in_text)                                  AS in_text,
    count(DISTINCT coalesce(story, fingerprint)) FILTER (WHERE NOT spam)          AS distinct_stories,
    count(*) FILTER (WHERE spam)                                                  AS spam
FROM mentions
GROUP BY 1, 2, 3
HAVING count(*) FILTER (WHERE NOT spam) > 0;
"""

TOPICS_BY = """
CREATE OR REPLACE VIEW topics_by_{unit} AS
SELECT
    date_trunc('{unit}', published_at, 'UTC')                                     AS {unit},
    topic,
    count(*) FILTER (WHERE cardinality(spam) = 0)                                         AS posts,
    count(*) FILTER (WHERE cardinality(spam) = 0 AND label = 'negative')                  AS negative,
    count(*) FILTER (WHERE cardinality(spam) = 0 AND label = 'neutral')                   AS neutral,
    count(*) FILTER (WHERE cardinality(spam) = 0 AND label = 'positive')                  AS positive,
    avg(positive - negative) FILTER (WHERE cardinality(spam) = 0)                         AS mean_score,
    count(DISTINCT coalesce(author, id)) FILTER (WHERE cardinality(spam) = 0)             AS distinct_authors,
    count(DISTINCT fingerprint) FILTER (WHERE cardinality(spam) = 0)                      AS distinct_texts,
    count(DISTINCT coalesce(story, fingerprint)) FILTER (WHERE cardinality(spam) = 0)     AS distinct_stories,
    count(*) FILTER (WHERE cardinality(spam) > 0)                                        AS spam
FROM posts
WHERE topic IS NOT NULL AND unscored IS NULL
GROUP BY 1, 2
HAVING count(*) FILTER (WHERE cardinality(spam) = 0) > 0;
"""

NEGATIVE_POSTS = """
CREATE OR REPLACE VIEW negative_posts AS
SELECT
    mentions.published_at,
    mentions.symbol,
    mentions.negative,
    posts.text,
    posts.author,
    posts.followers,
    posts.engagement,
    posts.url,
    mentions.topic,
    posts.language,
    posts.source,
    mentions.post_id,
    mentions.fingerprint,
    mentions.model,
    mentions.in_text,
    coalesce(mentions.story, mentions.fingerprint)     AS story
FROM mentions
JOIN posts ON posts.published_at = mentions.published_at AND posts.id = mentions.post_id
WHERE mentions.label = 'negative' AND NOT mentions.spam;
"""

COLUMNS = """
    story text, first_at timestamptz, last_at timestamptz, posts bigint, distinct_authors bigint,
    distinct_sources bigint, distinct_texts bigint, negative bigint, neutral bigint, positive bigint,
    mean_score double precision, spam bigint, symbols text[], source text, author text, url text, text text,
    post_id text"""

# The first post is found by its key, not by its time: a feed whose times are dates has thousands of one moment. The
# bounds are said of `posts` once more, so that the planner leaves the other months out there too.
STORIES = """
SELECT
    grouped.story, grouped.first_at, grouped.last_at, grouped.posts, grouped.distinct_authors,
    grouped.distinct_sources, grouped.distinct_texts, grouped.negative, grouped.neutral, grouped.positive,
    grouped.mean_score, grouped.spam,
    posts.symbols, posts.source, posts.author, posts.url, posts.text, posts.id AS post_id
FROM (
    SELECT
        coalesce(told.story, told.fingerprint)                                        AS story,
        min(told.published_at) FILTER (WHERE {counts})                                AS first_at,
        (array_agg(told.{id} ORDER BY told.published_at, told.{id}) FILTER (WHERE {counts}))[1] AS first_id,
        max(told.published_at) FILTER (WHERE {counts})                                AS last_at,
        count(*) FILTER (WHERE {counts})                                              AS posts,
        count(DISTINCT coalesce(told.author, told.{id})) FILTER (WHERE {counts})      AS distinct_authors,
        count(DISTINCT told.source) FILTER (WHERE {counts})                           AS distinct_sources,
        count(DISTINCT told.fingerprint) FILTER (WHERE {counts})                      AS distinct_texts,
        count(*) FILTER (WHERE {counts} AND told.label = 'negative')                  AS negative,
        count(*) FILTER (WHERE {counts} AND told.label = 'neutral')                   AS neutral,
        count(*) FILTER (WHERE {counts} AND told.label = 'positive')                  AS positive,
        avg(told.positive - told.negative) FILTER (WHERE {counts})                    AS mean_score,
        count(*) FILTER (WHERE NOT ({counts}))                                        AS spam
    FROM {table} AS told
    WHERE {asked}
    GROUP BY 1
    HAVING count(*) FILTER (WHERE {counts}) > 0
) AS grouped
JOIN posts ON posts.published_at = grouped.first_at AND posts.id = grouped.first_id {bounds}
"""
BETWEEN = "told.published_at >= since AND told.published_at < until"
BOUNDS = "AND posts.published_at >= since AND posts.published_at < until"
OF_POSTS = {"table": "posts", "id": "id", "counts": "cardinality(told.spam) = 0"}
OF_MENTIONS = {"table": "mentions", "id": "post_id", "counts": "NOT told.spam"}

ALL_STORIES = f"CREATE VIEW stories AS {STORIES.format(asked='told.unscored IS NULL', bounds='', **OF_POSTS)}"

STORIES_BETWEEN = f"""
CREATE FUNCTION stories_between(since timestamptz, until timestamptz) RETURNS TABLE ({COLUMNS})
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ {STORIES.format(asked=f"{BETWEEN} AND told.unscored IS NULL", bounds=BOUNDS, **OF_POSTS)} $$
"""

STORIES_OF = f"""
CREATE FUNCTION stories_of(symbol text, since timestamptz, until timestamptz) RETURNS TABLE ({COLUMNS})
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ {STORIES.format(asked=f"{BETWEEN} AND told.symbol = stories_of.symbol", bounds=BOUNDS, **OF_MENTIONS)} $$
"""

LEFT_OUT = """
CREATE VIEW spam_posts AS
SELECT
    published_at,
    spam                                               AS reasons,
    text,
    author,
    followers,
    symbols,
    source,
    label,
    url,
    language,
    coalesce(story, fingerprint)                       AS story,
    id                                                 AS post_id
FROM posts
WHERE cardinality(spam) > 0;

CREATE VIEW unscored_posts AS
SELECT
    published_at,
    unscored                                           AS because,
    language,
    text,
    author,
    followers,
    symbols,
    source,
    url,
    cardinality(spam) > 0                              AS spam,
    coalesce(story, fingerprint)                       AS story,
    id                                                 AS post_id
FROM posts
WHERE unscored IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(STORY_INDEX)
    for unit in ("minute", "hour", "day"):
        op.execute(SENTIMENT_BY.format(unit=unit))
        op.execute(TOPICS_BY.format(unit=unit))
    op.execute(NEGATIVE_POSTS)
    for statement in (ALL_STORIES, STORIES_BETWEEN, STORIES_OF, LEFT_OUT):
        op.execute(statement)
