"""Exports: a third kind of task, one a version and format (X)."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE tasks DROP CONSTRAINT tasks_kind_check",
    "ALTER TABLE tasks ADD CONSTRAINT tasks_kind_check CHECK (kind IN ('TRAINING', 'PREDICTION', 'EXPORT'))",
    "ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check",
    """
    ALTER TABLE jobs ADD CONSTRAINT jobs_kind_check
    CHECK (kind IN ('TRAIN', 'EVALUATE', 'PREDICT', 'PACKAGE'))
    """,
    "CREATE UNIQUE INDEX tasks_export ON tasks (tried_version, (spec->>'format')) WHERE kind = 'EXPORT'",
    "CREATE INDEX tasks_exports ON tasks (state, id) INCLUDE (model_name) WHERE kind = 'EXPORT'",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
