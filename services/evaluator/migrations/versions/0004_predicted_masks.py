"""An index of the predicted masks that samples name: the garbage collection of masks reads it."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX sample_result_predicted_mask ON sample_result (predicted_mask_sha256) "
        "WHERE predicted_mask_sha256 <> ''"
    )
