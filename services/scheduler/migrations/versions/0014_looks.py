"""Of which look at the validation split the weights of a training are (E4)."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # NULL: not trained yet, or before looks were kept.
    op.execute("ALTER TABLE tasks ADD COLUMN looks jsonb")
