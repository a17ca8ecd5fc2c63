"""How long rows are kept that only grow in number: a sweep deletes older ones in batches."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from loupe.settings import setting

from services.kit.database import DatabaseSessions

_log = logging.getLogger(__name__)

BATCH = 5000
"""Rows of one transaction: it holds their locks for a fraction of a second."""
_MAX_DAYS = 36_500


@dataclass(frozen=True, kw_only=True)
class RetentionSettings:
    """What every service that keeps rows reads."""

    dead_letter_days: int = setting(
        "LOUPE_DEAD_LETTERS_KEEP_DAYS",
        default=0,
        doc="After how many days an event that could not be handled is deleted; 0 = never",
    )

    def __post_init__(self) -> None:
        require_days("LOUPE_DEAD_LETTERS_KEEP_DAYS", self.dead_letter_days)


def require_days(name: str, days: int) -> None:
    """ValueError unless that is a number of days to keep something, or 0."""
    if not 0 <= days <= _MAX_DAYS:
        raise ValueError(f"{name} must be 0 (for ever) to {_MAX_DAYS}")


@dataclass(frozen=True, kw_only=True)
class Aged:
    """A table whose rows go when they are old."""

    table: str
    time: str
    """The column that says how old a row is."""
    before: Sequence[str] = ()
    """Statements that go first in each transaction."""


DEAD_LETTERS = Aged(table="dead_letter", time="died_at")


async def prune(sessions: DatabaseSessions, aged: Aged, days: int, *, batch: int = BATCH) -> int:
    """Delete the rows that are older, by PostgreSQL's time; returns how many. Does nothing for 0 days."""
    if not days:
        return 0
    query = sa.text(
        f"DELETE FROM {aged.table} WHERE ctid IN (SELECT ctid FROM {aged.table} "  # noqa: S608 -- our own
        f"WHERE {aged.time} < clock_timestamp() - :age LIMIT :batch FOR UPDATE SKIP LOCKED) RETURNING 1"
    ).bindparams(sa.bindparam("age", timedelta(days=days), type_=sa.Interval), batch=batch)
    deleted = 0
    while True:
        async with sessions.begin() as session:
            for statement in aged.before:
                await session.execute(sa.text(statement))
            count = len((await session.execute(query)).all())
        deleted += count
        if count < batch:
            break
    if deleted:
        _log.info("old rows deleted", extra={"table": aged.table, "rows": deleted, "days": days})
    return deleted
