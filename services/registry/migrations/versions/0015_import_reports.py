"""Reports of imports (D7), and the significant bits of a data path's deep pictures (D6)."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_CREATE = (
    # Of paths from before this, nobody knows what their pictures were scaled by: NULL.
    "ALTER TABLE data_paths ADD COLUMN bits integer CHECK (bits IN (0, 10, 12, 14))",
    """
    CREATE TABLE import_reports (
        number bigint GENERATED ALWAYS AS IDENTITY,
        path bigint NOT NULL REFERENCES data_paths (key) ON DELETE CASCADE,
        id text COLLATE "C" NOT NULL,
        creator text NOT NULL,
        create_time timestamptz NOT NULL,
        facts jsonb NOT NULL,
        PRIMARY KEY (path, id)
    )
    """,
    """
    CREATE TABLE import_report_lines (
        path bigint NOT NULL,
        report text COLLATE "C" NOT NULL,
        place integer NOT NULL,
        kind text NOT NULL,
        file text NOT NULL,
        reason text NOT NULL,
        message text NOT NULL,
        message_zh text NOT NULL,
        sample_file text NOT NULL,
        PRIMARY KEY (path, report, place),
        FOREIGN KEY (path, report) REFERENCES import_reports ON DELETE CASCADE
    )
    """,
)


def upgrade() -> None:
    for statement in _CREATE:
        op.execute(statement)
