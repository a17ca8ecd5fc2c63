"""Servers of a data folder with a few rows, objects and events, as services would have written them."""

import hashlib
import io
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from minio import Minio

from deploy.embedded import signing_keys
from deploy.embedded.servers import EmbeddedServers
from services.kit.database import Database
from services.kit.messaging import Messaging
from services.kit.streams import StreamSettings
from services.registry import __main__ as registry
from services.registry import consumers as registry_streams
from services.scheduler import __main__ as scheduler
from services.scheduler import consumers as scheduler_streams


@dataclass(frozen=True)
class Installation:
    """A data folder whose servers run."""

    servers: EmbeddedServers

    @property
    def data_dir(self) -> Path:
        """The folder."""
        return self.servers.folder.root

    @property
    def bucket(self) -> Minio:
        """A client that may do everything."""
        found = self.servers.object_store
        return Minio(
            found.endpoint, access_key=found.access_key, secret_key=found.secret_key, secure=found.secure
        )

    async def execute(self, statement: str, *values: object) -> None:
        """Run a statement and commit."""
        connection = await asyncpg.connect(self.servers.postgres.url.replace("+asyncpg", ""))
        await connection.execute(statement, *values)
        await connection.close()

    def put(self, content: bytes) -> str:
        """Store a sample without a row; its hash."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.bucket.put_object("loupe", f"samples/{sha256}", io.BytesIO(content), len(content))
        return sha256

    async def add(self, content: bytes) -> str:
        """Store a sample, then its row; its hash."""
        sha256 = self.put(content)
        await self.execute(
            "INSERT INTO registry.objects (sha256, size_bytes, pixels_sha256, verify_time) "
            "VALUES (decode($1, 'hex'), $2, '', now())",
            sha256,
            len(content),
        )
        return sha256

    async def forget(self, sha256: str) -> None:
        """Delete the row of a sample."""
        await self.execute("DELETE FROM registry.objects WHERE sha256 = decode($1, 'hex')", sha256)

    def delete(self, sha256: str) -> None:
        """Delete a sample behind the services' back."""
        self.bucket.remove_object("loupe", f"samples/{sha256}")

    async def publish(self, subject: str, payload: bytes) -> str:
        """Store an event; its id."""
        message_id = str(uuid.uuid4())
        async with await Messaging.connect(self.servers.nats.url, name="test") as messaging:
            await messaging.publish(subject, payload, message_id=message_id, headers={"kept": "yes"})
        return message_id


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """Shared by the tests of a module: each adds what it looks for."""
    async with EmbeddedServers(tmp_path_factory.mktemp("backup") / "first", durable=False) as servers:
        await migrated(servers)
        yield Installation(servers)
        await servers.stop(kill=True)


async def migrated(servers: EmbeddedServers) -> None:
    """Tables and streams as registry and scheduler make them, and the signing keys."""
    signing_keys.load_or_create(servers.folder.root / "signing")
    for schema, migrations in (("registry", registry.MIGRATIONS), ("scheduler", scheduler.MIGRATIONS)):
        async with Database(servers.postgres.url, schema) as database:
            await database.migrate(migrations)
    settings = StreamSettings(replicas=1)
    async with await Messaging.connect(servers.nats.url, name="test") as messaging:
        await registry_streams.ensure_streams(messaging, settings)
        await scheduler_streams.ensure_streams(messaging, settings, loss_bytes=1024**2)
