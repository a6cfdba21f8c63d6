"""Whether a text names the symbol that it is a mention of, and views of topics.

What was stored before had the whole text's sentiment for each of its symbols, and nobody looked whether the text
names them: `in_text` is true there. A column with a constant default is added without rewriting a row.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

IN_TEXT = "ALTER TABLE mentions ADD COLUMN in_text boolean NOT NULL DEFAULT true"

# Replaced, not dropped and made anew, so that they keep who may read them; new columns can only come last.
SENTIMENT_BY = """
CREATE OR REPLACE VIEW sentiment_by_{unit} AS
SELECT
    date_trunc('{unit}', published_at, 'UTC')          AS {unit},
    symbol,
    topic,
    count(*)                                           AS posts,
    count(*) FILTER (WHERE label = 'negative')         AS negative,
    count(*) FILTER (WHERE label = 'neutral')          AS neutral,
    count(*) FILTER (WHERE label = 'positive')         AS positive,
    avg(positive - negative)                           AS mean_score,
    count(DISTINCT coalesce(author, post_id))          AS distinct_authors,
    count(DISTINCT fingerprint)                        AS distinct_texts,
    count(*) FILTER (WHERE in_text)                    AS in_text
FROM mentions
GROUP BY 1, 2, 3;
"""

TOPICS_BY = """
CREATE VIEW topics_by_{unit} AS
SELECT
    date_trunc('{unit}', published_at, 'UTC')          AS {unit},
    topic,
    count(*)                                           AS posts,
    count(*) FILTER (WHERE label = 'negative')         AS negative,
    count(*) FILTER (WHERE label = 'neutral')          AS neutral,
    count(*) FILTER (WHERE label = 'positive')         AS positive,
    avg(positive - negative)                           AS mean_score,
    count(DISTINCT coalesce(author, id))               AS distinct_authors,
    count(DISTINCT fingerprint)                        AS distinct_texts
FROM posts
WHERE topic IS NOT NULL
GROUP BY 1, 2;
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
    mentions.in_text
FROM mentions
JOIN posts ON posts.published_at = mentions.published_at AND posts.id = mentions.post_id
WHERE mentions.label = 'negative';
"""


def upgrade() -> None:
    op.execute(IN_TEXT)
    for unit in ("minute", "hour", "day"):
        op.execute(SENTIMENT_BY.format(unit=unit))
        op.execute(TOPICS_BY.format(unit=unit))
    op.execute(NEGATIVE_POSTS)
