"""What people say of the model's answers."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# No reference to posts: a label holds its text, and stays when the month of its post is dropped. A label and a topic
# that are both missing mean that somebody has looked at the post and said nothing.
LABELS = """
CREATE TABLE labels (
    post_id     text NOT NULL,
    symbol      text NOT NULL,
    who         text NOT NULL,
    label       text CHECK (label IN ('negative', 'neutral', 'positive')),
    topic       text CHECK (topic IS NULL OR symbol = '*'),
    text        text NOT NULL,
    fingerprint text NOT NULL,
    model       text,
    model_label text,
    labelled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (post_id, symbol, who)
);

CREATE INDEX labels_seen ON labels (who, fingerprint);
"""


def upgrade() -> None:
    op.execute(LABELS)
