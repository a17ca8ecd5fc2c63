"""A data folder that an older PostgreSQL made is taken to the present one, with everything in it."""

from pathlib import Path

import asyncpg
import pytest

from deploy.embedded import postgres, programs
from deploy.embedded.credentials import Credentials
from deploy.embedded.errors import ServerUnusable
from deploy.embedded.ports import assign
from deploy.embedded.supervisor import Supervisor
from tests.support.waiting import DEADLINE_S

OLD = programs.postgres_installs(programs.postgres_wheel())[0] / "bin"


def cluster(folder: Path, keys: Credentials) -> postgres.Postgres:
    return postgres.Postgres(folder, port=assign(["p"], {})["p"], credentials=keys, durable=False)


async def run(server: postgres.Postgres, logs: Path, statement: str) -> object:
    """Start the server, ask it, and kill it: the next start finds what a killed server leaves."""
    supervisor = Supervisor([server.spec()], log_dir=logs)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S, max_restarts=3)
        connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()
    finally:
        await supervisor.stop(kill=True)


async def test_a_cluster_of_postgresql_16_is_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, roles and passwords stay; the old cluster is kept beside the new one."""
    keys = Credentials()
    with monkeypatch.context() as older:
        older.setattr(postgres, "postgres_programs", lambda _wheel, _check: OLD)
        older.setattr(postgres.Postgres, "_locale", ("--locale-provider=libc", "--locale=C.UTF-8"))
        await run(cluster(tmp_path / "pg", keys), tmp_path, "CREATE TABLE kept AS SELECT 'a row' AS row")
    assert (tmp_path / "pg/data/PG_VERSION").read_text().strip() == "16"
    found = await run(cluster(tmp_path / "pg", keys), tmp_path, "SELECT row || version() FROM kept")
    assert str(found).startswith("a rowPostgreSQL 18")
    assert (tmp_path / "pg/data-16/PG_VERSION").read_text().strip() == "16"
    assert not list((tmp_path / "pg").glob("upgrade-*"))


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
