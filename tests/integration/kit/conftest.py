"""Servers that may be killed, and a schema with the kit's own tables."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.embedded.servers import EmbeddedServers
from deploy.embedded.state import State
from services.kit.database import Database
from tests.support.waiting import eventually

MIGRATION = """
import sqlalchemy as sa
from alembic import op
from services.kit import inbox, outbox

revision = "0001"
down_revision = None


def upgrade():
    op.create_table("thing", sa.Column("name", sa.Text, primary_key=True))
    outbox.create_table(op)
    inbox.create_tables(op)
"""


@pytest.fixture(scope="session")
def migrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrations")
    (folder / "versions").mkdir()
    (folder / "versions" / "0001_initial.py").write_text(MIGRATION)
    return folder


@pytest_asyncio.fixture(loop_scope="session")
async def database(postgres_url: str, migrations: Path) -> AsyncIterator[Database]:
    async with Database(postgres_url, "kit") as opened:
        await opened.migrate(migrations)
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def victims(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServers]:
    """Servers of the module's own: everybody else's must not be killed."""
    async with EmbeddedServers(tmp_path_factory.mktemp("victims"), durable=False) as servers:
        yield servers
        await servers.stop(kill=True)


Kill = Callable[[EmbeddedServers, str], Awaitable[None]]


@pytest.fixture(scope="session")
def kill() -> Kill:
    """Kill -9 a server and return when the supervisor has it back."""

    async def killed(servers: EmbeddedServers, name: str) -> None:
        before = servers.supervisor.process(name)
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)

        def is_back() -> bool:
            now = servers.supervisor.process(name)
            return now.restarts > before.restarts and now.state is State.READY

        await eventually(is_back)

    return killed
