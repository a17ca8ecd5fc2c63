"""Garbage collection: deletes objects without a row, which were uploaded and never added or recorded."""

from collections.abc import Collection
from datetime import timedelta

from services.kit.database import DatabaseSessions
from services.kit.object_store import ObjectStore
from services.registry.storage.datasets import Snapshots
from services.registry.storage.models import PACKAGES, Models
from services.registry.storage.samples import ObjectRows

# An object exists before its row: a young one may still get one. An import that continues after half of this
# time must upload again what it had not added, so that no object gets a row while it is deleted.
ORPHAN_GRACE = timedelta(hours=24)


class Collector:
    """Deletes orphans in the registry's folders of the object store."""

    def __init__(self, sessions: DatabaseSessions, store: ObjectStore) -> None:
        self._sessions = sessions
        self._store = store

    async def collect(self, grace: timedelta = ORPHAN_GRACE) -> int:
        """Delete every object without a row that is older than the grace period; returns how many."""
        before = await self._sessions.time() - grace
        samples = await self._store.delete_orphans("samples", "", before, self._samples)
        manifests = await self._store.delete_orphans("manifests", ".jsonl", before, self._manifests)
        # Packages of exports that failed, or whose version had a package already.
        packages = await self._store.delete_orphans(PACKAGES, ".zip", before, self._packages)
        return samples + manifests + packages

    async def _samples(self, sha256s: Collection[str]) -> Collection[str]:
        """Also those that are in no listing any more: manifests of snapshots may name them."""
        async with self._sessions.begin() as session:
            return await ObjectRows(session).get(sha256s)

    async def _manifests(self, sha256s: Collection[str]) -> Collection[str]:
        async with self._sessions.begin() as session:
            return await Snapshots(session).named(sha256s)

    async def _packages(self, sha256s: Collection[str]) -> Collection[str]:
        async with self._sessions.begin() as session:
            return await Models(session).named_packages(sha256s)
