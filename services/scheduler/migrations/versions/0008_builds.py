"""What workers run and compute with, for operators."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE workers ADD COLUMN version text NOT NULL DEFAULT '',
            ADD COLUMN torch_version text NOT NULL DEFAULT '', ADD COLUMN device text NOT NULL DEFAULT ''
        """
    )
