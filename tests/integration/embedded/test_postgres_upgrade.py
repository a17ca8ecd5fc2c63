"""A data folder that an older PostgreSQL made is taken to the present one, with everything in it."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.embedded import credentials, postgres, programs
from deploy.embedded.credentials import Credentials
from deploy.embedded.errors import ServerUnusable
from deploy.embedded.loupe_processes import import_path
from deploy.embedded.ports import assign
from deploy.embedded.process import Account
from deploy.embedded.supervisor import Supervisor
from services.evaluator import __main__ as evaluator
from services.kit.database import Database
from services.registry import __main__ as registry
from services.scheduler import __main__ as scheduler
from tests.support.full_disk import filled
from tests.support.small_disk import mounted
from tests.support.waiting import DEADLINE_S, eventually

OLD = programs.postgres_installs(programs.postgres_wheel())[0] / "bin"
MIGRATIONS = {
    "registry": registry.MIGRATIONS,
    "scheduler": scheduler.MIGRATIONS,
    "evaluator": evaluator.MIGRATIONS,
}
FILLED = """
    INSERT INTO registry.objects (sha256, size_bytes, pixels_sha256, verify_time)
    SELECT sha256(CAST(n::text AS bytea)), n, '', now() FROM generate_series(1, 50000) AS n
"""
COUNTED = """
    SELECT count(*)::text || ' ' || sum(size_bytes) || ' ' || min(encode(sha256, 'hex')) FROM registry.objects
"""
START = """
import sys
from pathlib import Path
from deploy.embedded.credentials import load_or_create
from deploy.embedded.postgres import Postgres
folder = Path(sys.argv[1])
keys = load_or_create(folder / "credentials.json")
Postgres(folder / "pg", port=int(sys.argv[2]), credentials=keys).prepare()
"""


def cluster(folder: Path, keys: Credentials) -> postgres.Postgres:
    return postgres.Postgres(folder, port=assign(["p"], {})["p"], credentials=keys, durable=False)


@asynccontextmanager
async def running(server: postgres.Postgres, logs: Path) -> AsyncIterator[asyncpg.Connection]:
    """The server within the block; then it is killed: the next start finds what a killed server leaves."""
    supervisor = Supervisor([server.spec()], log_dir=logs)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S, max_restarts=3)
        connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
        try:
            yield connection
        finally:
            await connection.close()
    finally:
        await supervisor.stop(kill=True)


async def run(server: postgres.Postgres, logs: Path, statement: str) -> object:
    async with running(server, logs) as connection:
        return await connection.fetchval(statement)


def older(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As the release did that had PostgreSQL 16."""
    monkeypatch.setattr(postgres, "postgres_programs", lambda _wheel, _check: OLD)
    monkeypatch.setattr(postgres.Postgres, "_locale", ("--locale-provider=libc", "--locale=C.UTF-8"))
    return monkeypatch


async def made_by_16(folder: Path, keys: Credentials, monkeypatch: pytest.MonkeyPatch) -> object:
    """A cluster of PostgreSQL 16 with the tables of all services and 50,000 rows; what these count."""
    with monkeypatch.context() as patched:
        older(patched)
        server = cluster(folder / "pg", keys)
        async with running(server, folder) as connection:
            for schema, migrations in MIGRATIONS.items():
                async with Database(server.url, schema) as database:
                    await database.migrate(migrations)
            await connection.execute(FILLED)
            counted = await connection.fetchval(COUNTED)
    assert (folder / "pg/data/PG_VERSION").read_text().strip() == "16"
    return counted


async def kill_a_start(folder: Path, moment: str) -> None:
    """Let a process of its own start the upgrade, and kill it when a file of the new cluster is there."""
    program = (sys.executable, "-c", START, str(folder), str(assign(["p"], {})["p"]))
    starting = await asyncio.create_subprocess_exec(*program, env={**os.environ, **import_path()})
    await eventually(lambda: [*(folder / "pg").glob(f"upgrade-*/{moment}")])
    starting.kill()
    await starting.wait()


async def serves(folder: Path, keys: Credentials, counted: object) -> None:
    """With the present release and all that was there, on which the services start."""
    server = cluster(folder / "pg", keys)
    async with running(server, folder) as connection:
        assert str(await connection.fetchval("SELECT version()")).startswith("PostgreSQL 18")
        assert await connection.fetchval(COUNTED) == counted
        for schema, migrations in MIGRATIONS.items():
            async with Database(server.url, schema) as database:
                await database.migrate(migrations)
    assert (folder / "pg/data-16/PG_VERSION").read_text().strip() == "16"
    assert not list((folder / "pg").glob("upgrade-*"))


async def test_a_cluster_of_postgresql_16_is_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables, rows, roles and passwords stay; the old cluster is kept beside the new one."""
    keys = Credentials()
    counted = await made_by_16(tmp_path, keys, monkeypatch)
    await serves(tmp_path, keys, counted)


@pytest.mark.parametrize("moment", ["data/PG_VERSION", "data/postmaster.pid"])
async def test_a_start_that_is_killed_in_an_upgrade_leaves_the_old_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """While initdb works, and while pg_upgrade does: neither ends with the start, so the next one ends it."""
    keys = credentials.load_or_create(tmp_path / "credentials.json")
    counted = await made_by_16(tmp_path, keys, monkeypatch)
    await kill_a_start(tmp_path, moment)
    # At once: a supervisor tries again, which would hide that the two are in each other's way.
    cluster(tmp_path / "pg", keys).prepare()
    await serves(tmp_path, keys, counted)


async def test_the_release_from_before_uses_its_cluster_after_a_killed_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes back in the middle of an upgrade finds the database as it was."""
    keys = credentials.load_or_create(tmp_path / "credentials.json")
    counted = await made_by_16(tmp_path, keys, monkeypatch)
    await kill_a_start(tmp_path, "data/pg_upgrade_output.d")
    with monkeypatch.context() as patched:
        older(patched)
        cluster(tmp_path / "pg", keys).prepare()
        assert await run(cluster(tmp_path / "pg", keys), tmp_path, COUNTED) == counted
    await serves(tmp_path, keys, counted)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one gigabyte."""
    with mounted(tmp_path, gibibytes=1) as place:
        yield place


async def test_an_upgrade_that_the_disk_has_no_room_for_leaves_the_old_cluster(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told before it begins, where that can be known; found in the middle, where others fill the disk."""
    keys = Credentials()
    counted = await made_by_16(disk, keys, monkeypatch)
    with filled(disk), pytest.raises(ServerUnusable, match=r"needs \d+ MB, and the disk has 0 MB; make room"):
        cluster(disk / "pg", keys).prepare()
    run_program = postgres._run_under

    with contextlib.ExitStack() as full, monkeypatch.context() as patched:

        def on_a_full_disk(account: Account, *command: str, **options: Any) -> object:  # noqa: ANN401
            if Path(command[0]).name == "pg_upgrade":
                full.enter_context(filled(disk))
            return run_program(account, *command, **options)

        patched.setattr(postgres, "_run_under", on_a_full_disk)
        with pytest.raises(ServerUnusable, match=r"pg_upgrade failed .* and the database is as it was"):
            cluster(disk / "pg", keys).prepare()
    with monkeypatch.context() as patched:
        older(patched)
        assert await run(cluster(disk / "pg", keys), disk, COUNTED) == counted
    await serves(disk, keys, counted)


async def test_an_upgrade_that_was_killed_is_finished(tmp_path: Path) -> None:
    """Between the two names there is no cluster `data`: the next start must not make an empty one."""
    keys = Credentials()
    await run(cluster(tmp_path / "pg", keys), tmp_path, "CREATE TABLE kept AS SELECT 'a row' AS row")
    (tmp_path / "pg/data").rename(tmp_path / "pg/data-upgraded")
    assert await run(cluster(tmp_path / "pg", keys), tmp_path, "SELECT row FROM kept") == "a row"


def test_a_cluster_of_a_later_postgresql_is_refused(tmp_path: Path) -> None:
    """By name, with what would help; nothing of it is touched."""
    server = cluster(tmp_path / "pg", Credentials())
    server.prepare()
    version = tmp_path / "pg/data/PG_VERSION"
    version.write_text("19\n")
    with pytest.raises(ServerUnusable, match="was made by PostgreSQL 19; this version of Loupe has 18"):
        server.prepare()
    assert version.read_text() == "19\n"
