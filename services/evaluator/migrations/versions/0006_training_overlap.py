"""How much of a prediction's data its version was trained with, and which report is the official one (P2, P7)."""

from alembic import op

revision = "0006"
down_revision = "0005"

_STATEMENTS = (
    # NULL in older reports: the overlap was not measured, so none of them is official.
    """
    ALTER TABLE report
        ADD COLUMN overlap_sample_count bigint,
        ADD COLUMN overlap_trained_sample_count bigint,
        ADD COLUMN overlap_trained_group_count bigint,
        ADD COLUMN overlap_affected_sample_count bigint,
        ADD CONSTRAINT report_overlap CHECK (
            num_nulls(
                overlap_sample_count, overlap_trained_sample_count, overlap_trained_group_count,
                overlap_affected_sample_count
            ) IN (0, 4)
        )
    """,
    """
    CREATE INDEX report_official ON report (model_version, create_time, id)
    WHERE kind = 2 AND overlap_affected_sample_count = 0
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
