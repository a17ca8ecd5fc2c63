"""Of which look at the validation split the weights of a report are (E4)."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    # NULL: of a prediction, or from before looks were kept.
    op.execute("ALTER TABLE report ADD COLUMN looks jsonb")
