"""Data paths have an owner (A4)."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Paths so far get who made them, from the audit log. Importing into a path also calls CreateDataPath, so only an
# entry of the minute in which the path was made says who that was. Whose maker is not known stay shared.
_CREATORS = """
    UPDATE data_paths AS path SET owner = creation.principal
    FROM (
        SELECT DISTINCT ON (made.key) made.key, entry.principal
        FROM data_paths AS made
        JOIN audit_entries AS entry
            ON entry.time BETWEEN made.create_time AND made.create_time + interval '1 minute'
        WHERE entry.action = 'loupe.registry.v1.DatasetService/CreateDataPath' AND entry.result = 'OK'
            AND entry.resource = 'datasets/' || made.dataset || '/paths/' || made.id
        ORDER BY made.key, entry.id
    ) AS creation
    WHERE creation.key = path.key AND starts_with(creation.principal, 'users/')
"""


def upgrade() -> None:
    op.execute("ALTER TABLE data_paths ADD COLUMN owner text NOT NULL DEFAULT ''")
    op.execute(_CREATORS)
