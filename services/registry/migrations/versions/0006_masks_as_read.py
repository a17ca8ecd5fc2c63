"""Objects know what they say as masks; those known so far are read again when they are offered as one."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE objects DROP COLUMN max_value, ADD COLUMN mask jsonb")
