"""An index of the pictures that tasks name, so that the collector finds who needs one (rule T7)."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATEMENT = """
    CREATE INDEX tasks_by_contact_sheet ON tasks ((stages -> 2 ->> 'contact_sheet_sha256'))
        WHERE stages -> 2 ->> 'contact_sheet_sha256' <> ''
"""


def upgrade() -> None:
    op.execute(_STATEMENT)
