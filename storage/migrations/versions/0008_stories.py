"""Which story a post tells, why it is spam, and posts that no model was asked about.

What was stored before has no story (its fingerprint stands for it) and was never looked at for spam. A column with a
constant default is added, and NOT NULL is dropped, without rewriting a row.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

POSTS = """
ALTER TABLE posts
    ADD COLUMN story text,
    ADD COLUMN spam text[] NOT NULL DEFAULT '{}',
    ADD COLUMN unscored text,
    ALTER COLUMN negative DROP NOT NULL,
    ALTER COLUMN neutral DROP NOT NULL,
    ALTER COLUMN positive DROP NOT NULL,
    ALTER COLUMN label DROP NOT NULL,
    ALTER COLUMN model DROP NOT NULL,
    ADD CONSTRAINT posts_scored_or_not CHECK (
        (unscored IS NULL) = (negative IS NOT NULL AND neutral IS NOT NULL AND positive IS NOT NULL
            AND label IS NOT NULL AND model IS NOT NULL)) NOT VALID;
"""

MENTIONS = """
ALTER TABLE mentions
    ADD COLUMN story text,
    ADD COLUMN spam boolean NOT NULL DEFAULT false;
"""


def upgrade() -> None:
    op.execute(POSTS)
    op.execute(MENTIONS)
