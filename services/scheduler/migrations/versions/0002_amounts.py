"""Amounts of compute resources, and lines of waiting jobs (rules T4, T8)."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # What the task takes of its compute resource: pinned, for an administrator may change the resource later.
    *(
        f"""
        ALTER TABLE {table}
            ADD COLUMN gpus integer NOT NULL DEFAULT 0,
            ADD COLUMN cpus integer NOT NULL DEFAULT 1,
            ADD COLUMN memory_bytes bigint NOT NULL DEFAULT 0
        """
        for table in ("tasks", "jobs")
    ),
    # Workers announce themselves anew within seconds.
    "DROP TABLE workers",
    """
    CREATE TABLE workers (
        name text COLLATE "C" PRIMARY KEY,
        kinds text[] NOT NULL,
        compute_resources text[] NOT NULL,
        gpus integer NOT NULL,
        cpus integer NOT NULL,
        memory_bytes bigint NOT NULL,
        start_time timestamptz NOT NULL,
        last_seen timestamptz NOT NULL
    )
    """,
    # A line: the waiting jobs of one user, of one priority, for one resource. Whose turn it is costs a look at the first of
    # every line, not at every job; here is since when a line waits. A row that is missing only makes its line older.
    """
    CREATE TABLE lines (
        compute_resource text COLLATE "C" NOT NULL,
        kind text NOT NULL,
        creator text COLLATE "C" NOT NULL,
        priority integer NOT NULL,
        -- When a job of it was given out last.
        served_time timestamptz NOT NULL,
        PRIMARY KEY (compute_resource, kind, creator, priority)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE INDEX jobs_in_line ON jobs (compute_resource, kind, creator, priority, queue_time, id)
    WHERE state = 'QUEUED'
    """,
    "DROP INDEX jobs_queued",
    "CREATE INDEX jobs_held ON jobs (worker) WHERE state = 'LEASED'",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
