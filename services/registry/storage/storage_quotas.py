"""Rows of storage quotas, and what datasets and users store."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.domain.storage_quotas import StorageQuota

# What the bin holds counts: its bytes are there until it is purged.
_USE = """
    WITH used AS (
        SELECT CAST('datasets/' || d.id AS text) COLLATE "C" AS subject,
            CAST(coalesce(sum(p.size_bytes), 0) AS bigint) AS bytes
        FROM datasets d LEFT JOIN data_paths p ON p.dataset = d.id GROUP BY d.id
        UNION ALL
        SELECT p.owner COLLATE "C", CAST(sum(p.size_bytes) AS bigint)
        FROM data_paths p WHERE p.owner <> '' GROUP BY p.owner
    ),
    quota AS (
        SELECT coalesce(u.subject, q.subject) AS subject, coalesce(u.bytes, 0) AS used_bytes,
            coalesce(q.limit_bytes, f.limit_bytes) AS limit_bytes,
            q.limit_bytes IS NULL AND f.limit_bytes IS NOT NULL AS inherited
        FROM used u FULL JOIN storage_quotas q ON q.subject = u.subject
        LEFT JOIN storage_quotas f ON f.subject = split_part(u.subject, '/', 1) || '/-'
    )
    SELECT subject, used_bytes, limit_bytes, inherited FROM quota
"""
_PAGE = sa.text(f"{_USE} WHERE subject > :after ORDER BY subject LIMIT :limit")
_OF = sa.text(f"{_USE} WHERE subject = ANY(:subjects)").bindparams(
    sa.bindparam("subjects", type_=sa.ARRAY(sa.Text))
)
_SET = sa.text(
    """
    INSERT INTO storage_quotas (subject, limit_bytes) VALUES (:subject, :limit_bytes)
    ON CONFLICT (subject) DO UPDATE SET limit_bytes = excluded.limit_bytes
    """
)
_REMOVE = sa.text("DELETE FROM storage_quotas WHERE subject = :subject")
_ANY = sa.text("SELECT EXISTS (SELECT FROM storage_quotas)")
_NEW_BYTES = sa.text(
    """
    SELECT CAST(coalesce(sum(coalesce(o.size_bytes, w.size_bytes, 0)), 0) AS bigint)
    FROM unnest(CAST(:sha256s AS bytea[]), CAST(:sizes AS bigint[])) AS w (sha256, size_bytes)
    LEFT JOIN objects o ON o.sha256 = w.sha256
    WHERE w.sha256 NOT IN (
        SELECT s.sha256 FROM samples s WHERE s.path = :path
        UNION ALL
        SELECT s.mask_sha256 FROM samples s WHERE s.path = :path AND s.mask_sha256 IS NOT NULL
    )
    """
)


class StorageQuotas:
    """Quotas with what is stored now."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, after: str, limit: int) -> list[StorageQuota]:
        """By subject, from the one after `after` on."""
        rows = await self._session.execute(_PAGE, {"after": after, "limit": limit})
        return [_quota(row) for row in rows]

    async def of(self, *subjects: str) -> list[StorageQuota]:
        """Those of the subjects that are there."""
        return [_quota(row) for row in await self._session.execute(_OF, {"subjects": list(subjects)})]

    async def limits_of(self, dataset: str, owner: str) -> list[StorageQuota]:
        """The quotas that a data path of the dataset and owner counts for; only those with a limit."""
        if not await self._session.scalar(_ANY):
            return []
        subjects = (f"datasets/{dataset}", *([owner] if owner else []))
        return [quota for quota in await self.of(*subjects) if quota.limit_bytes is not None]

    async def set(self, subject: str, limit_bytes: int | None) -> None:
        """Store the limit, or remove it."""
        if limit_bytes is None:
            await self._session.execute(_REMOVE, {"subject": subject})
        else:
            await self._session.execute(_SET, {"subject": subject, "limit_bytes": limit_bytes})

    async def new_bytes(self, path: int, sizes: Mapping[str, int | None]) -> int:
        """Bytes of the objects that the path does not list yet; 0 for each whose size nobody said."""
        columns = {
            "sha256s": [bytes.fromhex(sha256) for sha256 in sizes],
            "sizes": list(sizes.values()),
        }
        return int(await self._session.scalar(_NEW_BYTES, {**columns, "path": path}))


def _quota(row: sa.Row[Any]) -> StorageQuota:
    return StorageQuota(row.subject, row.used_bytes, row.limit_bytes, row.inherited)
