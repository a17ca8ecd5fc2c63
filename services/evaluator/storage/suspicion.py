"""Suspected labels in PostgreSQL. They are found when a report is stored, and deleted with it."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.domain.report import PERCEPTUAL_HASH_BYTES, StoredSample
from services.evaluator.domain.suspicion import (
    HashedSample,
    NearDuplicate,
    SuspectedLabel,
    SuspectFilter,
    SuspectKey,
    Suspicion,
)
from services.evaluator.storage.samples import stored_sample
from services.evaluator.storage.tables import sample_table, suspect_table
from services.kit.paging import PageRequest

_SQL = files("services.evaluator.storage") / "sql"
_INSERT_CONFIDENTLY_WRONG = sa.text((_SQL / "confidently_wrong.sql").read_text("utf-8"))
_INSERT_NEAR_DUPLICATES = sa.text((_SQL / "near_duplicates.sql").read_text("utf-8"))


class SuspectRows:
    """Reads and writes suspected labels in one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def insert_confidently_wrong(self, report_id: UUID) -> None:
        """Find the labels that the model contradicts with confidence, and insert them."""
        await self._session.execute(_INSERT_CONFIDENTLY_WRONG, {"report": report_id})

    async def hashed_samples(self, report_id: UUID) -> Sequence[HashedSample]:
        """The samples of a report whose pictures were hashed."""
        columns = (sample_table.c.ordinal, sample_table.c.perceptual_hash, sample_table.c.true_code)
        query = sa.select(*columns).where(
            sample_table.c.report_id == report_id, sample_table.c.perceptual_hash.is_not(None)
        )
        return [HashedSample(*row) for row in await self._session.execute(query)]

    async def insert_near_duplicates(self, report_id: UUID, found: Sequence[NearDuplicate]) -> None:
        """Insert these as suspected labels."""
        await self._session.execute(
            _INSERT_NEAR_DUPLICATES,
            {
                "report": report_id,
                "bits": 8 * PERCEPTUAL_HASH_BYTES,
                "ordinals": [duplicate.ordinal for duplicate in found],
                "twins": [duplicate.twin_ordinal for duplicate in found],
                "distances": [duplicate.distance for duplicate in found],
            },
        )

    async def list(
        self, report_id: UUID, suspect_filter: SuspectFilter, page: PageRequest[SuspectKey]
    ) -> Sequence[SuspectedLabel]:
        """The rows of a page of suspected labels, highest score first."""
        query = (
            sa.select(suspect_table)
            .where(suspect_table.c.report_id == report_id)
            .order_by(suspect_table.c.score.desc(), suspect_table.c.ordinal, suspect_table.c.suspicion)
            .limit(page.limit)
        )
        if suspect_filter.true_code:
            query = query.where(suspect_table.c.true_code == suspect_filter.true_code)
        if suspect_filter.suspicion is not None:
            query = query.where(suspect_table.c.suspicion == int(suspect_filter.suspicion))
        if page.after is not None:
            after = page.after
            # The score descends and the rest ascends, so one comparison of rows is not enough.
            follows = sa.tuple_(suspect_table.c.ordinal, suspect_table.c.suspicion) > sa.tuple_(
                sa.literal(after.ordinal), sa.literal(int(after.suspicion))
            )
            score = sa.literal(after.score, sa.Double)
            query = query.where(
                suspect_table.c.score <= score, sa.or_(suspect_table.c.score < score, follows)
            )
        rows = (await self._session.execute(query)).all()
        samples = await self._samples(report_id, rows)
        return [
            SuspectedLabel(
                sample=samples[row.ordinal],
                suspicion=Suspicion(row.suspicion),
                score=row.score,
                usual_confidence=row.usual_confidence,
                twin=None if row.twin_ordinal is None else samples[row.twin_ordinal],
                distance=row.distance,
            )
            for row in rows
        ]

    async def _samples(self, report_id: UUID, rows: Sequence[sa.Row[Any]]) -> dict[int, StoredSample]:
        ordinals = {
            ordinal for row in rows for ordinal in (row.ordinal, row.twin_ordinal) if ordinal is not None
        }
        found = await self._session.execute(
            sa.select(sample_table).where(
                sample_table.c.report_id == report_id,
                sample_table.c.ordinal == sa.any_(sa.cast(list(ordinals), sa.ARRAY(sa.Integer))),
            )
        )
        return {row.ordinal: stored_sample(row) for row in found}
