"""What the shared fixtures promise to every other test."""

import asyncpg
import nats
from minio import Minio

from deploy.embedded.seaweed import ObjectStoreSettings


async def _tables(url: str) -> list[str]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        await connection.execute("CREATE TABLE seen (id int)")
    finally:
        await connection.close()
    return [row["tablename"] for row in rows]


async def _streams(url: str) -> list[str]:
    client = await nats.connect(url)
    try:
        names = [str(info.config.name) for info in await client.jetstream().streams_info()]
        await client.jetstream().add_stream(name="TASKS", subjects=["loupe.tasks.>"])
    finally:
        await client.close()
    return names


async def _leaves_and_finds_nothing(database: str, bus: str, store: ObjectStoreSettings) -> None:
    assert await _tables(database) == []
    assert await _streams(bus) == []
    client = Minio(
        store.endpoint, access_key=store.access_key, secret_key=store.secret_key, secure=store.secure
    )
    assert list(client.list_objects(store.bucket, recursive=True)) == []


async def test_first_finds_everything_empty(
    postgres_url: str, nats_url: str, object_store_settings: ObjectStoreSettings
) -> None:
    """A test that finds another's rows proves nothing; this one leaves some for the next."""
    await _leaves_and_finds_nothing(postgres_url, nats_url, object_store_settings)


async def test_second_finds_everything_empty(
    postgres_url: str, nats_url: str, object_store_settings: ObjectStoreSettings
) -> None:
    """The other half of the test above."""
    await _leaves_and_finds_nothing(postgres_url, nats_url, object_store_settings)


async def test_module_fixtures_are_not_those_of_a_test(
    module_service_environment: dict[str, str], service_environment: dict[str, str]
) -> None:
    """A module's shared state must not meet a test's own."""
    for name in ("LOUPE_DATABASE_URL", "LOUPE_NATS_URL", "LOUPE_S3_BUCKET"):
        assert module_service_environment[name] != service_environment[name]
