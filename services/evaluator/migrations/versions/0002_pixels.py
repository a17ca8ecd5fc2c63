"""Masks and pixels of samples, and their sums."""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    # Rows of three counts: pixels in both masks, in the true mask, in the predicted mask. A report has a row for any defect,
    # then one for each code.
    """
    ALTER TABLE report
        ADD COLUMN pixel_counts bigint[],
        ADD COLUMN pixel_sample_count bigint NOT NULL DEFAULT 0
    """,
    "UPDATE report SET pixel_counts = array_fill(0::bigint, ARRAY[cardinality(code_list) + 1, 3])",
    "ALTER TABLE report ALTER COLUMN pixel_counts SET NOT NULL, ALTER COLUMN pixel_sample_count DROP DEFAULT",
    """
    ALTER TABLE sample_result
        ADD COLUMN mask_sha256 text NOT NULL DEFAULT '',
        ADD COLUMN predicted_mask_sha256 text NOT NULL DEFAULT '',
        ADD COLUMN pixel_codes text[] NOT NULL DEFAULT '{}',
        ADD COLUMN pixel_counts bigint[] NOT NULL DEFAULT '{}'
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
