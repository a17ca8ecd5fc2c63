"""Suspected labels in PostgreSQL. They are found when a report is made, and go with it."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.application.near_duplicates import HASH_BITS, LookAlikes
from services.evaluator.domain.suspicion import SuspectedLabel, SuspectFilter, SuspectKey, Suspicion
from services.evaluator.storage.reports import sample_table, to_stored

_suspect = sa.table(
    "suspected_label",
    sa.column("report_id", sa.Uuid),
    sa.column("ordinal", sa.Integer),
    sa.column("suspicion", sa.SmallInteger),
    sa.column("score", sa.Double),
    sa.column("true_code", sa.Text),
    sa.column("usual_confidence", sa.Double),
    sa.column("twin_ordinal", sa.Integer),
    sa.column("distance", sa.SmallInteger),
)
# Confident learning (Northcutt, Jiang and Chuang 2021): a sample counts as of another class if the model's
# confidence in that class is not below what it has on average in samples of that class.
_FIND_CONFIDENTLY_WRONG = sa.text(
    """
    WITH usual AS (
        SELECT true_code AS code,
            avg(coalesce(top_scores[array_position(top_codes, true_code)], 0)) AS confidence
        FROM sample_result
        WHERE report_id = :report AND verdict <> 3
        GROUP BY true_code
    )
    INSERT INTO suspected_label
    SELECT s.report_id, s.ordinal, 1, s.confidence, s.true_code, u.confidence, NULL, 0
    FROM sample_result s JOIN usual u ON u.code = s.predicted_code
    WHERE s.report_id = :report AND s.verdict = 2 AND s.confidence >= u.confidence
    """
)
_PUT_LOOK_ALIKES = sa.text(
    """
    INSERT INTO suspected_label
    SELECT s.report_id, s.ordinal, 2, 1 - d.distance / CAST(:bits AS float8), s.true_code, 0, d.twin,
        d.distance
    FROM unnest(CAST(:ordinals AS int[]), CAST(:twins AS int[]), CAST(:distances AS int[]))
        AS d(ordinal, twin, distance)
    JOIN sample_result s ON s.report_id = :report AND s.ordinal = d.ordinal
    """
)


Ordinals: TypeAlias = NDArray[np.int64]


class SuspectedLabels:
    """The suspects of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find_confidently_wrong(self, report_id: UUID) -> None:
        """Look through the samples of a new report."""
        await self._session.execute(_FIND_CONFIDENTLY_WRONG, {"report": report_id})

    async def hashes(self, report_id: UUID) -> tuple[Ordinals, NDArray[np.uint8], NDArray[np.int64]]:
        """Of samples that have one: ordinals (N), hashes (N, 32), and a number for each code (N)."""
        rows = (
            await self._session.execute(
                sa.select(
                    sample_table.c.ordinal, sample_table.c.perceptual_hash, sample_table.c.true_code
                ).where(sample_table.c.report_id == report_id, sample_table.c.perceptual_hash.is_not(None))
            )
        ).all()
        numbers: dict[str, int] = {}
        return (
            np.array([row.ordinal for row in rows], np.int64),
            np.frombuffer(b"".join(row.perceptual_hash for row in rows), np.uint8).reshape(
                len(rows), HASH_BITS // 8
            ),
            np.array([numbers.setdefault(row.true_code, len(numbers)) for row in rows], np.int64),
        )

    async def put_look_alikes(self, report_id: UUID, ordinals: Ordinals, found: LookAlikes) -> None:
        """Keep what was found among the samples with these ordinals."""
        await self._session.execute(
            _PUT_LOOK_ALIKES,
            {
                "report": report_id,
                "bits": HASH_BITS,
                "ordinals": ordinals[found.samples].tolist(),
                "twins": ordinals[found.twins].tolist(),
                "distances": found.distances.tolist(),
            },
        )

    async def page(
        self, report_id: UUID, wanted: SuspectFilter, after: SuspectKey | None, limit: int
    ) -> Sequence[SuspectedLabel]:
        """The most suspect first, from after `after` on."""
        query = (
            sa.select(_suspect)
            .where(_suspect.c.report_id == report_id)
            .order_by(_suspect.c.score.desc(), _suspect.c.ordinal, _suspect.c.suspicion)
            .limit(limit)
        )
        if wanted.true_code:
            query = query.where(_suspect.c.true_code == wanted.true_code)
        if wanted.suspicion is not None:
            query = query.where(_suspect.c.suspicion == int(wanted.suspicion))
        if after is not None:
            # The score falls and the rest rises, so no one comparison of rows says it.
            beyond = sa.tuple_(_suspect.c.ordinal, _suspect.c.suspicion) > sa.tuple_(
                sa.literal(after.ordinal), sa.literal(int(after.suspicion))
            )
            score = sa.literal(after.score, sa.Double)
            query = query.where(_suspect.c.score <= score, sa.or_(_suspect.c.score < score, beyond))
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

    async def _samples(self, report_id: UUID, rows: Sequence[sa.Row[Any]]) -> dict[int, Any]:
        ordinals = {
            ordinal for row in rows for ordinal in (row.ordinal, row.twin_ordinal) if ordinal is not None
        }
        found = await self._session.execute(
            sa.select(sample_table).where(
                sample_table.c.report_id == report_id,
                sample_table.c.ordinal == sa.any_(sa.cast(list(ordinals), sa.ARRAY(sa.Integer))),
            )
        )
        return {row.ordinal: to_stored(row) for row in found}
