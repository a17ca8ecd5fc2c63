"""The command that migrates one service's schema, as a Job runs it before an upgrade."""

import asyncio
import os
import sys
from collections.abc import Mapping

import sqlalchemy as sa

from deploy.embedded.loupe_processes import import_path
from services.kit.database import Database
from services.migrate import SERVICES
from tests.support.waiting import DEADLINE_S


async def migrate(*arguments: str, **settings: str) -> tuple[int, str]:
    """Exit code and error output of the command."""
    environment: Mapping[str, str] = {**os.environ, **import_path(), **settings}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.migrate", *arguments),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode()


async def test_each_schema_is_made_and_a_second_call_finds_nothing_to_do(postgres_url: str) -> None:
    """A Job that is started again must end well, with the schema of this release."""
    for _ in range(2):
        ends = await asyncio.gather(*(migrate(name, LOUPE_DATABASE_URL=postgres_url) for name in SERVICES))
        assert [code for code, _ in ends] == [0] * len(SERVICES), ends
    for name in SERVICES:
        async with Database(postgres_url, name) as database, database.sessions.reading() as session:
            assert await session.scalar(sa.text("SELECT count(*) FROM schema_revision")) == 1


async def test_a_service_without_a_schema_is_refused() -> None:
    """A misspelt name must not end a Job well that has migrated nothing."""
    code, errors = await migrate("gateway", LOUPE_DATABASE_URL="postgresql+asyncpg://nobody@127.0.0.1/none")
    assert code == 2
    assert "registry, scheduler, evaluator" in errors
