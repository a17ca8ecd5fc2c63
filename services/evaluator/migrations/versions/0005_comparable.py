"""Which reports are over some data paths, for whoever looks for one to compare with (P2)."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("CREATE INDEX report_by_data_path ON report USING gin (data_paths)")
