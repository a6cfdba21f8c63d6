"""What alerts and deliveries have learned to hold: severity, acknowledgement, threads, silences, what people ask for.

All new columns have constant defaults or none, so no row is rewritten, and an evaluator of the version before goes
on. Mentions of every label are read as they come from now on, not the negative ones only: the index for that takes
the place of the old one, and the posts get one too. Workers cannot store while the two are built: seconds for each
million mentions and posts.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ALERTS = """
ALTER TABLE alerts
    ADD COLUMN severity             text NOT NULL DEFAULT 'warning' CHECK (severity IN ('info', 'warning', 'critical')),
    ADD COLUMN measure              text NOT NULL DEFAULT 'count' CHECK (measure IN ('count', 'share', 'volume')),
    ADD COLUMN posts                integer,
    ADD COLUMN per_year             double precision,
    ADD COLUMN acknowledged_by      text,
    ADD COLUMN acknowledged_at      timestamptz,
    ADD COLUMN acknowledged_comment text,
    ADD COLUMN told                 jsonb,
    ADD COLUMN told_at              timestamptz,
    DROP CONSTRAINT alerts_state_check,
    ADD CONSTRAINT alerts_state_check CHECK (state IN ('pending', 'firing', 'acknowledged', 'resolved'));
"""

# `event_at` is missing in rows of before: they count for no rate cap.
DELIVERIES = """
ALTER TABLE deliveries
    ADD COLUMN receipt  text,
    ADD COLUMN others   jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN dropped  integer NOT NULL DEFAULT 0,
    ADD COLUMN event_at timestamptz,
    DROP CONSTRAINT deliveries_status_check,
    ADD CONSTRAINT deliveries_status_check CHECK (status IN ('waiting', 'sent', 'failed', 'dropped'));

CREATE INDEX deliveries_notifier ON deliveries (notifier, number);
CREATE INDEX deliveries_event_at ON deliveries (event_at) WHERE status <> 'dropped';
CREATE INDEX deliveries_failed ON deliveries (number) WHERE status = 'failed';
CREATE INDEX deliveries_others ON deliveries USING gin (jsonb_path_query_array(others, '$[*].id')) WHERE others <> '[]';
"""

PEOPLE = """
CREATE TABLE silences (
    id         text PRIMARY KEY,
    symbol     text NOT NULL,
    rule       text NOT NULL,
    author     text NOT NULL,
    reason     text NOT NULL,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL CHECK (ends_at >= starts_at),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX silences_ends_at ON silences (ends_at);

CREATE TABLE alert_actions (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id   text NOT NULL REFERENCES alerts (id),
    action     text NOT NULL CHECK (action IN ('acknowledge', 'resolve')),
    who        text NOT NULL,
    comment    text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_at timestamptz
);

CREATE INDEX alert_actions_waiting ON alert_actions (number) WHERE applied_at IS NULL;
CREATE INDEX alert_actions_alert ON alert_actions (alert_id);
"""

# Locked in the order in which the stream's workers lock them: the other way round, one of both would be a deadlock's
# victim after the long building of an index.
STORED = """
LOCK TABLE posts, mentions IN SHARE MODE;
CREATE INDEX posts_stored ON posts (stored_xid);
CREATE INDEX mentions_stored ON mentions (stored_xid);
DROP INDEX mentions_negative_stored;
"""

# Replaced, so that it keeps who may read it; new columns can only come last.
HISTORY = """
CREATE OR REPLACE VIEW alert_history AS
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
    alerts.id                                          AS alert_id,
    alerts.severity,
    alerts.measure,
    alerts.posts,
    alerts.per_year,
    alerts.acknowledged_by,
    alerts.acknowledged_at,
    alerts.acknowledged_comment
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
    op.execute(ALERTS)
    op.execute(DELIVERIES)
    op.execute(PEOPLE)
    op.execute(STORED)
    op.execute(HISTORY)
