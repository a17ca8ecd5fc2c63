"""The replicas of the evaluator."""

from alembic import op

from services.kit import replicas

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    replicas.create_table(op)
