"""Data paths declare what the values of their masks mean, and objects know their largest value."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE data_paths ADD COLUMN mask_codes text[] NOT NULL DEFAULT '{}'")
    op.execute("ALTER TABLE objects ADD COLUMN max_value smallint")
