"""Real servers for tests. Nothing here is a stand-in.

Started once a test process (each pytest-xdist worker has its own, so workers share nothing):

- `servers`: a running `EmbeddedServers` (PostgreSQL, NATS, SeaweedFS), for tests about the servers.

Fresh for every test; the same with the prefix `module_` is fresh for every module and shared by its tests:

- `postgres_url`: SQLAlchemy's URL of an empty database, as the role that owns it.
- `nats_url`: the URL of a NATS server with an empty JetStream, as its operator. A server each (15 MB, 0.1 s):
  subjects and stream names are part of the contracts, so they cannot be prefixed.
- `nats_server`: one such server, for tests about its users.
- `object_store_settings`: endpoint, keys and name of an empty bucket; `.environment()` gives them as LOUPE_
  variables.
- `service_environment`: all three as the LOUPE_ variables of a service, with the tokens of services.

All live on pytest-asyncio's session loop, as the tests do.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis
import pytest_asyncio
from minio import Minio
from minio.error import S3Error

from deploy.embedded.nats import Nats
from deploy.embedded.ports import assign
from deploy.embedded.seaweed import ObjectStoreSettings
from deploy.embedded.servers import EmbeddedServers
from deploy.embedded.supervisor import Supervisor
from tests.support.waiting import DEADLINE_S

# What people read is told in the environment's language. The tests read English, wherever they run.
os.environ["LC_ALL"] = "C.UTF-8"

# The tests talk to this machine alone; a proxy, which pip needs, would get their requests.
for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]

# The same examples in every run: whether a commit passes is no lottery. HYPOTHESIS_PROFILE=default draws new
# ones, and HYPOTHESIS_PROFILE=many 20,000 of them for each test that does not say how many.
hypothesis.settings.register_profile(
    "many",
    max_examples=20_000,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers() -> AsyncIterator[EmbeddedServers]:
    # Not pytest's temporary folder, which keeps the last three runs: a database each is too much to keep.
    root = Path(tempfile.mkdtemp(prefix="loupe-test-"))
    try:
        async with EmbeddedServers(root, durable=False) as running:
            yield running
            # Everything goes with the folder; an orderly stop of the object store takes seconds.
            await running.stop(kill=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.asynccontextmanager
async def _fresh_database(servers: EmbeddedServers) -> AsyncIterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    yield await servers.postgres.create_database(name)
    await servers.postgres.drop_database(name)


@pytest_asyncio.fixture(loop_scope="session")
async def postgres_url(servers: EmbeddedServers) -> AsyncIterator[str]:
    async with _fresh_database(servers) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_postgres_url(servers: EmbeddedServers) -> AsyncIterator[str]:
    async with _fresh_database(servers) as url:
        yield url


@contextlib.asynccontextmanager
async def _fresh_nats(servers: EmbeddedServers) -> AsyncIterator[Nats]:
    folder = Path(tempfile.mkdtemp(prefix="nats-", dir=servers.folder.root))
    server = Nats(folder, port=assign(["nats"], {})["nats"], credentials=servers.credentials)
    supervisor = Supervisor([server.spec()], log_dir=folder)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S, max_restarts=3)
        yield server
    finally:
        await supervisor.stop(kill=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(loop_scope="session")
async def nats_url(servers: EmbeddedServers) -> AsyncIterator[str]:
    async with _fresh_nats(servers) as server:
        yield server.url


@pytest_asyncio.fixture(loop_scope="session")
async def nats_server(servers: EmbeddedServers) -> AsyncIterator[Nats]:
    async with _fresh_nats(servers) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_nats_url(servers: EmbeddedServers) -> AsyncIterator[str]:
    async with _fresh_nats(servers) as server:
        yield server.url


@contextlib.asynccontextmanager
async def _fresh_bucket(servers: EmbeddedServers) -> AsyncIterator[ObjectStoreSettings]:
    settings = servers.object_store.with_bucket(f"test-{secrets.token_hex(6)}")
    await servers.seaweed.create_bucket(settings.bucket)
    yield settings
    await asyncio.to_thread(_remove_bucket, settings)


def _remove_bucket(settings: ObjectStoreSettings) -> None:
    """Give its volumes back: a store has as many as fit on the disk, and then waits with what is new."""
    client = Minio(
        settings.endpoint, access_key=settings.access_key, secret_key=settings.secret_key, secure=False
    )
    # Something that a test left running may still write.
    with contextlib.suppress(S3Error):
        for found in client.list_objects(settings.bucket, recursive=True):
            client.remove_object(settings.bucket, str(found.object_name))
        client.remove_bucket(settings.bucket)


@pytest_asyncio.fixture(loop_scope="session")
async def object_store_settings(servers: EmbeddedServers) -> AsyncIterator[ObjectStoreSettings]:
    async with _fresh_bucket(servers) as settings:
        yield settings


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_object_store_settings(servers: EmbeddedServers) -> AsyncIterator[ObjectStoreSettings]:
    async with _fresh_bucket(servers) as settings:
        yield settings


def _environment(
    servers: EmbeddedServers, database_url: str, bus_url: str, store: ObjectStoreSettings
) -> dict[str, str]:
    return {
        "LOUPE_DATABASE_URL": database_url,
        "LOUPE_NATS_URL": bus_url,
        "LOUPE_SERVICE_TOKENS_DIR": str(servers.folder.service_tokens),
        "LOUPE_BOOTSTRAP_ADMIN_TOKEN": servers.credentials.admin_token,
        **store.environment(),
    }


@pytest_asyncio.fixture(loop_scope="session")
async def service_environment(
    servers: EmbeddedServers, postgres_url: str, nats_url: str, object_store_settings: ObjectStoreSettings
) -> dict[str, str]:
    return _environment(servers, postgres_url, nats_url, object_store_settings)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_service_environment(
    servers: EmbeddedServers,
    module_postgres_url: str,
    module_nats_url: str,
    module_object_store_settings: ObjectStoreSettings,
) -> dict[str, str]:
    return _environment(servers, module_postgres_url, module_nats_url, module_object_store_settings)
