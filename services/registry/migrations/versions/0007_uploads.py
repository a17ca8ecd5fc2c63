"""Uploads arrive under names of their own, until their bytes are verified; a check marks damaged objects."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE uploads (
            name text NOT NULL,
            sha256 bytea NOT NULL,
            uploader text NOT NULL,
            size_bytes bigint,
            at_byte bigint NOT NULL,
            whole_bytes bigint,
            create_time timestamptz NOT NULL,
            PRIMARY KEY (name, sha256)
        )
        """
    )
    op.execute("CREATE INDEX uploads_by_content ON uploads (uploader, sha256)")
    op.execute("CREATE INDEX uploads_by_time ON uploads (create_time)")
    op.execute("ALTER TABLE objects ADD COLUMN damaged boolean NOT NULL DEFAULT false")
