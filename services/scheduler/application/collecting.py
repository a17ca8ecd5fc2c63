"""Deletes objects that no row names any more (rule T7)."""

import asyncio
import logging
from typing import Protocol

from services.scheduler.application.parts import Parts
from services.scheduler.storage.garbage import Garbage

_log = logging.getLogger(__name__)
_PAUSE_S = 5.0


class Objects(Protocol):
    """What the collector needs of the object store."""

    async def delete(self, key: str) -> None:
        """Remove the object; not an error if it is not there."""
        ...


class Collector:
    """Looks at suspects whose time has come."""

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
            if not await Garbage(session).is_needed(key):
                # Inside the transaction on purpose: the row's lock keeps a second collector away, and if we
                # die here the object is looked at again. One small call; nobody else waits for this row.
                await self._objects.delete(key)
                _log.info("object deleted", extra={"key": key})
            await Garbage(session).clear(key)
        return True
