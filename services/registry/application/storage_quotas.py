"""Use cases of StorageQuotaService (D10)."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import DatabaseSessions
from services.registry.domain.storage_quotas import ALL, StorageQuota
from services.registry.storage.datasets import Datasets
from services.registry.storage.identity import Identities
from services.registry.storage.storage_quotas import StorageQuotas


class Quotas:
    """Administrators set them while the registry runs; the next batch of an import meets them."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def page(self, *, after: str, limit: int) -> list[StorageQuota]:
        """By subject, from the one after `after` on."""
        async with self._sessions.reading() as session:
            return await StorageQuotas(session).page(after, limit)

    async def set(self, folder: str, key: str, limit_bytes: int | None) -> StorageQuota:
        """Limit `datasets/{key}` or `users/{key}`; None removes its limit. NotFound."""
        subject = f"{folder}/{key}"
        async with self._sessions.begin() as session:
            await _require(session, folder, key)
            quotas = StorageQuotas(session)
            await quotas.set(subject, limit_bytes)
            found = await quotas.of(subject)
        return found[0] if found else StorageQuota(subject, 0, limit_bytes)


async def _require(session: AsyncSession, folder: str, key: str) -> None:
    if key == ALL:
        return
    if folder == "datasets":
        await Datasets(session).get(key)
    else:
        await Identities(session).get_user(key)
