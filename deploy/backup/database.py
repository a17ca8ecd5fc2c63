"""Dumps of the services' database by `pg_dump`, and a view of it that dump, objects and events share."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import asyncpg
from loupe.translation import sentence

from deploy.backup.errors import BackupError
from deploy.backup.stores import SCHEMAS, named_objects
from deploy.embedded.postgres import DATABASE, ROLE, Postgres
from deploy.embedded.programs import postgres_programs, postgres_wheel
from deploy.embedded.settings import ProgramCheck
from services.kit.object_store import content_key

RESTORED = "loupe_restored"
"""The database that a dump is read into, before it takes the place of the other."""
_LOCK_TIMEOUT_S = 10
_LOCK_ATTEMPTS = 6


@dataclass(frozen=True)
class Named:
    """An object that a row names."""

    key: str
    must_be_whole: bool


class View:
    """The rows at one moment, as long as its connection lives."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def snapshot(self) -> str:
        """With which `pg_dump` sees the same."""
        return str(await self._connection.fetchval("SELECT pg_export_snapshot()"))

    async def created(self) -> str:
        """PostgreSQL's time of this view."""
        return str((await self._connection.fetchval("SELECT now()")).isoformat())

    async def server(self) -> int:
        """The major release of the server."""
        return int(await self._connection.fetchval("SHOW server_version_num")) // 10_000

    async def schemas(self) -> dict[str, str]:
        """The revision of each service's tables; without those that were never made."""
        return await revisions(self._connection)

    async def objects(self) -> dict[str, Named]:
        """What rows name, by key."""
        found: dict[str, Named] = {}
        there = await self.schemas()
        for schema, objects in named_objects():
            if schema not in there:
                continue
            await self._connection.execute(f'SET LOCAL search_path TO "{schema}"')
            query = f"SELECT * FROM ({objects.rows}) AS named (sha256, size_bytes, whole)"  # noqa: S608 -- our own
            async for row in self._connection.cursor(query, prefetch=5000):
                key = content_key(objects.folder, row["sha256"], objects.suffix)
                if key not in found or row["whole"]:
                    found[key] = Named(key, row["whole"])
        return found


async def revisions(connection: asyncpg.Connection) -> dict[str, str]:
    """The revision of each service's tables, of those that there are."""
    found = {}
    for schema in SCHEMAS:
        if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.schema_revision"):
            revision = await connection.fetchval(f'SELECT version_num FROM "{schema}".schema_revision')  # noqa: S608 -- our own
            if revision is not None:
                found[schema] = revision
    return found


@contextlib.asynccontextmanager
async def connected(postgres: Postgres, database: str = DATABASE) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the role that owns the tables."""
    connection = await asyncpg.connect(postgres.database_url(database).replace("+asyncpg", ""), ssl=False)
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def view(postgres: Postgres) -> AsyncIterator[View]:
    """The rows as they are now."""
    async with (
        connected(postgres) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        # The view begins with the first statement.
        await connection.fetchval("SELECT 1")
        yield View(connection)


@contextlib.asynccontextmanager
async def outboxes_held(postgres: Postgres) -> AsyncIterator[None]:
    """For the moment of the block nobody writes an event, and no event leaves an outbox.

    A transaction that holds an outbox is waited for, and while we wait others queue up behind us: so we give
    up soon, and try again.
    """
    async with connected(postgres) as connection:
        there = await revisions(connection)
        tables = [
            f'"{schema}".outbox'
            for schema in there
            if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.outbox")
        ]
        await connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT_S}s'")
        for attempt in range(1, _LOCK_ATTEMPTS + 1):
            transaction = connection.transaction()
            await transaction.start()
            try:
                if tables:
                    await connection.execute(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE")
            except asyncpg.LockNotAvailableError as error:
                await transaction.rollback()
                if attempt == _LOCK_ATTEMPTS:
                    raise BackupError(
                        sentence(
                            "a transaction that writes events does not end; try again when less is submitted"
                        )
                    ) from error
                continue
            try:
                yield
            finally:
                await transaction.rollback()
            return


async def dump(postgres: Postgres, snapshot: str | None, out: IO[bytes], check: ProgramCheck) -> None:
    """Write the whole database in the format of `pg_restore`; BackupError."""
    options = ("--format=custom", "--lock-wait-timeout=60s")
    chosen = () if snapshot is None else (f"--snapshot={snapshot}",)
    await _run(postgres, check, "pg_dump", *options, *chosen, f"--dbname={DATABASE}", stdout=out)


async def load(postgres: Postgres, content: Path, database: str, check: ProgramCheck) -> None:
    """Fill an empty database with a dump, all of it or nothing; BackupError."""
    options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
    await _run(postgres, check, "pg_restore", *options, f"--dbname={database}", str(content))


async def _run(
    postgres: Postgres, check: ProgramCheck, program: str, *arguments: str, stdout: IO[bytes] | None = None
) -> None:
    host, _, port = postgres.address.rpartition(":")
    process = await asyncio.create_subprocess_exec(
        str(postgres_programs(postgres_wheel(), check) / program),
        *(f"--host={host}", f"--port={port}", f"--username={ROLE}", "--no-password"),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout or asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(postgres.password),
    )
    try:
        _, told = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise BackupError(
            sentence(
                "{program} failed: {told}",
                program=program,
                told=told.decode(errors="replace").strip()[-2000:],
            )
        )


def _environment(password: str) -> Mapping[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10"}
