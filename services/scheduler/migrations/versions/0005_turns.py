"""The number of the turn: whoever decides whose it is, has seen what was decided before (rule T8)."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # One row, raised by every decision.
    "CREATE TABLE turns (number bigint NOT NULL) WITH (fillfactor = 10)",
    "INSERT INTO turns VALUES (1)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
