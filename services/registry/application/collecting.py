"""Deletes what was uploaded and never added, or written and never pinned: no row names it (D2, W12)."""

import logging
import re
from collections.abc import Collection
from datetime import timedelta

from services.kit.database import Sessions
from services.kit.object_store import ObjectStore
from services.kit.process import Clock
from services.registry.storage.datasets import Snapshots
from services.registry.storage.samples import Objects

_log = logging.getLogger(__name__)

# An object is there before the row that names it: what is younger may be on its way. An import that goes on
# after half of that is told to upload again what it had not added: nothing is named while it is deleted.
ORPHAN_GRACE = timedelta(hours=24)

_CONTENT = re.compile(r"(?:samples|manifests)/([0-9a-f]{64})(?:\.jsonl)?")


class Collector:
    """Looks through our folders of the object store."""

    def __init__(self, sessions: Sessions, store: ObjectStore, clock: Clock) -> None:
        self._sessions = sessions
        self._store = store
        self._clock = clock

    async def collect(self, grace: timedelta = ORPHAN_GRACE) -> int:
        """Delete every object older than the grace that no row names; returns how many."""
        deleted = 0
        before = self._clock.now() - grace
        for folder in ("samples", "manifests"):
            await self._store.abandon_uploads(f"{folder}/", before)
            async for keys in self._store.old_keys(f"{folder}/", before):
                found = {match[1]: key for key in keys if (match := _CONTENT.fullmatch(key))}
                named = await self._named(folder, found)
                for sha256 in found.keys() - named:
                    await self._store.delete(found[sha256])
                    deleted += 1
        if deleted:
            _log.info("orphans deleted", extra={"objects": deleted})
        return deleted

    async def _named(self, folder: str, sha256s: Collection[str]) -> set[str]:
        async with self._sessions.begin() as session:
            if folder == "samples":
                # Also those that are in no listing any more: a snapshot's manifest may hold them for ever.
                return set(await Objects(session).get(sha256s))
            return await Snapshots(session).named(sha256s)
