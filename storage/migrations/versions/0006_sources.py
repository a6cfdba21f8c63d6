"""Where each source of posts goes on, how it is doing, and whether somebody has paused it."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SOURCES = """
CREATE TABLE sources (
    name                text PRIMARY KEY,
    kind                text NOT NULL DEFAULT '',
    cursor              text CHECK (octet_length(cursor) < 65536),
    paused              boolean NOT NULL DEFAULT false,
    posts               bigint NOT NULL DEFAULT 0,
    errors              bigint NOT NULL DEFAULT 0,
    last_error          text,
    newest_published_at timestamptz,
    polled_at           timestamptz,
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""


def upgrade() -> None:
    op.execute(SOURCES)
