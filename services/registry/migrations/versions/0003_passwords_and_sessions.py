"""People log in: passwords, what was tried, and tokens that are sessions."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE tokens ADD COLUMN session boolean NOT NULL DEFAULT false")
    op.execute(
        """
        CREATE TABLE passwords (
            user_id text COLLATE "C" PRIMARY KEY REFERENCES users,
            hash text NOT NULL,
            one_time boolean NOT NULL,
            set_time timestamptz NOT NULL
        )
        """
    )
    # By the name that was given, whether or not somebody has it: else a lock-out would tell who exists.
    op.execute(
        """
        CREATE TABLE log_in_attempts (
            user_id text COLLATE "C" PRIMARY KEY,
            failures integer NOT NULL,
            last_time timestamptz NOT NULL,
            locked_until timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX log_in_attempts_age ON log_in_attempts (last_time)")
