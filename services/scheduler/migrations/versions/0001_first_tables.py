"""The tables of the scheduler."""

from alembic import op

from services.kit import inbox, outbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Ids and names are compared and ordered by byte, whatever the cluster's locale: COLLATE "C".
# A task's id begins with its time of creation, so that ordering by id is ordering by age.
_CREATE = (
    """
    CREATE TABLE tasks (
        id text COLLATE "C" PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('TRAINING', 'PREDICTION')),
        state text NOT NULL,
        creator text COLLATE "C" NOT NULL,
        model_name text COLLATE "C" NOT NULL,
        -- Runs of 1 to 3 characters of the name in lower case; pg_trgm is not in every PostgreSQL.
        name_grams text[] NOT NULL,
        retraining boolean NOT NULL,
        production_environment text COLLATE "C" NOT NULL,
        tried_version text COLLATE "C" NOT NULL,
        priority integer NOT NULL,
        request_id text COLLATE "C",
        request_digest bytea,
        spec jsonb NOT NULL,
        create_time timestamptz NOT NULL,
        revision bigint NOT NULL,
        state_revision bigint NOT NULL,
        attempt integer NOT NULL,
        terminating boolean NOT NULL,
        start_time timestamptz,
        end_time timestamptz,
        phase text,
        progress jsonb,
        stages jsonb NOT NULL,
        recoveries integer NOT NULL,
        failure jsonb,
        report text NOT NULL,
        weights_sha256 text COLLATE "C" NOT NULL,
        split_sha256 text COLLATE "C" NOT NULL,
        model_version text COLLATE "C" NOT NULL
    ) WITH (fillfactor = 70)
    """,
    # W1: a training task holds its name from submission; a retraining shares its model's.
    """
    CREATE UNIQUE INDEX tasks_model_name_held ON tasks (model_name)
    WHERE kind = 'TRAINING' AND NOT retraining
    """,
    # W12.
    "CREATE UNIQUE INDEX tasks_request ON tasks (creator, request_id) WHERE request_id IS NOT NULL",
    # T3: each filter has an index that is ordered as the page is.
    "CREATE INDEX tasks_by_state ON tasks (state, id)",
    "CREATE INDEX tasks_by_creator ON tasks (creator, id)",
    "CREATE INDEX tasks_by_environment ON tasks (production_environment, id)",
    "CREATE INDEX tasks_by_tried_version ON tasks (tried_version, id) WHERE tried_version <> ''",
    "CREATE INDEX tasks_predictions ON tasks (id) WHERE kind = 'PREDICTION'",
    "CREATE INDEX tasks_by_gram ON tasks USING gin (name_grams)",
    # What the collector of garbage asks.
    "CREATE INDEX tasks_by_weights ON tasks (weights_sha256) WHERE weights_sha256 <> ''",
    "CREATE INDEX tasks_by_split ON tasks (split_sha256) WHERE split_sha256 <> ''",
    """
    CREATE TABLE transitions (
        task text COLLATE "C" NOT NULL REFERENCES tasks ON DELETE CASCADE,
        revision bigint NOT NULL,
        from_state text,
        to_state text NOT NULL,
        time timestamptz NOT NULL,
        cause text NOT NULL,
        attempt integer NOT NULL,
        PRIMARY KEY (task, revision)
    )
    """,
    """
    CREATE TABLE jobs (
        id text COLLATE "C" PRIMARY KEY,
        task text COLLATE "C" NOT NULL REFERENCES tasks ON DELETE CASCADE,
        attempt integer NOT NULL,
        kind text NOT NULL CHECK (kind IN ('TRAIN', 'EVALUATE', 'PREDICT')),
        compute_resource text COLLATE "C" NOT NULL,
        -- The task's, here for the order of the queue.
        creator text COLLATE "C" NOT NULL,
        priority integer NOT NULL,
        queue_time timestamptz NOT NULL,
        available_time timestamptz NOT NULL,
        state text NOT NULL CHECK (state IN ('QUEUED', 'LEASED', 'DONE')),
        fencing_token bigint NOT NULL,
        worker text NOT NULL,
        lease_expire_time timestamptz,
        recoveries integer NOT NULL,
        checkpoint_sha256 text COLLATE "C",
        checkpoint_network smallint,
        checkpoint_iteration bigint,
        finished_token bigint NOT NULL,
        outcome text NOT NULL,
        UNIQUE (task, attempt, kind),
        CHECK ((state = 'LEASED') = (lease_expire_time IS NOT NULL))
    ) WITH (fillfactor = 50)
    """,
    "CREATE INDEX jobs_queued ON jobs (compute_resource, kind) WHERE state = 'QUEUED'",
    # Not on the lease's end: a heartbeat would then have to write the index too.
    "CREATE INDEX jobs_leased ON jobs (creator) WHERE state = 'LEASED'",
    "CREATE INDEX jobs_by_checkpoint ON jobs (checkpoint_sha256) WHERE checkpoint_sha256 IS NOT NULL",
    """
    CREATE TABLE workers (
        name text COLLATE "C" PRIMARY KEY,
        kinds text[] NOT NULL,
        compute_resource text COLLATE "C" NOT NULL,
        last_seen timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE curves (
        task text COLLATE "C" NOT NULL REFERENCES tasks ON DELETE CASCADE,
        attempt integer NOT NULL,
        network smallint NOT NULL,
        points bigint NOT NULL DEFAULT 0,
        lines bigint NOT NULL DEFAULT 0,
        -- When the worker finished the last of the points.
        step_time timestamptz,
        PRIMARY KEY (task, attempt, network)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE loss_chunks (
        task text COLLATE "C" NOT NULL REFERENCES tasks ON DELETE CASCADE,
        attempt integer NOT NULL,
        network smallint NOT NULL,
        chunk integer NOT NULL,
        -- float32, little-endian, at most 480.
        points bytea STORAGE PLAIN NOT NULL,
        PRIMARY KEY (task, attempt, network, chunk)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE validation_points (
        task text COLLATE "C" NOT NULL REFERENCES tasks ON DELETE CASCADE,
        attempt integer NOT NULL,
        network smallint NOT NULL,
        iteration bigint NOT NULL,
        accuracy double precision NOT NULL,
        PRIMARY KEY (task, attempt, network, iteration)
    )
    """,
    """
    CREATE TABLE log_chunks (
        task text COLLATE "C" NOT NULL REFERENCES tasks ON DELETE CASCADE,
        attempt integer NOT NULL,
        network smallint NOT NULL,
        first_line bigint NOT NULL,
        lines text[] NOT NULL,
        PRIMARY KEY (task, attempt, network, first_line)
    )
    """,
    """
    CREATE TABLE nonconforming_samples (
        task text COLLATE "C" NOT NULL REFERENCES tasks ON DELETE CASCADE,
        attempt integer NOT NULL,
        data_path text COLLATE "C" NOT NULL,
        file text COLLATE "C" NOT NULL,
        sha256 text NOT NULL,
        reason text NOT NULL,
        message text NOT NULL,
        width integer NOT NULL,
        height integer NOT NULL,
        PRIMARY KEY (task, attempt, data_path, file)
    )
    """,
    # Objects that may have become superfluous; the collector looks whether they are.
    """
    CREATE TABLE garbage (
        key text COLLATE "C" PRIMARY KEY,
        not_before timestamptz NOT NULL
    )
    """,
    "CREATE INDEX garbage_due ON garbage (not_before)",
)


def upgrade() -> None:
    outbox.create_table(op)
    inbox.create_tables(op)
    for statement in _CREATE:
        op.execute(statement)
