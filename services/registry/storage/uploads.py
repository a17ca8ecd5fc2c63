"""Rows of uploads whose bytes were not verified yet."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.domain.uploads import Upload
from services.registry.storage.tables import uploads

_MOST_A_HASH = 8
"""Of the same bytes by one uploader, such as of two imports at once."""
_OF = sa.text(
    """
    SELECT name, encode(sha256, 'hex') AS sha256, size_bytes, at_byte, whole_bytes FROM (
        SELECT *, row_number() OVER (PARTITION BY sha256 ORDER BY create_time DESC, name) AS place
        FROM uploads
        WHERE uploader = :uploader AND sha256 = ANY(CAST(:sha256s AS bytea[]))
            AND create_time > CAST(:after AS timestamptz)
    ) AS placed WHERE place <= :most ORDER BY place
    """
)
_PUT = sa.text(
    """
    INSERT INTO uploads (name, sha256, size_bytes, at_byte, whole_bytes, uploader, create_time)
    SELECT *, :uploader, CAST(:now AS timestamptz)
    FROM unnest(
        CAST(:names AS text[]), CAST(:sha256s AS bytea[]), CAST(:sizes AS bigint[]),
        CAST(:at_bytes AS bigint[]), CAST(:wholes AS bigint[])
    )
    """
)
_FORGET = sa.text(
    """
    DELETE FROM uploads
    WHERE (name, sha256) IN (SELECT * FROM unnest(CAST(:names AS text[]), CAST(:sha256s AS bytea[])))
    """
)


class Uploads:
    """The uploads that were planned; each is its uploader's alone, so that nobody spoils another's."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def put(self, uploader: str, planned: Sequence[Upload], now: datetime) -> None:
        """Store uploads that were planned now."""
        if not planned:
            return
        columns = {
            "names": [upload.name for upload in planned],
            "sha256s": [bytes.fromhex(upload.sha256) for upload in planned],
            "sizes": [upload.size_bytes for upload in planned],
            "at_bytes": [upload.at_byte for upload in planned],
            "wholes": [upload.whole_bytes for upload in planned],
        }
        await self._session.execute(_PUT, {**columns, "uploader": uploader, "now": now})

    async def of(
        self, uploader: str, sha256s: Collection[str], after: datetime
    ) -> dict[str, tuple[Upload, ...]]:
        """Those of the uploader that were planned after then, by hash, the newest first."""
        wanted = [bytes.fromhex(sha256) for sha256 in sha256s]
        rows = await self._session.execute(
            _OF, {"uploader": uploader, "sha256s": wanted, "after": after, "most": _MOST_A_HASH}
        )
        found: defaultdict[str, tuple[Upload, ...]] = defaultdict(tuple)
        for row in rows:
            found[row.sha256] += (Upload(*row),)
        return dict(found)

    async def forget(self, spent: Collection[Upload]) -> set[str]:
        """Remove these; returns the names of those that hold nothing else that is waited for."""
        names = [upload.name for upload in spent]
        if not names:
            return set()
        sha256s = [bytes.fromhex(upload.sha256) for upload in spent]
        await self._session.execute(_FORGET, {"names": names, "sha256s": sha256s})
        named = sa.any_(sa.cast(names, sa.ARRAY(sa.Text)))
        left = await self._session.execute(sa.select(uploads.c.name).where(uploads.c.name == named))
        return {*names} - set(left.scalars())

    async def forget_until(self, before: datetime) -> None:
        """Remove all that were planned before then."""
        await self._session.execute(sa.delete(uploads).where(uploads.c.create_time < before))
