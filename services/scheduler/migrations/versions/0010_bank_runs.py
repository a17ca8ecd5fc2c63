"""Released versions that are still to be tested with the question banks of their environment (P8)."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE bank_runs_due (
            model_version text PRIMARY KEY,
            task text NOT NULL,
            production_environment text NOT NULL,
            releaser text NOT NULL,
            create_time timestamptz NOT NULL
        )
        """
    )
