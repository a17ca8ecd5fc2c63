"""The tables of the registry."""

from alembic import op

from services.kit import inbox, outbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Ids, codes and file names are compared and ordered by byte, whatever the cluster's locale: COLLATE "C".
_CREATE = (
    """
    CREATE TABLE production_environments (
        id text COLLATE "C" PRIMARY KEY,
        site text NOT NULL,
        product text NOT NULL,
        process_step text NOT NULL,
        equipment text NOT NULL,
        description text NOT NULL
    )
    """,
    """
    CREATE TABLE compute_resources (
        id text COLLATE "C" PRIMARY KEY,
        description text NOT NULL,
        gpus integer NOT NULL,
        cpus integer NOT NULL,
        memory_bytes bigint NOT NULL
    )
    """,
    """
    CREATE TABLE algorithm_images (
        id text COLLATE "C" PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('GENERAL', 'BUSINESS')),
        task_type text NOT NULL CHECK (task_type IN ('CLASSIFICATION', 'SEGMENTATION_CLASSIFICATION')),
        display_name text NOT NULL,
        description text NOT NULL,
        production_environment text COLLATE "C" REFERENCES production_environments,
        create_time timestamptz NOT NULL,
        CHECK ((kind = 'BUSINESS') = (production_environment IS NOT NULL))
    )
    """,
    "CREATE INDEX algorithm_images_environment ON algorithm_images (production_environment)",
    """
    CREATE TABLE algorithm_image_versions (
        image text COLLATE "C" NOT NULL REFERENCES algorithm_images,
        major integer NOT NULL,
        minor integer NOT NULL,
        description text NOT NULL,
        classification_networks text[] NOT NULL,
        input jsonb NOT NULL,
        default_model_params jsonb NOT NULL,
        default_training_params jsonb NOT NULL,
        training_paths text[] NOT NULL,
        create_time timestamptz NOT NULL,
        PRIMARY KEY (image, major, minor)
    )
    """,
    """
    CREATE TABLE datasets (
        id text COLLATE "C" PRIMARY KEY,
        description text NOT NULL,
        creator text NOT NULL,
        create_time timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE data_paths (
        key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        dataset text COLLATE "C" NOT NULL REFERENCES datasets,
        id text COLLATE "C" NOT NULL,
        description text NOT NULL,
        revision bigint NOT NULL DEFAULT 0,
        create_time timestamptz NOT NULL,
        update_time timestamptz NOT NULL,
        UNIQUE (dataset, id)
    )
    """,
    # Kept with every change of the listing, so that a path of a million samples opens as fast as one of ten.
    """
    CREATE TABLE code_counts (
        path bigint NOT NULL REFERENCES data_paths ON DELETE CASCADE,
        code text COLLATE "C" NOT NULL,
        sample_count bigint NOT NULL CHECK (sample_count >= 0),
        mask_count bigint NOT NULL CHECK (mask_count BETWEEN 0 AND sample_count),
        PRIMARY KEY (path, code)
    )
    """,
    # What is known of bytes, by their hash. Either facts or a rejection.
    """
    CREATE TABLE objects (
        sha256 bytea PRIMARY KEY CHECK (length(sha256) = 32),
        size_bytes bigint NOT NULL,
        width integer,
        height integer,
        channels smallint,
        bit_depth smallint,
        format text,
        pixels_sha256 bytea,
        reject_reason text,
        reject_message text,
        verify_time timestamptz NOT NULL,
        CHECK ((pixels_sha256 IS NULL) = (reject_reason IS NOT NULL))
    )
    """,
    """
    CREATE TABLE samples (
        path bigint NOT NULL REFERENCES data_paths ON DELETE CASCADE,
        file text COLLATE "C" NOT NULL,
        code text COLLATE "C" NOT NULL,
        sha256 bytea NOT NULL REFERENCES objects,
        mask_sha256 bytea REFERENCES objects,
        group_key text,
        pixels_sha256 bytea NOT NULL,
        create_time timestamptz NOT NULL,
        PRIMARY KEY (path, file)
    )
    """,
    "CREATE INDEX samples_code ON samples (path, code, file)",
    "CREATE INDEX samples_pixels ON samples (pixels_sha256, path)",
    # No ON DELETE: a pinned path cannot go.
    """
    CREATE TABLE snapshots (
        path bigint NOT NULL REFERENCES data_paths,
        sha256 bytea NOT NULL,
        revision bigint NOT NULL,
        code_counts jsonb NOT NULL,
        create_time timestamptz NOT NULL,
        PRIMARY KEY (path, sha256)
    )
    """,
    # No foreign key to the environment: a release must not fail for master data that changed meanwhile.
    """
    CREATE TABLE models (
        id text COLLATE "C" PRIMARY KEY,
        production_environment text COLLATE "C",
        task_type text NOT NULL,
        last_modifier text NOT NULL,
        create_time timestamptz NOT NULL,
        update_time timestamptz NOT NULL
    )
    """,
    "CREATE INDEX models_environment ON models (production_environment, id)",
    """
    CREATE TABLE model_versions (
        model text COLLATE "C" NOT NULL REFERENCES models,
        major integer NOT NULL,
        release_number integer NOT NULL CHECK (release_number >= 1),
        task text COLLATE "C" NOT NULL UNIQUE,
        algorithm_image_version text NOT NULL,
        parent_version text NOT NULL,
        weights_sha256 bytea NOT NULL,
        snapshots text[] NOT NULL,
        code_list text[] NOT NULL,
        num_of_classes integer NOT NULL,
        input jsonb NOT NULL,
        model_params jsonb NOT NULL,
        training_params jsonb NOT NULL,
        preprocessing_params jsonb NOT NULL,
        seed bigint NOT NULL,
        report text NOT NULL,
        releaser text NOT NULL,
        production_environment text,
        task_type text NOT NULL,
        archived boolean NOT NULL DEFAULT false,
        create_time timestamptz NOT NULL,
        PRIMARY KEY (model, major, release_number)
    )
    """,
    """
    CREATE TABLE model_aliases (
        model text COLLATE "C" NOT NULL,
        alias text COLLATE "C" NOT NULL,
        major integer NOT NULL,
        release_number integer NOT NULL,
        PRIMARY KEY (model, alias),
        FOREIGN KEY (model, major, release_number) REFERENCES model_versions
    )
    """,
    "CREATE INDEX model_aliases_version ON model_aliases (model, major, release_number)",
    """
    CREATE TABLE users (
        id text COLLATE "C" PRIMARY KEY,
        role smallint NOT NULL,
        display_name text NOT NULL,
        disabled boolean NOT NULL,
        create_time timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE tokens (
        id text COLLATE "C" PRIMARY KEY,
        user_id text COLLATE "C" NOT NULL REFERENCES users,
        role smallint NOT NULL,
        digest bytea NOT NULL,
        description text NOT NULL,
        create_time timestamptz NOT NULL,
        expire_time timestamptz NOT NULL,
        revoked boolean NOT NULL DEFAULT false
    )
    """,
    "CREATE INDEX tokens_user ON tokens (user_id, id)",
    """
    CREATE TABLE audit_entries (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        time timestamptz NOT NULL,
        principal text NOT NULL,
        action text NOT NULL,
        resource text NOT NULL,
        result text NOT NULL,
        peer text NOT NULL
    )
    """,
    "CREATE INDEX audit_entries_principal ON audit_entries (principal, id)",
    "CREATE INDEX audit_entries_time ON audit_entries (time)",
    # Append-only even for our own code (A3); whoever may drop the trigger owns the database.
    """
    CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit log is append-only';
    END $$
    """,
    """
    CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()
    """,
)


def upgrade() -> None:
    outbox.create_table(op)
    inbox.create_tables(op)
    for statement in _CREATE:
        op.execute(statement)
