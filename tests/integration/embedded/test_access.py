"""Nobody gets in without credentials (A1): not into the services, and not around them through the servers."""

import asyncio
import http.client
import json
import stat
import urllib.parse
from pathlib import Path

import asyncpg
import nats
import nats.errors
import pytest
from minio import Minio
from minio.error import S3Error

from deploy.embedded.ports import SEAWEED_GRPC_OFFSET
from deploy.embedded.servers import EmbeddedServers

WRONG = "wrong" * 8


async def test_postgres_refuses_a_wrong_password(servers: EmbeddedServers) -> None:
    """The default of the wheel is to trust everybody on the machine."""
    address = urllib.parse.urlsplit(servers.postgres.url)
    for user in ("loupe", "postgres"):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                host=address.hostname, port=address.port, user=user, password=WRONG, database="loupe"
            )


async def test_the_services_role_is_no_superuser(servers: EmbeddedServers) -> None:
    """A superuser may run programs on the host; a service never needs to."""
    connection = await asyncpg.connect(servers.postgres.url.replace("+asyncpg", ""))
    try:
        assert not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("COPY (SELECT 1) TO PROGRAM 'true'")
    finally:
        await connection.close()


@pytest.mark.parametrize("user_info", ["", "loupe:wrong@"])
async def test_nats_refuses_strangers(servers: EmbeddedServers, user_info: str) -> None:
    """Task states and logs pass here."""

    async def silent(_: Exception) -> None:
        pass

    with pytest.raises((nats.errors.AuthorizationError, nats.errors.NoServersError, nats.errors.Error)):
        await nats.connect(
            f"nats://{user_info}{servers.nats.address}",
            allow_reconnect=False,
            max_reconnect_attempts=0,
            connect_timeout=2,
            error_cb=silent,
        )


async def test_the_object_store_refuses_a_wrong_key(servers: EmbeddedServers) -> None:
    store = servers.object_store
    client = Minio(store.endpoint, access_key=store.access_key, secret_key=WRONG, secure=False)
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        await asyncio.to_thread(lambda: list(client.list_objects(store.bucket)))


@pytest.mark.parametrize("name", ["s3", "filer", "volume", "master", "admin"])
async def test_no_port_of_seaweedfs_gives_or_takes_objects_without_credentials(
    servers: EmbeddedServers, name: str
) -> None:
    """Left as it comes, its filer lets anybody read and write every bucket, whatever S3 asks for."""
    port = servers.plan.ports[f"seaweed_{name}"]

    def answers() -> list[int]:
        statuses = []
        for method, path in (
            ("GET", "/loupe/stack/ready"),
            ("GET", "/buckets/loupe/stack/ready"),
            ("PUT", "/loupe/intruder"),
            ("POST", "/buckets/loupe/intruder"),
            ("DELETE", "/buckets/loupe/stack/ready"),
        ):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
            try:
                connection.request(method, path, body=b"x" if method in {"PUT", "POST"} else None)
                statuses.append(connection.getresponse().status)
            except OSError:
                statuses.append(0)  # refused or cut off: closed as well
            finally:
                connection.close()
        return statuses

    assert all(status == 0 or status >= 300 for status in await asyncio.to_thread(answers))
    store = servers.object_store
    client = Minio(store.endpoint, access_key=store.access_key, secret_key=store.secret_key, secure=False)
    names = {item.object_name for item in client.list_objects(store.bucket, recursive=True)}
    assert "stack/ready" in names
    assert not {name for name in names if "intruder" in (name or "")}


def test_everything_listens_on_the_loopback_only(servers: EmbeddedServers) -> None:
    """The fab's network must not see these servers, whatever it sends."""
    ours = {port for p in servers.plan.ports.values() for port in (p, p + SEAWEED_GRPC_OFFSET)}
    listening = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            host, port = address.split(":")
            if state == "0A" and int(port, 16) in ours:
                listening.append(host)
    assert set(listening) == {"0100007F"}


def test_no_secret_lies_in_a_file_that_others_can_read(servers: EmbeddedServers) -> None:
    """The state file is public, configuration with a password is not."""
    secrets = [
        value
        for name, value in json.loads(servers.folder.credentials_file.read_text()).items()
        if name not in {"stack_id", "nats_user", "s3_access_key"}
    ]
    for folder in (servers.folder.root, servers.folder.root / "nats", servers.folder.logs):
        for path in folder.iterdir():
            if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077:
                text = path.read_text(errors="replace")
                assert not any(secret in text for secret in secrets), path
    assert stat.S_IMODE(servers.folder.credentials_file.stat().st_mode) == 0o600
