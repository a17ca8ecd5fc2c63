"""An index of reports by data path, to find reports that can be compared (P2)."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("CREATE INDEX report_by_data_path ON report USING gin (data_paths)")
