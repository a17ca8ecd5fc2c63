"""Deletes predicted masks that no report names (T7, docs/decisions/0020)."""

from collections.abc import Collection
from datetime import timedelta

from services.evaluator.storage.samples import SampleRows
from services.kit.database import DatabaseSessions
from services.kit.object_store import ObjectStore

ORPHAN_GRACE = timedelta(days=1)
"""A mask is uploaded before the report that names it, so a young object may still get its report. A mask that
is predicted again is written again (ObjectStore.put_content), which makes it young."""


class PredictedMasks:
    """The objects under masks/."""

    def __init__(self, sessions: DatabaseSessions, store: ObjectStore) -> None:
        self._sessions = sessions
        self._store = store

    async def sweep(self, grace: timedelta = ORPHAN_GRACE) -> None:
        """Delete masks that are older than the grace period and that no sample names."""
        before = await self._sessions.time() - grace
        await self._store.delete_orphans("masks", ".png", before, self._named)

    async def _named(self, sha256s: Collection[str]) -> Collection[str]:
        async with self._sessions.begin() as session:
            return await SampleRows(session).named_masks(sha256s)
