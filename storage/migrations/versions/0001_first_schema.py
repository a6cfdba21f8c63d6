"""Posts, mentions, progress, alerts, deliveries, and the views for people who write SQL."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

POSTS = """
-- A primary key of a partitioned table must hold the partition's column, so it cannot keep an id unique across
-- months. This table does: whoever inserts the id here first writes the post.
CREATE TABLE post_ids (
    id           text PRIMARY KEY,
    published_at timestamptz NOT NULL
);

CREATE TABLE posts (
    id           text NOT NULL,
    source       text NOT NULL,
    text         text NOT NULL,
    published_at timestamptz NOT NULL,
    ingested_at  timestamptz NOT NULL,
    stored_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    stored_xid   xid8 NOT NULL DEFAULT pg_current_xact_id(),
    fingerprint  text NOT NULL,
    author       text,
    followers    bigint,
    url          text,
    links        text[] NOT NULL DEFAULT '{}',
    language     text NOT NULL,
    symbols      text[] NOT NULL DEFAULT '{}',
    engagement   bigint NOT NULL,
    negative     double precision NOT NULL,
    neutral      double precision NOT NULL,
    positive     double precision NOT NULL,
    label        text NOT NULL CHECK (label IN ('negative', 'neutral', 'positive')),
    topic        text,
    topics       jsonb NOT NULL DEFAULT '{}',
    model        text NOT NULL,
    PRIMARY KEY (published_at, id)
) PARTITION BY RANGE (published_at);

-- Rows lie in the order in which they were stored, so that a block-range index finds the latest of them.
CREATE INDEX posts_stored_at ON posts USING brin (stored_at) WITH (pages_per_range = 16);

CREATE TABLE mentions (
    post_id      text NOT NULL,
    symbol       text NOT NULL,
    published_at timestamptz NOT NULL,
    position     smallint NOT NULL,
    source       text NOT NULL,
    fingerprint  text NOT NULL,
    author       text,
    negative     double precision NOT NULL,
    neutral      double precision NOT NULL,
    positive     double precision NOT NULL,
    label        text NOT NULL CHECK (label IN ('negative', 'neutral', 'positive')),
    topic        text,
    model        text NOT NULL,
    stored_xid   xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (published_at, post_id, symbol)
) PARTITION BY RANGE (published_at);

CREATE INDEX mentions_symbol ON mentions (symbol, published_at);
CREATE INDEX mentions_negative_stored ON mentions (stored_xid) WHERE label = 'negative';

CREATE TABLE progress (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL,
    newest_at   timestamptz,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (topic, partition)
);
"""

ALERTS = """
CREATE TABLE evaluator (
    single_row integer PRIMARY KEY DEFAULT 1 CHECK (single_row = 1),
    as_of      timestamptz NOT NULL
);

CREATE TABLE alerts (
    id          text PRIMARY KEY,
    rule        text NOT NULL,
    symbol      text NOT NULL,
    state       text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    started_at  timestamptz NOT NULL,
    fired_at    timestamptz,
    resolved_at timestamptz,
    quiet_since timestamptz,
    peak_start  timestamptz NOT NULL,
    peak_end    timestamptz NOT NULL,
    negative    integer NOT NULL,
    expected    double precision NOT NULL,
    p_value     double precision NOT NULL,
    authors     integer NOT NULL,
    evidence    jsonb,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX alerts_started_at ON alerts (started_at);
CREATE INDEX alerts_unresolved ON alerts (symbol) WHERE state <> 'resolved';

CREATE TABLE deliveries (
    number          bigint GENERATED ALWAYS AS IDENTITY,
    id              text PRIMARY KEY,
    alert_id        text NOT NULL REFERENCES alerts (id),
    reason          text NOT NULL,
    notifier        text NOT NULL,
    payload         jsonb NOT NULL,
    status          text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'sent', 'failed')),
    attempts        integer NOT NULL DEFAULT 0,
    last_error      text,
    next_attempt_at timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at         timestamptz
);

CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE status = 'waiting';
CREATE INDEX deliveries_alert ON deliveries (alert_id, notifier);
"""

SENTIMENT_BY = """
CREATE VIEW sentiment_by_{unit} AS
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
    count(DISTINCT fingerprint)                        AS distinct_texts
FROM mentions
GROUP BY 1, 2, 3;
"""

VIEWS = """
CREATE VIEW negative_posts AS
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
    mentions.model
FROM mentions
JOIN posts ON posts.published_at = mentions.published_at AND posts.id = mentions.post_id
WHERE mentions.label = 'negative';

CREATE VIEW alert_history AS
SELECT
    alerts.symbol,
    alerts.state,
    alerts.started_at,
    alerts.fired_at,
    alerts.resolved_at,
    alerts.resolved_at - alerts.started_at             AS lasted,
    alerts.negative,
    alerts.expected,
    alerts.p_value,
    alerts.authors,
    alerts.evidence #>> '{top_posts,0,text}'           AS top_post,
    sent.deliveries,
    sent.last_error,
    alerts.rule,
    alerts.peak_start,
    alerts.peak_end,
    alerts.id                                          AS alert_id
FROM alerts
LEFT JOIN LATERAL (
    SELECT
        string_agg(notifier || ' ' || reason || ': ' || status, ', ' ORDER BY number) AS deliveries,
        (array_agg(last_error ORDER BY number DESC) FILTER (WHERE status <> 'sent' AND last_error IS NOT NULL))[1]
                                                       AS last_error
    FROM deliveries
    WHERE deliveries.alert_id = alerts.id
) AS sent ON true;
"""


def upgrade() -> None:
    op.execute(POSTS)
    op.execute(ALERTS)
    for unit in ("minute", "hour", "day"):
        op.execute(SENTIMENT_BY.format(unit=unit))
    op.execute(VIEWS)
