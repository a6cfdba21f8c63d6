"""Alerts tell of sources that give nothing, and of an evaluation that is behind, too.

No row is rewritten. An evaluator of the version before stops with an error at an alert of that kind.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MEASURES = """
ALTER TABLE alerts
    DROP CONSTRAINT alerts_measure_check,
    ADD CONSTRAINT alerts_measure_check
        CHECK (measure IN ('count', 'share', 'volume', 'no-data', 'failing', 'lag'));
"""


def upgrade() -> None:
    op.execute(MEASURES)
