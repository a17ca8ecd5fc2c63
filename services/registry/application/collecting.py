"""What the registry's garbage collection deletes: objects that were uploaded and never added or recorded."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import DatabaseSessions
from services.kit.orphans import ORPHAN_GRACE, Folder
from services.kit.presigning import INCOMING
from services.registry.storage.datasets import Snapshots
from services.registry.storage.models import PACKAGES, Models
from services.registry.storage.samples import ObjectRows
from services.registry.storage.uploads import Uploads


async def _none(_: AsyncSession, __: Collection[str]) -> Collection[str]:
    return ()


async def forget_uploads(sessions: DatabaseSessions, grace: timedelta = ORPHAN_GRACE) -> None:
    """Forget uploads that were planned before the grace period and never added."""
    before = await sessions.time() - grace
    async with sessions.begin() as session:
        await Uploads(session).forget_until(before)


FOLDERS = (
    # A sample that is in no listing any more has a row: manifests of snapshots may name it.
    Folder("samples", "", lambda session, sha256s: ObjectRows(session).get(sha256s)),
    Folder("manifests", ".jsonl", lambda session, sha256s: Snapshots(session).named(sha256s)),
    # Packages of exports that failed, or whose version had a package already.
    Folder(PACKAGES, ".zip", lambda session, sha256s: Models(session).named_packages(sha256s)),
    # Uploads: what was verified is elsewhere, and what was not added for so long was abandoned.
    Folder(INCOMING, "", _none),
)
