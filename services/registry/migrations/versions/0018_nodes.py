"""A compute resource may be several hosts that train together (W7)."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE compute_resources ADD COLUMN nodes integer NOT NULL DEFAULT 1")
