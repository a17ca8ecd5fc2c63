"""Which revision of a question bank a report was made over, and how many samples were left out (P7)."""

from alembic import op

revision = "0007"
down_revision = "0006"

_STATEMENTS = (
    # Empty in reports over plain data paths, and in all that were made before.
    """
    ALTER TABLE report
        ADD COLUMN question_bank text NOT NULL DEFAULT '',
        ADD COLUMN excluded_sample_count bigint NOT NULL DEFAULT 0 CHECK (excluded_sample_count >= 0)
    """,
    """
    CREATE INDEX report_question_bank ON report (question_bank, model_version, create_time, id)
    WHERE question_bank <> ''
    """,
    """
    CREATE INDEX report_any_revision
    ON report (split_part(question_bank, '/revisions/', 1), create_time, id) WHERE question_bank <> ''
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
