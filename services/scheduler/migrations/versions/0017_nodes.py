"""A training takes its amounts of several hosts (W7)."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Pinned, as the amounts of one host are. Those of a job are its own.
    op.execute("ALTER TABLE tasks ADD COLUMN nodes integer NOT NULL DEFAULT 1")
