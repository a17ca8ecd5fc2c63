"""Trainings are tested with question banks too, and predictions judge them (P8)."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # `models/{model}/versions/{version}`, or `tasks/{task}` of a training.
    "ALTER TABLE bank_runs RENAME COLUMN model_version TO judged",
    "ALTER TABLE bank_runs_due RENAME COLUMN model_version TO judged",
    "ALTER TABLE bank_runs_due RENAME COLUMN releaser TO caller",
    # Whether an object is still needed (T7).
    """
    CREATE INDEX tasks_judged_weights ON tasks ((spec ->> 'weights_sha256'))
    WHERE kind = 'PREDICTION' AND tried_version LIKE 'tasks/%'
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
