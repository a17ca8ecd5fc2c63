"""What is exported of versions (X)."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE packages (
            model text COLLATE "C" NOT NULL,
            major integer NOT NULL,
            release_number integer NOT NULL,
            format text NOT NULL,
            sha256 bytea NOT NULL,
            size_bytes bigint NOT NULL CHECK (size_bytes > 0),
            abi_version integer NOT NULL,
            format_version integer NOT NULL,
            create_time timestamptz NOT NULL,
            PRIMARY KEY (model, major, release_number, format),
            FOREIGN KEY (model, major, release_number) REFERENCES model_versions
        )
        """
    )
    # What the collector of orphans asks.
    op.execute("CREATE INDEX packages_sha256 ON packages (sha256)")
