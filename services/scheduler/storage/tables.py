"""The tables as SQLAlchemy sees them; `migrations` creates them.

Three tables have other names than what they hold: `lines` has the lanes of the queue, `turns` has the
admission epoch (one row, column `number`), `garbage` has orphan candidates. They are not renamed: during an
upgrade a replica of the earlier version still reads and writes them by these names.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

_metadata = sa.MetaData()
_time = sa.DateTime(timezone=True)
# A Python None is SQL's NULL here, not JSON's null.
_json = JSONB(none_as_null=True)


def _amounts() -> tuple[sa.Column[int], ...]:
    return (
        sa.Column("gpus", sa.Integer),
        sa.Column("cpus", sa.Integer),
        sa.Column("memory_bytes", sa.BigInteger),
    )


tasks = sa.Table(
    "tasks",
    _metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text),
    sa.Column("state", sa.Text),
    sa.Column("creator", sa.Text),
    sa.Column("model_name", sa.Text),
    sa.Column("name_grams", ARRAY(sa.Text)),
    sa.Column("retraining", sa.Boolean),
    sa.Column("production_environment", sa.Text),
    sa.Column("tried_version", sa.Text),
    sa.Column("priority", sa.Integer),
    *_amounts(),
    sa.Column("nodes", sa.Integer),
    sa.Column("request_id", sa.Text),
    sa.Column("request_digest", sa.LargeBinary),
    sa.Column("spec", _json),
    sa.Column("create_time", _time),
    sa.Column("revision", sa.BigInteger),
    sa.Column("state_revision", sa.BigInteger),
    sa.Column("attempt", sa.Integer),
    sa.Column("terminating", sa.Boolean),
    sa.Column("terminator", sa.Text),
    sa.Column("start_time", _time),
    sa.Column("end_time", _time),
    sa.Column("phase", sa.Text),
    sa.Column("progress", _json),
    sa.Column("stages", _json),
    sa.Column("recoveries", sa.Integer),
    sa.Column("failure", _json),
    sa.Column("report", sa.Text),
    sa.Column("weights_sha256", sa.Text),
    sa.Column("split_sha256", sa.Text),
    sa.Column("looks", _json),
    sa.Column("model_version", sa.Text),
)

transitions = sa.Table(
    "transitions",
    _metadata,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger, primary_key=True),
    sa.Column("from_state", sa.Text),
    sa.Column("to_state", sa.Text),
    sa.Column("time", _time),
    sa.Column("cause", sa.Text),
    sa.Column("attempt", sa.Integer),
)

jobs = sa.Table(
    "jobs",
    _metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("task", sa.Text),
    sa.Column("attempt", sa.Integer),
    sa.Column("kind", sa.Text),
    sa.Column("compute_resource", sa.Text),
    sa.Column("creator", sa.Text),
    sa.Column("priority", sa.Integer),
    *_amounts(),
    sa.Column("queue_time", _time),
    sa.Column("available_time", _time),
    sa.Column("state", sa.Text),
    sa.Column("fencing_token", sa.BigInteger),
    sa.Column("worker", sa.Text),
    sa.Column("lease_expire_time", _time),
    sa.Column("recoveries", sa.Integer),
    sa.Column("reached", sa.Double),
    sa.Column("checkpoint_sha256", sa.Text),
    sa.Column("checkpoint_network", sa.SmallInteger),
    sa.Column("checkpoint_iteration", sa.BigInteger),
    sa.Column("finished_token", sa.BigInteger),
    sa.Column("outcome", sa.Text),
)

workers = sa.Table(
    "workers",
    _metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("kinds", ARRAY(sa.Text)),
    sa.Column("compute_resources", ARRAY(sa.Text)),
    *_amounts(),
    sa.Column("start_time", _time),
    sa.Column("last_seen", _time),
    sa.Column("version", sa.Text),
    sa.Column("torch_version", sa.Text),
    sa.Column("device", sa.Text),
    sa.Column("drain_time", _time),
    sa.Column("drainer", sa.Text),
)

lanes = sa.Table(
    "lines",
    _metadata,
    sa.Column("compute_resource", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("creator", sa.Text, primary_key=True),
    sa.Column("priority", sa.Integer, primary_key=True),
    sa.Column("served_time", _time),
)

_attempt_key = (
    ("task", sa.Text),
    ("attempt", sa.Integer),
    ("network", sa.SmallInteger),
)

curves = sa.Table(
    "curves",
    _metadata,
    *(sa.Column(name, kind, primary_key=True) for name, kind in _attempt_key),
    sa.Column("points", sa.BigInteger),
    sa.Column("lines", sa.BigInteger),
    sa.Column("step_time", _time),
)

loss_chunks = sa.Table(
    "loss_chunks",
    _metadata,
    *(sa.Column(name, kind, primary_key=True) for name, kind in _attempt_key),
    sa.Column("chunk", sa.Integer, primary_key=True),
    sa.Column("points", sa.LargeBinary),
)

thinned_curves = sa.Table(
    "thinned_curves",
    _metadata,
    *(sa.Column(name, kind, primary_key=True) for name, kind in _attempt_key),
    sa.Column("length", sa.BigInteger),
    sa.Column("iterations", sa.LargeBinary),
    sa.Column("losses", sa.LargeBinary),
)

validation_points = sa.Table(
    "validation_points",
    _metadata,
    *(sa.Column(name, kind, primary_key=True) for name, kind in _attempt_key),
    sa.Column("iteration", sa.BigInteger, primary_key=True),
    sa.Column("accuracy", sa.Double),
)

log_chunks = sa.Table(
    "log_chunks",
    _metadata,
    *(sa.Column(name, kind, primary_key=True) for name, kind in _attempt_key),
    sa.Column("first_line", sa.BigInteger, primary_key=True),
    sa.Column("lines", ARRAY(sa.Text)),
)

nonconforming_samples = sa.Table(
    "nonconforming_samples",
    _metadata,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("data_path", sa.Text, primary_key=True),
    sa.Column("file", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("message_zh", sa.Text),
)

orphan_candidates = sa.Table(
    "garbage",
    _metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("not_before", _time),
)

throughputs = sa.Table(
    "throughputs",
    _metadata,
    *(sa.Column(name, kind, primary_key=True) for name, kind in _attempt_key),
    sa.Column("compute_resource", sa.Text),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("detail", sa.Integer),
    sa.Column("images_per_s", sa.Double),
    sa.Column("measure_time", _time),
)

drafts = sa.Table(
    "drafts",
    _metadata,
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("training", sa.LargeBinary),
    sa.Column("step", sa.Integer),
    sa.Column("revision", sa.BigInteger),
    sa.Column("update_time", _time),
)

bank_runs = sa.Table(
    "bank_runs",
    _metadata,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("question_bank", sa.Text),
    sa.Column("revision", sa.Integer),
    sa.Column("judged", sa.Text),
    sa.Column("task", sa.Text),
    sa.Column("refusals", _json),
    sa.Column("create_time", _time),
)
