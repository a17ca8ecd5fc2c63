"""Objects that rows no longer name, until the collector has looked and deleted them (rule T7)."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduler.storage.tables import garbage, jobs, tasks

WEIGHTS, SPLITS, CHECKPOINTS = "weights", "splits", "checkpoints"
_SUFFIX = {WEIGHTS: ".safetensors", SPLITS: ".jsonl", CHECKPOINTS: ".safetensors"}


def object_key(folder: str, sha256: str) -> str:
    """The key of an object, from its folder and hash."""
    return f"{folder}/{sha256}{_SUFFIX[folder]}"


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

    async def is_needed(self, key: str) -> bool:
        """Whether a row names the object: contents may be shared by tasks whose bytes came out the same."""
        folder, _, file = key.partition("/")
        sha256 = file.partition(".")[0]
        needed = {
            WEIGHTS: sa.or_(
                sa.exists().where(tasks.c.weights_sha256 == sha256, tasks.c.weights_sha256 != "")
            ),
            SPLITS: sa.exists().where(tasks.c.split_sha256 == sha256, tasks.c.split_sha256 != ""),
            CHECKPOINTS: sa.exists().where(jobs.c.checkpoint_sha256 == sha256),
        }[folder]
        return bool(await self._session.scalar(sa.select(needed)))

    async def clear(self, key: str) -> None:
        """Nothing left to do about the object."""
        await self._session.execute(sa.delete(garbage).where(garbage.c.key == key))
