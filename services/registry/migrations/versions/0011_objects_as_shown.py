"""Objects know how their picture is turned and what is doubtful; those known so far are read again."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE objects ADD COLUMN rules smallint NOT NULL DEFAULT 0, "
        "ADD COLUMN orientation smallint NOT NULL DEFAULT 1, ADD COLUMN doubt text NOT NULL DEFAULT ''"
    )
