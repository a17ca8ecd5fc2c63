"""Indexes of which every page of the list is a range, names included (rule T3)."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATEMENTS = (
    *(
        f"DROP INDEX tasks_{name}"
        for name in (
            "by_state",
            "by_creator",
            "by_environment",
            "by_creator_and_state",
            "by_environment_and_state",
            "by_creator_and_environment",
            "predictions",
        )
    ),
    "CREATE INDEX tasks_by_age ON tasks (id) INCLUDE (model_name)",
    "CREATE INDEX tasks_by_state ON tasks (state, id) INCLUDE (model_name)",
    "CREATE INDEX tasks_by_creator ON tasks (creator, state, id) INCLUDE (model_name)",
    "CREATE INDEX tasks_by_environment ON tasks (production_environment, state, id) INCLUDE (model_name)",
    """
    CREATE INDEX tasks_by_creator_and_environment ON tasks (creator, production_environment, state, id)
    INCLUDE (model_name)
    """,
    "CREATE INDEX tasks_predictions ON tasks (state, id) INCLUDE (model_name) WHERE kind = 'PREDICTION'",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
