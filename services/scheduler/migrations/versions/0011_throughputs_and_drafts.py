"""How fast networks were trained, and drafts of the wizard (W14)."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE throughputs (
        task text COLLATE "C" NOT NULL REFERENCES tasks ON DELETE CASCADE,
        attempt integer NOT NULL,
        network smallint NOT NULL,
        compute_resource text NOT NULL,
        width integer NOT NULL,
        height integer NOT NULL,
        detail integer NOT NULL,
        images_per_s double precision NOT NULL CHECK (images_per_s > 0),
        measure_time timestamptz NOT NULL,
        PRIMARY KEY (task, attempt, network)
    )
    """,
    """
    CREATE INDEX throughputs_latest
    ON throughputs (compute_resource, network, width, height, detail, measure_time DESC)
    """,
    """
    CREATE TABLE drafts (
        owner text NOT NULL,
        id text NOT NULL,
        training bytea NOT NULL,
        step integer NOT NULL,
        revision bigint NOT NULL,
        update_time timestamptz NOT NULL,
        PRIMARY KEY (owner, id)
    )
    """,
    # A draft that was deleted and kept anew must not have the etag of the old one.
    "CREATE SEQUENCE draft_revisions",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
