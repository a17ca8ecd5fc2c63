"""The tables as SQLAlchemy sees them; the migrations make them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

_metadata = sa.MetaData()

report_table = sa.Table(
    "report",
    _metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("job", sa.Text),
    sa.Column("fencing_token", sa.BigInteger),
    sa.Column("kind", sa.SmallInteger),
    sa.Column("task", sa.Text),
    sa.Column("model_version", sa.Text),
    sa.Column("training_task", sa.Text),
    sa.Column("weights_sha256", sa.Text),
    sa.Column("code_list", ARRAY(sa.Text)),
    sa.Column("num_of_classes", sa.Integer),
    sa.Column("confidence_threshold", sa.Double),
    sa.Column("data_paths", ARRAY(sa.Text)),
    sa.Column("images_per_s", sa.Double),
    sa.Column("create_time", sa.DateTime(timezone=True)),
    sa.Column("confusion", ARRAY(sa.BigInteger)),
    sa.Column("nonconforming_by_code", ARRAY(sa.BigInteger)),
    sa.Column("nonconforming_count", sa.BigInteger),
    sa.Column("below_threshold_count", sa.BigInteger),
    sa.Column("pixel_counts", ARRAY(sa.BigInteger, dimensions=2)),
    sa.Column("pixel_sample_count", sa.BigInteger),
    sa.Column("question_bank", sa.Text),
    sa.Column("excluded_sample_count", sa.BigInteger),
    sa.Column("looks", JSONB(none_as_null=True)),
    # Samples, correct ones and the sum of confidences, of each bin. NULL: not counted.
    sa.Column("confidence_bins", ARRAY(sa.Double, dimensions=2)),
    sa.Column("uncalibrated_bins", ARRAY(sa.Double, dimensions=2)),
    # NULL: the overlap was not measured.
    sa.Column("overlap_sample_count", sa.BigInteger),
    sa.Column("overlap_trained_sample_count", sa.BigInteger),
    sa.Column("overlap_trained_group_count", sa.BigInteger),
    sa.Column("overlap_affected_sample_count", sa.BigInteger),
)
sample_table = sa.Table(
    "sample_result",
    _metadata,
    sa.Column("report_id", sa.Uuid),
    sa.Column("ordinal", sa.Integer),
    sa.Column("file", sa.Text),
    sa.Column("data_path", sa.Text),
    sa.Column("sha256", sa.Text),
    sa.Column("true_code", sa.Text),
    sa.Column("predicted_code", sa.Text),
    sa.Column("verdict", sa.SmallInteger),
    sa.Column("rank", sa.Double),
    sa.Column("confidence", sa.Double),
    sa.Column("top_codes", ARRAY(sa.Text)),
    sa.Column("top_scores", ARRAY(sa.Double)),
    sa.Column("decided_by", sa.SmallInteger),
    sa.Column("reason", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("mask_sha256", sa.Text),
    sa.Column("predicted_mask_sha256", sa.Text),
    sa.Column("pixel_codes", ARRAY(sa.Text)),
    sa.Column("pixel_counts", ARRAY(sa.BigInteger, dimensions=2)),
    sa.Column("perceptual_hash", sa.LargeBinary),
)
deleted_task_table = sa.Table(
    "deleted_task",
    _metadata,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("delete_time", sa.DateTime(timezone=True)),
)
released_training_table = sa.Table(
    "released_training",
    _metadata,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("model_version", sa.Text),
)
suspect_table = sa.Table(
    "suspected_label",
    _metadata,
    sa.Column("report_id", sa.Uuid),
    sa.Column("ordinal", sa.Integer),
    sa.Column("suspicion", sa.SmallInteger),
    sa.Column("score", sa.Double),
    sa.Column("true_code", sa.Text),
    sa.Column("usual_confidence", sa.Double),
    sa.Column("twin_ordinal", sa.Integer),
    sa.Column("distance", sa.SmallInteger),
)
mark_table = sa.Table(
    "relabel_mark",
    _metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("data_path", sa.Text),
    sa.Column("file", sa.Text),
    sa.Column("sha256", sa.Text),
    sa.Column("right_code", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("report_id", sa.Uuid),
    sa.Column("sample_ordinal", sa.Integer),
    sa.Column("creator", sa.Text),
    sa.Column("create_time", sa.DateTime(timezone=True)),
    sa.Column("state", sa.SmallInteger),
    sa.Column("apply_time", sa.DateTime(timezone=True)),
    sa.Column("new_file", sa.Text),
    sa.Column("message", sa.Text),
)
