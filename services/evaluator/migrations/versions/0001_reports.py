"""Reports and their samples."""

from alembic import op

from services.kit import inbox

revision = "0001"
down_revision = None

_STATEMENTS = (
    """
    CREATE TABLE report (
        id uuid PRIMARY KEY,
        job text NOT NULL UNIQUE,
        fencing_token bigint NOT NULL,
        kind smallint NOT NULL,
        task text NOT NULL,
        model_version text NOT NULL,
        weights_sha256 text NOT NULL,
        code_list text[] NOT NULL,
        num_of_classes integer NOT NULL,
        confidence_threshold double precision NOT NULL,
        data_paths text[] NOT NULL,
        images_per_s double precision NOT NULL,
        create_time timestamptz NOT NULL,
        confusion bigint[] NOT NULL,
        nonconforming_by_code bigint[] NOT NULL,
        nonconforming_count bigint NOT NULL,
        below_threshold_count bigint NOT NULL
    )
    """,
    "CREATE INDEX report_newest ON report (create_time, id)",
    "CREATE INDEX report_of_task ON report (task, create_time, id)",
    "CREATE INDEX report_of_version ON report (model_version, create_time, id)",
    """
    CREATE TABLE sample_result (
        report_id uuid NOT NULL REFERENCES report ON DELETE CASCADE,
        ordinal integer NOT NULL,
        file text NOT NULL,
        data_path text NOT NULL,
        sha256 text NOT NULL,
        true_code text NOT NULL,
        predicted_code text NOT NULL,
        verdict smallint NOT NULL,
        rank double precision NOT NULL,
        confidence double precision NOT NULL,
        top_codes text[] NOT NULL,
        top_scores double precision[] NOT NULL,
        decided_by smallint NOT NULL,
        reason text NOT NULL,
        message text NOT NULL
    )
    """,
    # One index per filter of P4: verdict, true code, predicted code. A cell of the confusion matrix is read from the
    # second index and filtered.
    "CREATE INDEX sample_result_by_verdict ON sample_result (report_id, verdict, rank, file, ordinal)",
    "CREATE INDEX sample_result_by_true_code ON sample_result (report_id, true_code, verdict, rank, file, ordinal)",
    """
    CREATE INDEX sample_result_by_predicted_code
    ON sample_result (report_id, predicted_code, verdict, rank, file, ordinal)
    """,
    # A worker that lost its lease may still send the report of a deleted task.
    "CREATE TABLE deleted_task (task text PRIMARY KEY, delete_time timestamptz NOT NULL)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
    inbox.create_tables(op)
