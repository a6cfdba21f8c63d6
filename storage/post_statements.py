"""What storage/posts.py says to Postgres."""

from sqlalchemy import text

__all__ = [
    "COUNTS",
    "EXPECT_PARTITIONS",
    "FRESH_BY_ID",
    "INSERT_BATCH",
    "NO_TIMEOUT",
    "REST_OF_MINUTES",
    "STORED_BY_ID",
    "STORED_SINCE",
    "UPSERT_PROGRESS",
]

# For the transaction that it stands in.
NO_TIMEOUT = text("SET LOCAL statement_timeout = 0")

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
        topics jsonb, model text, story text, spam text[], unscored text)
), claimed AS (
    INSERT INTO post_ids (id, published_at) SELECT id, published_at FROM batch ORDER BY id
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), inserted AS (
    INSERT INTO posts (
        id, source, text, published_at, ingested_at, fingerprint, author, followers, url, links, language, symbols,
        engagement, negative, neutral, positive, label, topic, topics, model, story, spam, unscored)
    SELECT id, source, text, published_at, ingested_at, fingerprint, author, followers, url, links, language, symbols,
        engagement, negative, neutral, positive, label, topic, topics, model, story, spam, unscored
    FROM batch JOIN claimed USING (id)
), mentioned AS (
    INSERT INTO mentions (
        post_id, symbol, published_at, position, source, fingerprint, author, negative, neutral, positive, label,
        topic, model, in_text, story, spam)
    SELECT id, mention.symbol, published_at, mention.position, source, fingerprint, author, mention.negative,
        mention.neutral, mention.positive, mention.label, topic, model, mention.in_text, story, cardinality(spam) > 0
    FROM batch JOIN claimed USING (id) JOIN jsonb_to_recordset(CAST(:mentions AS jsonb)) AS mention (
        post_id text, symbol text, position smallint, negative double precision, neutral double precision,
        positive double precision, label text, in_text boolean) ON mention.post_id = id
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
    SELECT jsonb_agg(jsonb_build_array(symbol, negative, neutral, positive, in_text) ORDER BY position)
    FROM mentions WHERE mentions.published_at = posts.published_at AND mentions.post_id = posts.id
) AS mentions
FROM posts
"""

BY_ID = (
    SCORED
    + """
JOIN post_ids ON post_ids.id = posts.id AND post_ids.published_at = posts.published_at
WHERE post_ids.id = ANY(:ids) AND posts.unscored IS NULL
"""
)

STORED_BY_ID = text(BY_ID)

# Those whose buckets cannot have expired yet.
FRESH_BY_ID = text(BY_ID + "AND greatest(posts.stored_at, posts.published_at) >= now() - :settled_after")

# Of the minutes that are old and that Redis has, or is about to have: the posts that may have expired there.
# `first` and `last` say again what the minutes say, for the planner: it then looks at their months alone.
REST_OF_MINUTES = text("""
SELECT unnest(array_agg(id) FILTER (WHERE stored_at < now() - :settled_after AND id <> ALL(CAST(:found AS text[]))))
FROM unnest(CAST(:minutes AS timestamptz[])) AS minute
JOIN posts ON published_at >= minute AND published_at < minute + interval '1 minute'
WHERE published_at BETWEEN :first AND :last AND minute < now() - :settled_after
GROUP BY minute HAVING max(stored_at) >= now() - :windows_live
""")

# A late post renews its bucket, so the bucket's other posts belong to what Redis holds, however old they are.
STORED_SINCE = text(
    "WITH minutes AS (SELECT DISTINCT date_trunc('minute', published_at, 'UTC') AS minute FROM posts"
    " WHERE stored_at >= :since) "
    + SCORED
    + "JOIN minutes ON posts.published_at >= minute AND posts.published_at < minute + interval '1 minute'"
    " WHERE posts.unscored IS NULL"
)

COUNTS = text("""
SELECT count(*) AS posts, (SELECT count(*) FROM mentions WHERE source = :source) AS mentions,
    count(DISTINCT coalesce(story, fingerprint)) AS stories, count(*) FILTER (WHERE spam <> '{}') AS spam,
    count(unscored) AS unscored
FROM posts WHERE source = :source
""")
