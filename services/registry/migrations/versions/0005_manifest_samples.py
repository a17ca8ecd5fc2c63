"""What pinned listings hold, so that two of them can be compared in one query (P7)."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A copy of what a manifest says, made when it is first compared: listings change, manifests do not. `content` is
    # the SHA-256 of the sample's pixels.
    op.execute(
        """
        CREATE TABLE manifest_samples (
            manifest bytea NOT NULL,
            line integer NOT NULL,
            content bytea NOT NULL,
            group_key text,
            PRIMARY KEY (manifest, line)
        )
        """
    )
