"""Question banks with their frozen revisions (P7)."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_CREATE = (
    """
    CREATE TABLE question_banks (
        id text COLLATE "C" PRIMARY KEY,
        display_name text NOT NULL,
        description text NOT NULL,
        production_environment text COLLATE "C" NOT NULL REFERENCES production_environments,
        revision integer NOT NULL,
        archived boolean NOT NULL DEFAULT false,
        creator text NOT NULL,
        create_time timestamptz NOT NULL,
        last_modifier text NOT NULL,
        update_time timestamptz NOT NULL
    )
    """,
    "CREATE INDEX question_banks_environment ON question_banks (production_environment, id)",
    """
    CREATE TABLE question_bank_revisions (
        bank text COLLATE "C" NOT NULL REFERENCES question_banks,
        number integer NOT NULL CHECK (number >= 1),
        creator text NOT NULL,
        create_time timestamptz NOT NULL,
        PRIMARY KEY (bank, number)
    )
    """,
    # The pinned listings of a revision, in its order. `path` is first in the other key: whether a path belongs to a
    # bank is asked for every path of a list.
    """
    CREATE TABLE question_bank_snapshots (
        bank text COLLATE "C" NOT NULL,
        number integer NOT NULL,
        place integer NOT NULL,
        path bigint NOT NULL,
        sha256 bytea NOT NULL,
        PRIMARY KEY (bank, number, place),
        UNIQUE (path, bank, number),
        FOREIGN KEY (bank, number) REFERENCES question_bank_revisions,
        FOREIGN KEY (path, sha256) REFERENCES snapshots
    )
    """,
    """
    ALTER TABLE question_banks ADD CONSTRAINT question_banks_revision
        FOREIGN KEY (id, revision) REFERENCES question_bank_revisions DEFERRABLE INITIALLY DEFERRED
    """,
)


def upgrade() -> None:
    for statement in _CREATE:
        op.execute(statement)
