"""Garbage collection: deletes old content that no row names (rule T7, docs/decisions/0020)."""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import DatabaseSessions
from services.kit.object_store import ObjectStore

_log = logging.getLogger(__name__)

ORPHAN_GRACE = timedelta(hours=24)
"""An object exists before its row: a young one may still get one. Whoever names an object that is older than
half of this time must write it again first, so that no object gets a row while it is deleted."""


async def old_content(
    store: ObjectStore, prefix: str, suffix: str, before: datetime
) -> AsyncIterator[dict[str, str]]:
    """Batches of the keys `<prefix>/<sha256><suffix>`, by their hash, whose objects are older than that."""
    content = re.compile(f"{re.escape(prefix)}/([0-9a-f]{{64}}){re.escape(suffix)}")
    async for keys in store.old_keys(f"{prefix}/", before):
        yield {match[1]: key for key in keys if (match := content.fullmatch(key))}


@dataclass(frozen=True, slots=True)
class Folder:
    """Content with the keys `<prefix>/<sha256><suffix>`; objects with other keys stay."""

    prefix: str
    suffix: str
    named: Callable[[AsyncSession, Collection[str]], Awaitable[Collection[str]]]
    """Which of these hashes rows name."""


class Collector:
    """Deletes the orphans of a service's folders, and the parts of uploads that were not finished."""

    def __init__(self, sessions: DatabaseSessions, store: ObjectStore, folders: Sequence[Folder]) -> None:
        self._sessions = sessions
        self._store = store
        self._folders = folders

    async def collect(self, grace: timedelta = ORPHAN_GRACE) -> int:
        """Delete every object without a row that is older than the grace period; returns how many."""
        before = await self._sessions.time() - grace
        return sum([await self._collect(folder, before) for folder in self._folders])

    async def _collect(self, folder: Folder, before: datetime) -> int:
        deleted = 0
        await self._store.abandon_uploads(f"{folder.prefix}/", before)
        async for found in old_content(self._store, folder.prefix, folder.suffix, before):
            async with self._sessions.begin() as session:
                named = set(await folder.named(session, found))
            for sha256 in found.keys() - named:
                await self._store.delete(found[sha256])
                deleted += 1
        if deleted:
            _log.info("orphans deleted", extra={"prefix": folder.prefix, "objects": deleted})
        return deleted
