"""Deletes predicted masks that no report names any more (T7, DECISIONS.md 20)."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.kit.database import Sessions
from services.kit.object_store import ObjectStore

_log = logging.getLogger(__name__)
_FOLDER, _SUFFIX = "masks/", ".png"
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

    def __init__(self, sessions: Sessions, store: ObjectStore, now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._store = store
        self._now = now

    async def sweep(self) -> None:
        """Delete those that are older than a day and not named."""
        before = self._now() - _GRACE
        await self._store.abandon_uploads(_FOLDER, before)
        async for keys in self._store.old_keys(_FOLDER, before):
            by_hash = {key.removeprefix(_FOLDER).removesuffix(_SUFFIX): key for key in keys}
            async with self._sessions.begin() as session:
                named = set(await session.scalars(_NAMED, {"hashes": list(by_hash)}))
            for sha256 in by_hash.keys() - named:
                await self._store.delete(by_hash[sha256])
                _log.info("mask deleted", extra={"key": by_hash[sha256]})
