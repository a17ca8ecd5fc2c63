"""Samples by number and by file, hashes of their pictures, suspected labels, and marks of wrong ones."""

from alembic import op

revision = "0003"
down_revision = "0002"

_STATEMENTS = (
    "ALTER TABLE sample_result ADD COLUMN perceptual_hash bytea",
    "CREATE UNIQUE INDEX sample_result_by_ordinal ON sample_result (report_id, ordinal)",
    "CREATE INDEX sample_result_by_file ON sample_result (report_id, true_code, file, ordinal)",
    """
    CREATE TABLE suspected_label (
        report_id uuid NOT NULL REFERENCES report ON DELETE CASCADE,
        ordinal integer NOT NULL,
        suspicion smallint NOT NULL,
        score double precision NOT NULL,
        true_code text NOT NULL,
        usual_confidence double precision NOT NULL,
        twin_ordinal integer,
        distance smallint NOT NULL
    )
    """,
    "CREATE INDEX suspected_label_by_score ON suspected_label (report_id, score DESC, ordinal, suspicion)",
    # Marks belong to samples, not to reports: they stay when a report is deleted.
    """
    CREATE TABLE relabel_mark (
        id uuid PRIMARY KEY,
        data_path text NOT NULL,
        file text NOT NULL,
        sha256 text NOT NULL,
        right_code text NOT NULL,
        note text NOT NULL,
        report_id uuid NOT NULL,
        sample_ordinal integer NOT NULL,
        creator text NOT NULL,
        create_time timestamptz NOT NULL,
        state smallint NOT NULL,
        apply_time timestamptz,
        new_file text NOT NULL,
        message text NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX relabel_mark_open ON relabel_mark (data_path, file) WHERE state = 1",
    "CREATE INDEX relabel_mark_newest ON relabel_mark (create_time, id)",
    "CREATE INDEX relabel_mark_of_path ON relabel_mark (data_path, create_time, id)",
    "CREATE INDEX relabel_mark_of_report ON relabel_mark (report_id, create_time, id)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
