"""Samples of reports in PostgreSQL."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.domain.listing import SampleFilter, SampleKey, SampleOrder
from services.evaluator.domain.metrics import ConfidenceCount
from services.evaluator.domain.report import CodeScore, DecidedBy, SampleResult, StoredSample, Verdict
from services.evaluator.storage.pixels import pixel_counts, pixels_of
from services.evaluator.storage.tables import sample_table
from services.kit.paging import PageRequest

_BY_RANK = (sample_table.c.rank, sample_table.c.file, sample_table.c.ordinal)
"""Within a verdict."""
_BY_FILE = (sample_table.c.true_code, sample_table.c.file, sample_table.c.ordinal)
_NAMED_MASKS = sa.text(
    """
    SELECT candidate FROM unnest(:hashes) AS candidate WHERE EXISTS (
        SELECT FROM sample_result WHERE predicted_mask_sha256 <> '' AND predicted_mask_sha256 = candidate
    )
    """
).bindparams(sa.bindparam("hashes", type_=sa.ARRAY(sa.Text)))


class SampleRows:
    """Reads and writes samples in one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def copy(self, report_id: UUID, start_ordinal: int, results: Iterable[SampleResult]) -> None:
        """Insert samples with COPY, which takes a tenth of the time of INSERT."""
        connection = await self._session.connection()
        raw = await connection.get_raw_connection()
        records = (
            (
                report_id,
                ordinal,
                result.file,
                result.data_path,
                result.sha256,
                result.true_code,
                result.predicted_code,
                int(result.verdict),
                result.rank,
                result.confidence,
                [score.code for score in result.top],
                [score.score for score in result.top],
                int(result.decided_by),
                result.reason,
                result.message,
                result.mask_sha256,
                result.predicted_mask_sha256,
                [pixels.code for pixels in result.pixels],
                pixel_counts(result.pixels),
                result.perceptual_hash or None,
            )
            for ordinal, result in enumerate(results, start_ordinal)
        )
        driver: Any = raw.driver_connection
        await driver.copy_records_to_table(
            sample_table.name, records=records, columns=[column.name for column in sample_table.columns]
        )

    async def get(self, report_id: UUID, ordinal: int) -> StoredSample | None:
        """The sample; None if there is none."""
        query = sa.select(sample_table).where(
            sample_table.c.report_id == report_id, sample_table.c.ordinal == ordinal
        )
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else stored_sample(row)

    async def named_masks(self, sha256s: Collection[str]) -> Collection[str]:
        """Those of the hashes that are predicted masks of samples."""
        return list(await self._session.scalars(_NAMED_MASKS, {"hashes": list(sha256s)}))

    async def count_confidences(
        self, report_id: UUID, thresholds: Sequence[float]
    ) -> Sequence[ConfidenceCount]:
        """Count the samples that were judged. `thresholds` ascend."""
        reached = sa.func.width_bucket(
            sample_table.c.confidence, sa.literal(list(thresholds), ARRAY(sa.Double))
        )
        query = (
            sa.select(sample_table.c.true_code, sample_table.c.predicted_code, reached, sa.func.count())
            .where(
                sample_table.c.report_id == report_id,
                sample_table.c.verdict != int(Verdict.NONCONFORMING),
            )
            .group_by(sa.text("1, 2, 3"))
        )
        return [ConfidenceCount(*row) for row in await self._session.execute(query)]

    async def list(
        self,
        report_id: UUID,
        sample_filter: SampleFilter,
        order: SampleOrder,
        page: PageRequest[SampleKey],
        *,
        threshold: float,
    ) -> Sequence[tuple[SampleKey, StoredSample]]:
        """The rows of a page of samples. `threshold` is the confidence threshold of the report.

        A page reads about as many rows as it returns: an index has the samples of one verdict in the order of
        their confidence or in its reverse. So a page by confidence merges one read per verdict.
        """
        query = _filtered(report_id, sample_filter)
        if order is SampleOrder.FILE:
            verdicts = [int(verdict) for verdict in sample_filter.verdicts]
            query = query.where(sample_table.c.verdict.in_(verdicts)).order_by(*_BY_FILE)
            if sample_filter.below_threshold:
                query = query.where(sample_table.c.confidence < threshold)
            if page.after is not None:
                key = (page.after.true_code, page.after.file, page.after.ordinal)
                query = query.where(_follows(_BY_FILE, key))
            return await self._rows(query, page.limit)
        found: list[tuple[SampleKey, StoredSample]] = []
        for verdict in sample_filter.verdicts:
            if order is SampleOrder.REVIEW and len(found) >= page.limit:
                break
            of_verdict = _of_verdict(query, verdict, order, page.after)
            if of_verdict is not None:
                if sample_filter.below_threshold:
                    of_verdict = of_verdict.where(_by_confidence(verdict, "<", threshold))
                found += await self._rows(of_verdict, page.limit)
        # The sort is stable: within a verdict the order of the index stays.
        if order is SampleOrder.CONFIDENCE:
            found.sort(key=lambda item: (item[0].confidence, item[0].verdict))
        elif order is SampleOrder.CONFIDENCE_DESC:
            found.sort(key=lambda item: (-item[0].confidence, item[0].verdict))
        return found[: page.limit]

    async def _rows(self, query: sa.Select[Any], limit: int) -> Sequence[tuple[SampleKey, StoredSample]]:
        return [
            (
                SampleKey(Verdict(row.verdict), row.rank, row.true_code, row.file, row.ordinal),
                stored_sample(row),
            )
            for row in await self._session.execute(query.limit(limit))
        ]


def _filtered(report_id: UUID, sample_filter: SampleFilter) -> sa.Select[Any]:
    query = sa.select(sample_table).where(sample_table.c.report_id == report_id)
    if sample_filter.true_code:
        query = query.where(sample_table.c.true_code == sample_filter.true_code)
    if sample_filter.predicted_code:
        query = query.where(sample_table.c.predicted_code == sample_filter.predicted_code)
    if sample_filter.decided_by is not None:
        query = query.where(sample_table.c.decided_by == int(sample_filter.decided_by))
    return query


def _of_verdict(
    query: sa.Select[Any], verdict: Verdict, order: SampleOrder, after: SampleKey | None
) -> sa.Select[Any] | None:
    """The samples of one verdict that follow `after` in that order; None if there can be none."""
    query = query.where(sample_table.c.verdict == int(verdict))
    # The rank of a misjudged sample is its negative confidence; that of a nonconforming one is 0.
    backward = (
        order
        is {
            Verdict.CORRECT: SampleOrder.CONFIDENCE_DESC,
            Verdict.MISJUDGED: SampleOrder.CONFIDENCE,
            Verdict.NONCONFORMING: None,
        }[verdict]
    )
    query = query.order_by(*(column.desc() if backward else column for column in _BY_RANK))
    if after is None:
        return query
    if verdict is after.verdict:
        return query.where(_follows(_BY_RANK, (after.rank, after.file, after.ordinal), backward=backward))
    if order is SampleOrder.REVIEW:
        return query if verdict > after.verdict else None
    comparison = ">" if order is SampleOrder.CONFIDENCE else "<"
    if verdict > after.verdict:
        comparison += "="
    return query.where(_by_confidence(verdict, comparison, after.confidence))


def _by_confidence(verdict: Verdict, comparison: str, confidence: float) -> sa.ColumnElement[bool]:
    """The condition `confidence <comparison> value`, written with the rank, which has an index."""
    if verdict is Verdict.MISJUDGED:
        reverse = comparison.translate(str.maketrans("<>", "><"))
        return sample_table.c.rank.bool_op(reverse)(-confidence)
    return sample_table.c.rank.bool_op(comparison)(confidence)


def _follows(
    columns: Sequence[sa.Column[Any]], key: Sequence[object], *, backward: bool = False
) -> sa.ColumnElement[bool]:
    row = sa.tuple_(*columns)
    bound = sa.tuple_(*(sa.literal(value, column.type) for value, column in zip(key, columns, strict=True)))
    return row < bound if backward else row > bound


def stored_sample(row: sa.Row[Any]) -> StoredSample:
    """The sample of a row of `sample_result`."""
    return StoredSample(row.report_id, row.ordinal, _to_result(row))


def _to_result(row: sa.Row[Any]) -> SampleResult:
    return SampleResult(
        file=row.file,
        data_path=row.data_path,
        sha256=row.sha256,
        true_code=row.true_code,
        verdict=Verdict(row.verdict),
        predicted_code=row.predicted_code,
        confidence=row.confidence,
        top=tuple(CodeScore(code, score) for code, score in zip(row.top_codes, row.top_scores, strict=True)),
        decided_by=DecidedBy(row.decided_by),
        reason=row.reason,
        message=row.message,
        mask_sha256=row.mask_sha256,
        predicted_mask_sha256=row.predicted_mask_sha256,
        pixels=pixels_of(row.pixel_codes, row.pixel_counts),
        perceptual_hash=row.perceptual_hash or b"",
    )
