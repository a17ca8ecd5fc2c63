"""Curves of trainings that ended long ago keep the points that a plot shows (M4)."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # `curves.points` of such a curve is 0: a replica of the earlier version shows none, and waits for none.
    """
    CREATE TABLE thinned_curves (
        task text COLLATE "C" NOT NULL REFERENCES tasks ON DELETE CASCADE,
        attempt integer NOT NULL,
        network smallint NOT NULL,
        -- Of the curve before.
        length bigint NOT NULL,
        -- int64 and float32, little-endian, of the points that are kept, ascending.
        iterations bytea NOT NULL,
        losses bytea NOT NULL,
        PRIMARY KEY (task, attempt, network)
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
