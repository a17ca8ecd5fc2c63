"""Audit entries name the process that told them."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE audit_entries ADD COLUMN reporter text NOT NULL DEFAULT ''")
