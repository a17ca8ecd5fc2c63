"""The settings of the scheduler."""

import pytest
from loupe.settings import SettingsError, load

from services.scheduler.settings import Settings

ENVIRONMENT = {
    "LOUPE_DATABASE_URL": "postgresql+asyncpg://loupe@db/loupe",
    "LOUPE_NATS_URL": "nats://loupe@nats:4222",
    "LOUPE_SERVICE_TOKENS_DIR": "/etc/loupe/tokens",
    "LOUPE_REGISTRY_ADDRESS": "registry:7101",
    "LOUPE_S3_ENDPOINT": "s3:8333",
    "LOUPE_S3_ACCESS_KEY": "key",
    "LOUPE_S3_SECRET_KEY": "secret",
    "LOUPE_S3_BUCKET": "loupe",
}


def test_streams_are_small_enough_for_a_small_disk_unless_somebody_says_otherwise() -> None:
    """NATS reserves the whole amount when the stream is created."""
    settings = load(Settings, ENVIRONMENT)
    assert settings.loss_stream_bytes == 2**30
    assert settings.streams.replicas == 1
    asked = load(
        Settings, {**ENVIRONMENT, "LOUPE_LOSS_STREAM_BYTES": "2000000", "LOUPE_STREAM_REPLICAS": "3"}
    )
    assert (asked.loss_stream_bytes, asked.streams.replicas) == (2_000_000, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("LOUPE_STREAM_REPLICAS", "0"), ("LOUPE_STREAM_REPLICAS", "6"), ("LOUPE_LOSS_STREAM_BYTES", "0")],
)
def test_what_nats_would_refuse_or_misread_is_refused_at_the_start(name: str, value: str) -> None:
    """For NATS zero bytes means no limit."""
    with pytest.raises(SettingsError, match=name):
        load(Settings, {**ENVIRONMENT, name: value})
