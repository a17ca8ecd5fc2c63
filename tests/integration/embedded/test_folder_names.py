"""A data folder may be called as its owner calls folders."""

import io
from pathlib import Path

import asyncpg
import nats
from minio import Minio

from deploy.embedded.servers import EmbeddedServers

NAME = '数据 目录, it\'s "a" #1 $HOME %d {b};\\u'
"""Characters that a configuration, a shell or a list of folders may read otherwise."""


async def test_servers_start_and_find_their_data_again_in_a_folder_of_any_name(tmp_path: Path) -> None:
    """One server that reads the name as its syntax keeps the whole stack down, or writes elsewhere."""
    root = tmp_path / NAME / "stack"
    async with EmbeddedServers(root, durable=False) as servers:
        await _put(servers)
    for server in (servers.nats, servers.seaweed):
        assert any(path.is_file() for path in server.folder.rglob("*"))
    async with EmbeddedServers(root, durable=False) as servers:
        await _find(servers)
    assert _names(tmp_path) == [NAME]


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def _put(servers: EmbeddedServers) -> None:
    connection = await asyncpg.connect(servers.postgres.url.replace("+asyncpg", ""))
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    await connection.close()
    client = await nats.connect(servers.nats.url)
    await client.jetstream().add_stream(name="KEPT", subjects=["loupe.kept"])
    await client.jetstream().publish("loupe.kept", b"7")
    await client.close()
    _objects(servers).put_object(servers.object_store.bucket, "kept", io.BytesIO(b"7"), 1)


async def _find(servers: EmbeddedServers) -> None:
    connection = await asyncpg.connect(servers.postgres.url.replace("+asyncpg", ""))
    assert await connection.fetchval("SELECT number FROM kept") == 7
    await connection.close()
    client = await nats.connect(servers.nats.url)
    assert (await client.jetstream().stream_info("KEPT")).state.messages == 1
    await client.close()
    assert _objects(servers).get_object(servers.object_store.bucket, "kept").data == b"7"


def _objects(servers: EmbeddedServers) -> Minio:
    store = servers.object_store
    return Minio(store.endpoint, access_key=store.access_key, secret_key=store.secret_key, secure=False)
