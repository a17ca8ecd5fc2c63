"""Objects that rows no longer name, until the collector has looked and deleted them (rule T7)."""

from collections.abc import Collection, Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduler.storage.tables import garbage, jobs, tasks

WEIGHTS, SPLITS, CHECKPOINTS, CONTACT_SHEETS = "weights", "splits", "checkpoints", "contact-sheets"
_SUFFIX = {WEIGHTS: ".safetensors", SPLITS: ".jsonl", CHECKPOINTS: ".safetensors", CONTACT_SHEETS: ".jpg"}

FOLDERS = tuple(_SUFFIX)
# A warm start's weights and a parent's split are those of a released task, which stays.
_NAMED_BY = {
    WEIGHTS: tasks.c.weights_sha256,
    SPLITS: tasks.c.split_sha256,
    CHECKPOINTS: jobs.c.checkpoint_sha256,
    # Of the last of the three stages; in the words of its index, which knows no parameters.
    CONTACT_SHEETS: tasks.c.stages.op("->")(sa.literal_column("2")).op("->>", return_type=sa.Text())(
        sa.literal_column("'contact_sheet_sha256'")
    ),
}


def object_key(folder: str, sha256: str) -> str:
    """The key of an object, from its folder and hash."""
    return f"{folder}/{sha256}{_SUFFIX[folder]}"


def _sha256(key: str) -> str:
    return key.partition("/")[2].partition(".")[0]


class Garbage:
    """The garbage of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def suspect(self, keys: Iterable[str], not_before: datetime) -> None:
        """Have the collector look at these objects, not before that time."""
        rows = [{"key": key, "not_before": not_before} for key in sorted(set(keys))]
        if rows:
            statement = insert(garbage)
            await self._session.execute(
                statement.on_conflict_do_update(
                    index_elements=[garbage.c.key],
                    set_={
                        "not_before": sa.func.greatest(garbage.c.not_before, statement.excluded.not_before)
                    },
                ),
                rows,
            )

    async def next_due(self, now: datetime) -> str | None:
        """The key of a suspect whose time has come, locked; None if there is none."""
        return await self._session.scalar(
            sa.select(garbage.c.key)
            .where(garbage.c.not_before <= now)
            .order_by(garbage.c.not_before)
            .limit(1)
            .with_for_update(skip_locked=True)
        )

    async def needed(self, keys: Collection[str]) -> set[str]:
        """Those that a row names: contents may be shared by tasks whose bytes came out the same."""
        found: set[str] = set()
        for folder, column in _NAMED_BY.items():
            by_hash = {_sha256(key): key for key in keys if key.startswith(f"{folder}/")}
            if by_hash:
                rows = await self._session.scalars(
                    sa.select(column).where(column == sa.any_(sa.cast(list(by_hash), sa.ARRAY(sa.Text))))
                )
                found.update(by_hash[sha256] for sha256 in rows)
        return found

    async def clear(self, key: str) -> None:
        """Nothing left to do about the object."""
        await self._session.execute(sa.delete(garbage).where(garbage.c.key == key))
