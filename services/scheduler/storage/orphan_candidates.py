"""Objects that may be orphans: no row may name them any more. The collector checks and deletes them (T7)."""

from collections.abc import Collection, Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduler.storage.tables import jobs, orphan_candidates, tasks

WEIGHTS, SPLITS, CHECKPOINTS, CONTACT_SHEETS = "weights", "splits", "checkpoints", "contact-sheets"
SUFFIX = {WEIGHTS: ".safetensors", SPLITS: ".jsonl", CHECKPOINTS: ".safetensors", CONTACT_SHEETS: ".jpg"}

FOLDERS = tuple(SUFFIX)
# The columns that name objects of each folder. Weights of a warm start and a parent's split belong to a
# released task, which cannot be deleted. Of a training that can, predictions may still need the weights.
_NAMED_BY = {
    WEIGHTS: tasks.c.weights_sha256,
    SPLITS: tasks.c.split_sha256,
    CHECKPOINTS: jobs.c.checkpoint_sha256,
    # Of the last of the three stages. Literals, because the expression must match that of the index.
    CONTACT_SHEETS: tasks.c.stages.op("->")(sa.literal_column("2")).op("->>", return_type=sa.Text())(
        sa.literal_column("'contact_sheet_sha256'")
    ),
}

_JUDGED_WEIGHTS = sa.text(
    """
    SELECT spec ->> 'weights_sha256' FROM tasks
    WHERE kind = 'PREDICTION' AND tried_version LIKE 'tasks/%' AND spec ->> 'weights_sha256' = ANY(:hashes)
    """
)


def object_key(folder: str, sha256: str) -> str:
    """The key of an object, from its folder and hash."""
    return f"{folder}/{sha256}{SUFFIX[folder]}"


def _sha256(key: str) -> str:
    return key.partition("/")[2].partition(".")[0]


class OrphanCandidates:
    """The orphan candidates of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, keys: Iterable[str], not_before: datetime) -> None:
        """Have the collector check these objects, not before that time."""
        rows = [{"key": key, "not_before": not_before} for key in sorted(set(keys))]
        if rows:
            statement = insert(orphan_candidates)
            await self._session.execute(
                statement.on_conflict_do_update(
                    index_elements=[orphan_candidates.c.key],
                    set_={
                        "not_before": sa.func.greatest(
                            orphan_candidates.c.not_before, statement.excluded.not_before
                        )
                    },
                ),
                rows,
            )

    async def next_due(self) -> str | None:
        """The key of a candidate that is due, locked; None if there is none."""
        return await self._session.scalar(
            sa.select(orphan_candidates.c.key)
            .where(orphan_candidates.c.not_before <= sa.func.statement_timestamp())
            .order_by(orphan_candidates.c.not_before)
            .limit(1)
            .with_for_update(skip_locked=True)
        )

    async def needed(self, keys: Collection[str]) -> set[str]:
        """The objects that a row names. Tasks whose results have the same bytes share an object."""
        found: set[str] = set()
        for folder, column in _NAMED_BY.items():
            by_hash = {_sha256(key): key for key in keys if key.startswith(f"{folder}/")}
            if by_hash:
                rows = await self._session.scalars(
                    sa.select(column).where(column == sa.any_(sa.cast(list(by_hash), sa.ARRAY(sa.Text))))
                )
                found.update(by_hash[sha256] for sha256 in rows)
        weights = {_sha256(key): key for key in keys if key.startswith(f"{WEIGHTS}/")}
        if weights:
            judged = await self._session.scalars(_JUDGED_WEIGHTS, {"hashes": list(weights)})
            found.update(weights[sha256] for sha256 in judged)
        return found

    async def remove(self, key: str) -> None:
        """The object was checked."""
        await self._session.execute(sa.delete(orphan_candidates).where(orphan_candidates.c.key == key))
