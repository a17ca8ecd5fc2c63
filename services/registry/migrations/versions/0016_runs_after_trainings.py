"""Whether completed trainings are tested with a question bank at once (P8)."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE question_banks ADD COLUMN run_after_training boolean NOT NULL DEFAULT false")
