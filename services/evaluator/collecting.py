"""Deletes predicted masks that no report names any more (T7, docs/decisions/0020)."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.kit.database import DatabaseSessions
from services.kit.object_store import ObjectStore

_GRACE = timedelta(days=1)
"""What is younger may be on its way: masks are uploaded first and named with their report. One that was
uploaded long ago is written again when it is told of anew (ObjectStore.put_content)."""

_NAMED = sa.text(
    """
    SELECT wanted FROM unnest(:hashes) AS wanted WHERE EXISTS (
        SELECT FROM sample_result WHERE predicted_mask_sha256 <> '' AND predicted_mask_sha256 = wanted
    )
    """
).bindparams(sa.bindparam("hashes", type_=sa.ARRAY(sa.Text)))


class PredictedMasks:
    """Objects under masks/."""

    def __init__(self, sessions: DatabaseSessions, store: ObjectStore, now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._store = store
        self._now = now

    async def sweep(self) -> None:
        """Delete those that are older than a day and not named."""
        await self._store.delete_orphans("masks", ".png", self._now() - _GRACE, self._named)

    async def _named(self, sha256s: Collection[str]) -> Collection[str]:
        async with self._sessions.begin() as session:
            return list(await session.scalars(_NAMED, {"hashes": list(sha256s)}))
