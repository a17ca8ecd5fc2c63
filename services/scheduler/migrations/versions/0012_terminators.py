"""Who asked for the termination of a task (M6)."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN terminator text NOT NULL DEFAULT ''")
