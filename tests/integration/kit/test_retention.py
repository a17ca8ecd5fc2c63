"""What the operator keeps for so many days goes afterwards, and nothing else does."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from services.kit.database import Database
from services.kit.retention import DEAD_LETTERS, prune
from services.registry import __main__ as registry
from services.registry.storage.identity import AUDIT_ENTRIES

_LETTERS = """
    INSERT INTO dead_letter (id, consumer, message_id, subject, headers, payload, reason, detail, died_at)
    SELECT gen_random_uuid(), 'c', CAST(n AS text), 's', '{}', '', 'R', 'd', now() - make_interval(days => n)
    FROM generate_series(0, 9) AS n
"""
_ENTRIES = """
    INSERT INTO audit_entries (time, principal, action, resource, result, peer)
    SELECT now() - make_interval(days => n), 'users/a', 'a', 'r', 'OK', '' FROM generate_series(0, 9) AS n
"""


async def test_old_dead_letters_and_audit_entries_go_in_batches(postgres_url: str) -> None:
    """0 keeps all. The audit log goes on refusing to lose entries in any other way (A3)."""
    async with Database(postgres_url, "registry") as database:
        await database.migrate(registry.MIGRATIONS)
        async with database.sessions.begin() as session:
            await session.execute(sa.text(_LETTERS))
            await session.execute(sa.text(_ENTRIES))
        for aged in (DEAD_LETTERS, AUDIT_ENTRIES):
            assert await prune(database.sessions, aged, 0) == 0
            assert await prune(database.sessions, aged, 5, batch=2) == 5
            async with database.sessions.begin() as session:
                assert await session.scalar(sa.text(f"SELECT count(*) FROM {aged.table}")) == 5  # noqa: S608
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.sessions.begin() as session:
                await session.execute(sa.text("DELETE FROM audit_entries"))
