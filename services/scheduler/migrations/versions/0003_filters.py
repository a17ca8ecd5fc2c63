"""An index for each pair of filters of the list, ordered as its pages are (rule T3)."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "CREATE INDEX tasks_by_creator_and_state ON tasks (creator, state, id)",
    "CREATE INDEX tasks_by_environment_and_state ON tasks (production_environment, state, id)",
    "CREATE INDEX tasks_by_creator_and_environment ON tasks (creator, production_environment, id)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
