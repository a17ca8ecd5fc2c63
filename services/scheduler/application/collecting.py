"""Deletes objects that no row names (rule T7)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Protocol

from services.scheduler.application.dependencies import Parts
from services.scheduler.storage.orphan_candidates import FOLDERS, Garbage

_log = logging.getLogger(__name__)
_PAUSE_S = 5.0


class Objects(Protocol):
    """What the collector needs of the object store."""

    async def delete(self, key: str) -> None:
        """Remove the object; not an error if it is not there."""
        ...

    def old_keys(self, prefix: str, modified_before: datetime) -> AsyncIterator[list[str]]:
        """The keys under a prefix whose objects are older than that, some at a time."""
        ...

    async def abandon_uploads(self, prefix: str, started_before: datetime) -> int:
        """Remove the parts of uploads under a prefix that were begun before then; returns of how many."""
        ...


class Collector:
    """Looks at suspects whose time has come, and now and then for what nobody suspects."""

    def __init__(self, parts: Parts, objects: Objects) -> None:
        self._parts = parts
        self._objects = objects

    async def run(self) -> None:
        """Collect for ever."""
        while True:
            while await self.collect_one():
                pass
            await asyncio.sleep(_PAUSE_S)

    async def collect_one(self) -> bool:
        """Delete one object if nothing needs it; False if there is no suspect."""
        async with self._parts.sessions.begin() as session:
            key = await Garbage(session).next_due(self._parts.clock.now())
            if key is None:
                return False
            if not await Garbage(session).needed([key]):
                # Inside the transaction on purpose: the row's lock keeps a second collector away, and if we
                # die here the object is looked at again. One small call; nobody else waits for this row.
                await self._objects.delete(key)
                _log.info("object deleted", extra={"key": key})
            await Garbage(session).clear(key)
        return True

    async def suspect_orphans(self) -> int:
        """Suspect what lies in our folders for long and no row names: a worker died after it had uploaded it.

        What is young may be on its way: it is uploaded first and named afterwards. Returns how many; uploads
        that were broken off are removed at once and not counted.
        """
        now = self._parts.clock.now()
        before = now - timedelta(seconds=self._parts.queue.orphan_grace_s)
        suspects = 0
        for folder in FOLDERS:
            if broken := await self._objects.abandon_uploads(f"{folder}/", before):
                _log.info("broken uploads removed", extra={"folder": folder, "uploads": broken})
            async for keys in self._objects.old_keys(f"{folder}/", before):
                async with self._parts.sessions.begin() as session:
                    orphans = set(keys) - await Garbage(session).needed(keys)
                    await Garbage(session).suspect(orphans, now)
                suspects += len(orphans)
        if suspects:
            _log.info("orphans found", extra={"objects": suspects})
        return suspects
