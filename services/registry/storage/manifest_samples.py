"""Comparison of pinned and present listings, in the database."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.domain.overlap import Listings, TrainingOverlap

_UNKNOWN = sa.text(
    """
    SELECT wanted FROM unnest(CAST(:manifests AS bytea[])) AS wanted
    WHERE NOT EXISTS (SELECT FROM manifest_samples WHERE manifest = wanted)
    """
)
# Objects without a row any more are compared by their own hash, which no other sample has.
_PUT = sa.text(
    """
    INSERT INTO manifest_samples (manifest, line, content, group_key)
    SELECT :manifest, :first_line + listed.place, coalesce(o.pixels_sha256, listed.sha256), listed.group_key
    FROM unnest(CAST(:sha256s AS bytea[]), CAST(:groups AS text[])) WITH ORDINALITY
        AS listed (sha256, group_key, place)
    LEFT JOIN objects o ON o.sha256 = listed.sha256
    ON CONFLICT DO NOTHING
    """
).bindparams(sa.bindparam("manifest", type_=sa.LargeBinary), sa.bindparam("first_line", type_=sa.BigInteger))


def _samples_of(side: str) -> str:
    # What was trained with stays so in the bin.
    live = "" if side == "trained" else "WHERE p.delete_time IS NULL"
    return f"""
        SELECT content, group_key FROM manifest_samples
        WHERE manifest = ANY(CAST(:{side}_manifests AS bytea[]))
        UNION ALL
        SELECT s.pixels_sha256, s.group_key FROM samples s
        JOIN data_paths p ON p.key = s.path
        JOIN unnest(CAST(:{side}_datasets AS text[]), CAST(:{side}_paths AS text[])) AS wanted (dataset, id)
            ON (p.dataset, p.id) = (wanted.dataset, wanted.id)
        {live}
        """  # noqa: S608 -- of constants


# Joins with distinct values instead of EXISTS: PostgreSQL hashes them for all sizes.
_AFFECTED = sa.text(
    f"""
    WITH trained AS MATERIALIZED ({_samples_of("trained")})
    SELECT encode(data.manifest, 'hex') AS manifest, data.line
    FROM manifest_samples data
    LEFT JOIN (SELECT DISTINCT content FROM trained) same ON same.content = data.content
    LEFT JOIN (SELECT DISTINCT group_key FROM trained WHERE group_key IS NOT NULL) kin
        ON kin.group_key = data.group_key
    WHERE data.manifest = ANY(CAST(:data_manifests AS bytea[]))
        AND (same.content IS NOT NULL OR kin.group_key IS NOT NULL)
    """  # noqa: S608 -- of constants
)
_OVERLAP = sa.text(
    f"""
    WITH trained AS MATERIALIZED ({_samples_of("trained")}), data AS ({_samples_of("data")})
    SELECT count(*), count(same.content), count(DISTINCT kin.group_key),
        count(*) FILTER (WHERE same.content IS NOT NULL OR kin.group_key IS NOT NULL)
    FROM data
    LEFT JOIN (SELECT DISTINCT content FROM trained) same ON same.content = data.content
    LEFT JOIN (SELECT DISTINCT group_key FROM trained WHERE group_key IS NOT NULL) kin
        ON kin.group_key = data.group_key
    """  # noqa: S608 -- of constants
)


class ManifestSamples:
    """The samples of pinned listings, copied from their manifests."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def unknown(self, manifests: Collection[str]) -> list[str]:
        """Those manifests that have not been copied yet."""
        wanted = [bytes.fromhex(manifest) for manifest in manifests]
        found = await self._session.scalars(_UNKNOWN, {"manifests": wanted})
        return [manifest.hex() for manifest in found]

    async def put(self, manifest: str, first_line: int, entries: Sequence[tuple[str, str | None]]) -> None:
        """Copy consecutive lines, each the hash and the group of a sample; a second copy changes nothing."""
        await self._session.execute(
            _PUT,
            {
                "manifest": bytes.fromhex(manifest),
                "first_line": first_line,
                "sha256s": [bytes.fromhex(sha256) for sha256, _ in entries],
                "groups": [group for _, group in entries],
            },
        )

    async def overlap(self, data: Listings, trained: Listings) -> TrainingOverlap:
        """How much of the data is in the training data; every manifest must have been copied."""
        values = {**_values("data", data), **_values("trained", trained)}
        return TrainingOverlap(*(await self._session.execute(_OVERLAP, values)).one())

    async def affected_lines(self, manifests: Collection[str], trained: Listings) -> dict[str, set[int]]:
        """The lines, from 1, of each manifest whose samples or groups are in the training data."""
        values = {**_values("data", Listings(manifests=set(manifests))), **_values("trained", trained)}
        del values["data_datasets"], values["data_paths"]
        found: dict[str, set[int]] = {manifest: set() for manifest in manifests}
        for row in await self._session.execute(_AFFECTED, values):
            found[row.manifest].add(row.line)
        return found


def _values(side: str, listings: Listings) -> dict[str, Any]:
    paths = sorted(listings.paths)
    return {
        f"{side}_manifests": [bytes.fromhex(manifest) for manifest in sorted(listings.manifests)],
        f"{side}_datasets": [dataset for dataset, _ in paths],
        f"{side}_paths": [path for _, path in paths],
    }
