"""Which rule a nonconforming sample breaks, in Chinese (M1a)."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE nonconforming_samples ADD COLUMN message_zh text NOT NULL DEFAULT ''")
