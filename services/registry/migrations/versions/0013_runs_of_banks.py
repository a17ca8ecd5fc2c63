"""Whether new versions are tested with a question bank at once, and on which resource (P8)."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE question_banks
            ADD COLUMN run_after_release boolean NOT NULL DEFAULT false,
            ADD COLUMN compute_resource text COLLATE "C" REFERENCES compute_resources
        """
    )
