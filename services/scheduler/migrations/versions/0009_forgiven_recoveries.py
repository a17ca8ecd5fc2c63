"""How far a job without checkpoints was when its recoveries were last forgotten (rule T5)."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN reached double precision NOT NULL DEFAULT 0")
