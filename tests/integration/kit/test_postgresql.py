"""How the pool and the wake-ups reach PostgreSQL: by TLS, on one of several hosts, if it is new enough."""

import contextlib
import secrets
import socket
import ssl
import urllib.parse
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
import trustme
from loupe.errors import FailedPrecondition, Unavailable

from deploy.embedded.servers import EmbeddedServers
from services.kit import database as kit_database
from services.kit.database import Database
from services.kit.signals import Signals, notify
from tests.support.encrypted_postgres import PROGRAMS, encrypted_postgres
from tests.support.tls_relay import tls_relay
from tests.support.waiting import DEADLINE_S, eventually


@contextlib.asynccontextmanager
async def _settings_of(servers: EmbeddedServers, settings: dict[str, str]) -> AsyncIterator[None]:
    """Settings of the whole server within the block."""
    connection = await servers.postgres._connect_as_superuser()
    try:
        for name, value in settings.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await connection.execute("SELECT pg_reload_conf()")
        yield
    finally:
        for name in settings:
            await connection.execute(f"ALTER SYSTEM RESET {name}")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the authority."""
    root = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(root)
    return root


@pytest_asyncio.fixture(loop_scope="session")
async def encrypted_url(postgres_url: str, authority: trustme.CA) -> AsyncIterator[str]:
    """A database that takes encrypted connections only."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    parts = urllib.parse.urlsplit(postgres_url)
    assert parts.hostname
    assert parts.port
    async with tls_relay(parts.hostname, parts.port, context) as port:
        yield postgres_url.replace(f":{parts.port}/", f":{port}/")


async def _wakes(url: str, migrations: Path) -> None:
    """Work and wake-ups go through the URL."""
    async with Database(url, "kit") as database, Signals(url) as signals:
        await database.migrate(migrations)
        await eventually(lambda: signals.connected)
        async with signals.subscribe("kit:things") as subscription:
            assert not await subscription.wait(0)
            async with database.sessions.begin() as session:
                await notify(session, "kit:things")
            assert await subscription.wait(DEADLINE_S)


@pytest.mark.parametrize(
    "parameters",
    [
        "ssl=require",
        "sslmode=require",
        "sslmode=verify-full&sslrootcert={}",
        "sslmode=verify-ca&sslrootcert={}",
    ],
)
async def test_work_and_wake_ups_are_encrypted_alike(
    parameters: str, encrypted_url: str, trusted: Path, migrations: Path
) -> None:
    """With `?ssl=require` the wake-ups stayed away without an error, and every watch polled."""
    await _wakes(f"{encrypted_url}?{parameters.format(trusted)}", migrations)


@pytest.mark.skipif(not PROGRAMS.exists(), reason="`make check-deploy` fetches a PostgreSQL with TLS")
async def test_the_server_and_its_client_show_each_other_certificates(
    authority: trustme.CA, tmp_path: Path, migrations: Path
) -> None:
    """PostgreSQL's own TLS: the name of the server is compared, the role is that of the certificate."""
    async with encrypted_postgres(authority) as server:
        shown = f"sslrootcert={server.authority}&sslcert={server.certificate}&sslkey={server.key}"
        url = f"{server.url}?sslmode=verify-full&{shown}"
        await eventually(partial(_answers, url))
        await _wakes(url, migrations)
        connection = await asyncpg.connect(url)
        try:
            seen = "SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            told = await connection.fetchrow(seen)
        finally:
            await connection.close()
        assert told["ssl"]
        assert "CN=loupe" in told["client_dn"]
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(other)
        for refused, why in (
            (
                f"{server.url}?sslmode=verify-full&sslrootcert={server.authority}",
                r"refuses this service \(SQLSTATE 28000\)",
            ),
            (url.replace("127.0.0.1", "localhost"), "Hostname mismatch|not valid for 'localhost'"),
            (url.replace(str(server.authority), str(other)), "certificate verify failed"),
            (f"{server.url}?sslmode=disable", r"refuses this service \(SQLSTATE 28000\)"),
        ):
            async with Database(refused, "kit") as database:
                with pytest.raises(Unavailable, match=why):
                    await database.migrate(migrations)


async def _answers(url: str) -> bool:
    try:
        await (await asyncpg.connect(url)).close()
    except (OSError, asyncpg.CannotConnectNowError):
        return False
    return True


async def test_a_certificate_of_somebody_else_is_told(
    encrypted_url: str, tmp_path: Path, migrations: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    async with Database(f"{encrypted_url}?sslmode=verify-full&sslrootcert={other}", "kit") as database:
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await database.migrate(migrations)


async def test_a_server_without_tls_is_told_where_tls_is_asked_for(
    postgres_url: str, migrations: Path
) -> None:
    async with Database(f"{postgres_url}?sslmode=require", "kit") as database:
        with pytest.raises(Unavailable, match="rejected SSL upgrade"):
            await database.migrate(migrations)


async def test_of_several_hosts_the_one_that_can_be_written_to_is_used(
    servers: EmbeddedServers, victims: EmbeddedServers, migrations: Path
) -> None:
    """A standby and a host that is away are passed over, by the pool and by the wake-ups."""
    name = f"hosts_{secrets.token_hex(4)}"
    writable, standby = [
        urllib.parse.urlsplit(await each.postgres.create_database(name)) for each in (servers, victims)
    ]
    connection = await victims.postgres._connect_as_superuser()
    try:
        # A password is no parameter; ours is hexadecimal.
        await connection.execute(f"ALTER ROLE loupe PASSWORD '{writable.password}'")
    finally:
        await connection.close()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    hosts = f"127.0.0.1:{nobody},127.0.0.1:{standby.port},127.0.0.1:{writable.port}"
    url = f"postgresql://loupe:{writable.password}@{hosts}/{name}"
    async with _settings_of(victims, {"default_transaction_read_only": "on"}):
        await _wakes(url, migrations)
        reader = await asyncpg.connect(urllib.parse.urlunsplit(writable).replace("+asyncpg", ""))
        try:
            assert await reader.fetchval("SELECT to_regclass('kit.thing')") is not None
        finally:
            await reader.close()
        only_standby = url.replace(f",127.0.0.1:{writable.port}", "")
        async with Database(only_standby, "kit") as database:
            with pytest.raises(Unavailable, match="no host of the database can be written to"):
                await database.migrate(migrations)


async def test_a_server_that_is_too_old_is_refused_with_its_version(
    postgres_url: str, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit_database, "_OLDEST_MAJOR", 99)
    async with Database(postgres_url, "kit") as database:
        with pytest.raises(FailedPrecondition, match=r"is PostgreSQL \d+\S*, and Loupe needs 99") as refused:
            await database.migrate(migrations)
    assert refused.value.reason == "POSTGRESQL_TOO_OLD"
