"""Deletes what was uploaded and never added, or written and never pinned or recorded: no row names it."""

from collections.abc import Collection
from datetime import timedelta

from services.kit.clock import Clock
from services.kit.database import DatabaseSessions
from services.kit.object_store import ObjectStore
from services.registry.storage.datasets import Snapshots
from services.registry.storage.models import PACKAGES, Models
from services.registry.storage.samples import ObjectRows

# An object is there before the row that names it: what is younger may be on its way. An import that goes on
# after half of that is told to upload again what it had not added: nothing is named while it is deleted.
ORPHAN_GRACE = timedelta(hours=24)


class Collector:
    """Looks through our folders of the object store."""

    def __init__(self, sessions: DatabaseSessions, store: ObjectStore, clock: Clock) -> None:
        self._sessions = sessions
        self._store = store
        self._clock = clock

    async def collect(self, grace: timedelta = ORPHAN_GRACE) -> int:
        """Delete every object older than the grace that no row names; returns how many."""
        before = self._clock.now() - grace
        samples = await self._store.delete_orphans("samples", "", before, self._samples)
        manifests = await self._store.delete_orphans("manifests", ".jsonl", before, self._manifests)
        # An export that did not come to its end, or whose version had been packaged already.
        packages = await self._store.delete_orphans(PACKAGES, ".zip", before, self._packages)
        return samples + manifests + packages

    async def _samples(self, sha256s: Collection[str]) -> Collection[str]:
        """Also those that are in no listing any more: a snapshot's manifest may hold them for ever."""
        async with self._sessions.begin() as session:
            return await ObjectRows(session).get(sha256s)

    async def _manifests(self, sha256s: Collection[str]) -> Collection[str]:
        async with self._sessions.begin() as session:
            return await Snapshots(session).named(sha256s)

    async def _packages(self, sha256s: Collection[str]) -> Collection[str]:
        async with self._sessions.begin() as session:
            return await Models(session).named_packages(sha256s)
