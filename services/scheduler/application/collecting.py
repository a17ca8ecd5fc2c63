"""Garbage collection: deletes objects that no row names (rule T7)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Protocol

from services.scheduler.application.dependencies import Dependencies
from services.scheduler.storage.orphan_candidates import FOLDERS, OrphanCandidates

_log = logging.getLogger(__name__)
_PAUSE_S = 5.0


class ObjectStorePort(Protocol):
    """The operations of the object store that the collector needs."""

    async def delete(self, key: str) -> None:
        """Delete the object; not an error if it does not exist."""
        ...

    def old_keys(self, prefix: str, modified_before: datetime) -> AsyncIterator[list[str]]:
        """The keys under a prefix of objects that were modified before then, in batches."""
        ...

    async def abandon_uploads(self, prefix: str, started_before: datetime) -> int:
        """Abort unfinished uploads under a prefix that started before then; returns how many."""
        ...


class CandidateCollector:
    """Checks orphan candidates that are due, and finds candidates by listing the object store."""

    def __init__(self, dependencies: Dependencies, objects: ObjectStorePort) -> None:
        self._dependencies = dependencies
        self._objects = objects

    async def run(self) -> None:
        """Collect for ever."""
        while True:
            while await self.collect_one():
                pass
            await asyncio.sleep(_PAUSE_S)

    async def collect_one(self) -> bool:
        """Check one candidate and delete it if no row names it; False if none is due."""
        async with self._dependencies.sessions.begin() as session:
            candidates = OrphanCandidates(session)
            key = await candidates.next_due()
            if key is None:
                return False
            if not await candidates.needed([key]):
                # Inside the transaction, against the usual rule: the row's lock keeps other collectors away,
                # and if this process dies here, the object is checked again. The call is short, and no other
                # transaction waits for this row.
                await self._objects.delete(key)
                _log.info("object deleted", extra={"key": key})
            await candidates.remove(key)
        return True

    async def find_orphans(self) -> int:
        """Find old objects that no row names, because a worker died between upload and commit.

        Younger objects are left out: an object is uploaded first and named afterwards. Returns the number of
        candidates found. Unfinished uploads are aborted at once and not counted.
        """
        now = await self._dependencies.sessions.time()
        before = now - timedelta(seconds=self._dependencies.scheduling.orphan_grace_s)
        found = 0
        for folder in FOLDERS:
            if broken := await self._objects.abandon_uploads(f"{folder}/", before):
                _log.info("broken uploads removed", extra={"folder": folder, "uploads": broken})
            async for keys in self._objects.old_keys(f"{folder}/", before):
                async with self._dependencies.sessions.begin() as session:
                    candidates = OrphanCandidates(session)
                    orphans = set(keys) - await candidates.needed(keys)
                    await candidates.add(orphans, now)
                found += len(orphans)
        if found:
            _log.info("orphans found", extra={"objects": found})
        return found
