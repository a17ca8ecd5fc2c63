"""Deleted data paths stay in a bin, without their names (D8)."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_CHANGES = (
    """
    ALTER TABLE data_paths ADD COLUMN delete_time timestamptz, ADD COLUMN deleter text,
        ADD CHECK ((delete_time IS NULL) = (deleter IS NULL)),
        DROP CONSTRAINT data_paths_dataset_id_key
    """,
    "CREATE UNIQUE INDEX data_paths_names ON data_paths (dataset, id) WHERE delete_time IS NULL",
    "CREATE INDEX data_paths_deleted ON data_paths (dataset, id, key) WHERE delete_time IS NOT NULL",
)


def upgrade() -> None:
    for change in _CHANGES:
        op.execute(change)
