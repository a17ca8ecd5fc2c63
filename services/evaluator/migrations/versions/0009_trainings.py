"""Reports of trainings that were judged before their release, and the versions that they became (P8)."""

from alembic import op

revision = "0009"
down_revision = "0008"

_STATEMENTS = (
    # Empty: a version was judged, or it is the report of the training itself.
    "ALTER TABLE report ADD COLUMN training_task text NOT NULL DEFAULT ''",
    "CREATE INDEX report_of_training ON report (training_task) WHERE training_task <> ''",
    # The report of a training may arrive after its release.
    "CREATE TABLE released_training (task text PRIMARY KEY, model_version text NOT NULL)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
