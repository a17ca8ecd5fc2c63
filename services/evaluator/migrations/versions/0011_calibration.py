"""How often predictions are right, beside how sure they are (E5)."""

from alembic import op

revision = "0011"
down_revision = "0010"

_STATEMENTS = (
    # Samples, correct ones and the sum of confidences, of each bin. NULL: not counted.
    "ALTER TABLE report ADD COLUMN confidence_bins double precision[]",
    "ALTER TABLE report ADD COLUMN uncalibrated_bins double precision[]",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
