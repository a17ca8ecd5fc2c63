"""The three stores of a data folder, for a process that is not their supervisor."""

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from loupe.settings import load
from loupe.translation import sentence

from deploy.backup.errors import BackupError
from deploy.embedded.data_folder import DataFolder
from deploy.embedded.nats import Nats
from deploy.embedded.postgres import Postgres
from deploy.embedded.seaweed import Seaweed
from deploy.embedded.servers import EmbeddedServers
from deploy.embedded.settings import StackSettings
from deploy.embedded.state import State, read_state
from services.evaluator.storage import inventory as evaluator
from services.kit.checking import NamedObjects
from services.kit.object_store import ObjectStoreSettings
from services.registry.storage import inventory as registry
from services.scheduler.storage import inventory as scheduler

SCHEMAS = {"registry": registry.objects, "scheduler": scheduler.objects, "evaluator": evaluator.objects}
"""The services that keep rows, and which objects these name."""


def named_objects() -> list[tuple[str, NamedObjects]]:
    """Schema and objects of every folder."""
    return [(schema, objects) for schema, of_schema in SCHEMAS.items() for objects in of_schema()]


@dataclass(frozen=True)
class Stores:
    """Servers that run."""

    postgres: Postgres
    nats: Nats
    seaweed: Seaweed

    @property
    def objects(self) -> ObjectStoreSettings:
        """The bucket, as somebody who may do everything in it."""
        found = self.seaweed.settings
        return ObjectStoreSettings(
            endpoint=found.endpoint,
            access_key=found.access_key,
            secret_key=found.secret_key,
            bucket=found.bucket,
            secure=found.secure,
        )


def stack_settings() -> StackSettings:
    """As `loupe up` reads them."""
    return load(StackSettings, os.environ)


@contextlib.asynccontextmanager
async def stores_of(data_dir: Path) -> AsyncIterator[Stores]:
    """The stores of a stack; if it does not run, they are started for as long as the block takes."""
    folder = DataFolder(data_dir)
    if not folder.credentials_file.is_file():
        raise BackupError(
            sentence("{folder} is no data folder of a stack; name one by --data-dir", folder=folder.root)
        )
    if folder.supervisor_pid() is None:
        async with EmbeddedServers(folder.root, programs=stack_settings().programs) as servers:
            yield Stores(servers.postgres, servers.nats, servers.seaweed)
        return
    found = read_state(folder.state_file)
    if found is None or found.state is not State.READY:
        raise BackupError(
            sentence("the stack of {folder} is not ready; `loupe status` says when it is", folder=folder.root)
        )
    keys = folder.credentials()
    yield Stores(
        Postgres(folder.root / "postgres", port=found.ports["postgres"], credentials=keys),
        Nats(folder.root / "nats", port=found.ports["nats"], credentials=keys),
        Seaweed(folder.root / "seaweed", ports=found.ports, credentials=keys),
    )
