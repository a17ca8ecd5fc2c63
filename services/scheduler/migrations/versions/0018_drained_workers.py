"""Workers that an administrator drains (T9), and the replicas of the scheduler."""

from alembic import op

from services.kit import replicas

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # By the worker's name: it outlives the processes that have it.
    op.execute("ALTER TABLE workers ADD COLUMN drain_time timestamptz, ADD COLUMN drainer text")
    replicas.create_table(op)
