"""Before a new version changes the tables, the database is dumped; going back is one command."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from deploy.backup.dumps import dump_before_migration
from deploy.backup.errors import BackupError
from deploy.backup.restoring import restore_database
from deploy.backup.versions import newest
from deploy.embedded.servers import EmbeddedServers
from tests.integration.backup.conftest import migrated


async def test_the_database_from_before_a_migration_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that changes nothing makes no dump; one that does makes one, of which the newest are kept."""
    monkeypatch.setenv("LOUPE_DUMPS_KEPT", "1")
    root = tmp_path / "stack"
    async with EmbeddedServers(root, durable=False) as servers:
        await migrated(servers)
        url = servers.postgres.url.replace("+asyncpg", "")
        dumps = servers.folder.dumps

        async def dump() -> Path | None:
            return await asyncio.to_thread(dump_before_migration, servers.postgres, dumps)

        assert await dump() is None
        connection = await asyncpg.connect(url)
        await connection.execute("UPDATE registry.schema_revision SET version_num = '0015'")
        dumps.mkdir()
        (dumps / "20200101T000000Z.dump").touch()
        made = await dump()
        assert list(dumps.iterdir()) == [made]
        await connection.execute("UPDATE registry.schema_revision SET version_num = $1", newest()["registry"])
        await connection.execute("CREATE TABLE registry.later ()")
        await connection.close()
        assert made is not None
        with pytest.raises(BackupError, match="the database is replaced only while nothing uses it"):
            await restore_database(made, root)
    (tmp_path / "no.dump").write_text("none")
    with pytest.raises(BackupError, match="pg_restore failed"):
        await restore_database(tmp_path / "no.dump", root)
    await restore_database(made, root)
    async with EmbeddedServers(root, durable=False) as servers:
        connection = await asyncpg.connect(servers.postgres.url.replace("+asyncpg", ""))
        assert await connection.fetchval("SELECT version_num FROM registry.schema_revision") == "0015"
        assert await connection.fetchval("SELECT to_regclass('registry.later')") is None
        await connection.close()
        await servers.stop(kill=True)
