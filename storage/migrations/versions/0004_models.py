"""The registry of models, what stream workers say of themselves, and what a shadow says of the same posts."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

REGISTRY = """
CREATE TABLE models (
    version       text PRIMARY KEY,
    name          text NOT NULL,
    folder        text NOT NULL,
    files         jsonb NOT NULL,
    card          jsonb NOT NULL DEFAULT '{}',
    state         text NOT NULL DEFAULT 'candidate' CHECK (state IN ('candidate', 'active', 'shadow', 'retired')),
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    registered_by text NOT NULL
);

-- At most one version is active, and at most one is the shadow, whoever writes.
CREATE UNIQUE INDEX models_in_use ON models (state) WHERE state IN ('active', 'shadow');

CREATE TABLE model_changes (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who        text NOT NULL,
    action     text NOT NULL CHECK (action IN ('promote', 'rollback', 'shadow', 'unshadow')),
    version    text REFERENCES models (version),
    previous   text REFERENCES models (version)
);

CREATE TABLE stream_workers (
    id             text PRIMARY KEY,
    seen_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    version        text NOT NULL,
    pinned         boolean NOT NULL,
    wanted         text,
    problem        text,
    shadow         text,
    shadow_scored  bigint NOT NULL,
    shadow_dropped bigint NOT NULL,
    shadow_problem text
);

CREATE TABLE shadow_scores (
    model        text NOT NULL,
    published_at timestamptz NOT NULL,
    post_id      text NOT NULL,
    symbol       text NOT NULL,
    negative     double precision NOT NULL,
    neutral      double precision NOT NULL,
    positive     double precision NOT NULL,
    label        text NOT NULL CHECK (label IN ('negative', 'neutral', 'positive')),
    topic        text,
    scored_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (model, published_at, post_id, symbol)
);
"""

# Half the sum of the differences is the total variation distance: the most by which any two answers can differ in
# what they say of any set of labels.
COMPARED = """
    shadow_scores.post_id,
    shadow_scores.published_at,
    shadow_scores.symbol,
    shadow_scores.model                                                        AS shadow_model,
    stored.model,
    shadow_scores.label                                                        AS shadow_label,
    stored.label,
    shadow_scores.positive - shadow_scores.negative                            AS shadow_score,
    stored.positive - stored.negative                                          AS score,
    (abs(shadow_scores.negative - stored.negative) + abs(shadow_scores.neutral - stored.neutral)
        + abs(shadow_scores.positive - stored.positive)) / 2                   AS distance
"""

VIEW = f"""
CREATE VIEW shadow_comparison AS
SELECT {COMPARED}, shadow_scores.topic AS shadow_topic, stored.topic
FROM shadow_scores
JOIN posts AS stored ON stored.published_at = shadow_scores.published_at AND stored.id = shadow_scores.post_id
WHERE shadow_scores.symbol = '*'
UNION ALL
SELECT {COMPARED}, NULL, NULL
FROM shadow_scores
JOIN mentions AS stored ON stored.published_at = shadow_scores.published_at
    AND stored.post_id = shadow_scores.post_id AND stored.symbol = shadow_scores.symbol
WHERE shadow_scores.symbol <> '*';
"""


def upgrade() -> None:
    op.execute(REGISTRY)
    op.execute(VIEW)
