"""The tables for SQLAlchemy; the migrations create them."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

_metadata = sa.MetaData()


def _table(name: str, /, **columns: sa.types.TypeEngine[Any]) -> sa.Table:
    return sa.Table(name, _metadata, *(sa.Column(column, kind) for column, kind in columns.items()))


_TEXT = sa.Text()
_TEXTS = ARRAY(sa.Text())
_TIME = sa.DateTime(timezone=True)
_INT = sa.Integer()
_BIGINT = sa.BigInteger()
_BYTES = sa.LargeBinary()
_BOOL = sa.Boolean()
_JSON = JSONB()

production_environments = _table(
    "production_environments",
    id=_TEXT,
    site=_TEXT,
    product=_TEXT,
    process_step=_TEXT,
    equipment=_TEXT,
    description=_TEXT,
)

compute_resources = _table(
    "compute_resources",
    id=_TEXT,
    description=_TEXT,
    gpus=_INT,
    cpus=_INT,
    memory_bytes=_BIGINT,
    nodes=_INT,
)

algorithm_images = _table(
    "algorithm_images",
    id=_TEXT,
    kind=_TEXT,
    task_type=_TEXT,
    display_name=_TEXT,
    description=_TEXT,
    production_environment=_TEXT,
    create_time=_TIME,
)

algorithm_image_versions = _table(
    "algorithm_image_versions",
    image=_TEXT,
    major=_INT,
    minor=_INT,
    description=_TEXT,
    classification_networks=_TEXTS,
    input=_JSON,
    default_model_params=_JSON,
    default_training_params=_JSON,
    training_paths=_TEXTS,
    create_time=_TIME,
)

datasets = _table("datasets", id=_TEXT, description=_TEXT, creator=_TEXT, create_time=_TIME)

data_paths = _table(
    "data_paths",
    key=_BIGINT,
    dataset=_TEXT,
    id=_TEXT,
    description=_TEXT,
    mask_codes=_TEXTS,
    owner=_TEXT,
    bits=_INT,
    revision=_BIGINT,
    create_time=_TIME,
    update_time=_TIME,
    delete_time=_TIME,
    deleter=_TEXT,
)

code_counts = _table("code_counts", path=_BIGINT, code=_TEXT, sample_count=_BIGINT, mask_count=_BIGINT)

objects = _table(
    "objects",
    sha256=_BYTES,
    size_bytes=_BIGINT,
    width=_INT,
    height=_INT,
    channels=_INT,
    bit_depth=_INT,
    format=_TEXT,
    pixels_sha256=_BYTES,
    mask=_JSON,
    orientation=_INT,
    doubt=_TEXT,
    rules=_INT,
    reject_reason=_TEXT,
    reject_message=_TEXT,
    verify_time=_TIME,
    damaged=_BOOL,
)

uploads = _table(
    "uploads",
    name=_TEXT,
    sha256=_BYTES,
    uploader=_TEXT,
    size_bytes=_BIGINT,
    at_byte=_BIGINT,
    whole_bytes=_BIGINT,
    create_time=_TIME,
)

samples = _table(
    "samples",
    path=_BIGINT,
    file=_TEXT,
    code=_TEXT,
    sha256=_BYTES,
    mask_sha256=_BYTES,
    group_key=_TEXT,
    pixels_sha256=_BYTES,
    create_time=_TIME,
)

snapshots = _table(
    "snapshots", path=_BIGINT, sha256=_BYTES, revision=_BIGINT, code_counts=_JSON, create_time=_TIME
)

import_reports = _table(
    "import_reports", number=_BIGINT, path=_BIGINT, id=_TEXT, creator=_TEXT, create_time=_TIME, facts=_JSON
)

import_report_lines = _table(
    "import_report_lines",
    path=_BIGINT,
    report=_TEXT,
    place=_INT,
    kind=_TEXT,
    file=_TEXT,
    reason=_TEXT,
    message=_TEXT,
    message_zh=_TEXT,
    sample_file=_TEXT,
)

question_banks = _table(
    "question_banks",
    id=_TEXT,
    display_name=_TEXT,
    description=_TEXT,
    production_environment=_TEXT,
    revision=_INT,
    archived=_BOOL,
    creator=_TEXT,
    create_time=_TIME,
    last_modifier=_TEXT,
    update_time=_TIME,
    run_after_release=_BOOL,
    run_after_training=_BOOL,
    compute_resource=_TEXT,
)

question_bank_revisions = _table(
    "question_bank_revisions", bank=_TEXT, number=_INT, creator=_TEXT, create_time=_TIME
)

question_bank_snapshots = _table(
    "question_bank_snapshots", bank=_TEXT, number=_INT, place=_INT, path=_BIGINT, sha256=_BYTES
)

models = _table(
    "models",
    id=_TEXT,
    production_environment=_TEXT,
    task_type=_TEXT,
    last_modifier=_TEXT,
    create_time=_TIME,
    update_time=_TIME,
)

model_versions = _table(
    "model_versions",
    model=_TEXT,
    major=_INT,
    release_number=_INT,
    task=_TEXT,
    algorithm_image_version=_TEXT,
    parent_version=_TEXT,
    weights_sha256=_BYTES,
    snapshots=_TEXTS,
    code_list=_TEXTS,
    num_of_classes=_INT,
    input=_JSON,
    model_params=_JSON,
    training_params=_JSON,
    preprocessing_params=_JSON,
    seed=_BIGINT,
    report=_TEXT,
    releaser=_TEXT,
    production_environment=_TEXT,
    task_type=_TEXT,
    looks=JSONB(none_as_null=True),
    archived=_BOOL,
    create_time=_TIME,
)

packages = _table(
    "packages",
    model=_TEXT,
    major=_INT,
    release_number=_INT,
    format=_TEXT,
    sha256=_BYTES,
    size_bytes=_BIGINT,
    abi_version=_INT,
    format_version=_INT,
    create_time=_TIME,
)

model_aliases = _table("model_aliases", model=_TEXT, alias=_TEXT, major=_INT, release_number=_INT)

users = _table("users", id=_TEXT, role=_INT, display_name=_TEXT, disabled=_BOOL, create_time=_TIME)

tokens = _table(
    "tokens",
    id=_TEXT,
    user_id=_TEXT,
    role=_INT,
    digest=_BYTES,
    description=_TEXT,
    create_time=_TIME,
    expire_time=_TIME,
    revoked=_BOOL,
    session=_BOOL,
)

passwords = _table("passwords", user_id=_TEXT, hash=_TEXT, one_time=_BOOL, set_time=_TIME)

log_in_attempts = _table("log_in_attempts", user_id=_TEXT, failures=_INT, last_time=_TIME, locked_until=_TIME)

audit_entries = _table(
    "audit_entries",
    id=_BIGINT,
    time=_TIME,
    principal=_TEXT,
    action=_TEXT,
    resource=_TEXT,
    result=_TEXT,
    peer=_TEXT,
    reporter=_TEXT,
)
