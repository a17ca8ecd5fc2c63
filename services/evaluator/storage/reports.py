"""Reports and samples in PostgreSQL, schema `evaluator`. Rows stay in here."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.domain.listing import (
    ReportFilter,
    ReportKey,
    SampleFilter,
    SampleKey,
    SampleOrder,
)
from services.evaluator.domain.report import (
    ANY_DEFECT,
    CodeScore,
    Counts,
    DecidedBy,
    PixelCounts,
    Report,
    ReportHeader,
    ReportKind,
    SampleResult,
    StoredSample,
    TrainingOverlap,
    Verdict,
)

_metadata = sa.MetaData()
_report = sa.Table(
    "report",
    _metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("job", sa.Text),
    sa.Column("fencing_token", sa.BigInteger),
    sa.Column("kind", sa.SmallInteger),
    sa.Column("task", sa.Text),
    sa.Column("model_version", sa.Text),
    sa.Column("weights_sha256", sa.Text),
    sa.Column("code_list", ARRAY(sa.Text)),
    sa.Column("num_of_classes", sa.Integer),
    sa.Column("confidence_threshold", sa.Double),
    sa.Column("data_paths", ARRAY(sa.Text)),
    sa.Column("images_per_s", sa.Double),
    sa.Column("create_time", sa.DateTime(timezone=True)),
    sa.Column("confusion", ARRAY(sa.BigInteger)),
    sa.Column("nonconforming_by_code", ARRAY(sa.BigInteger)),
    sa.Column("nonconforming_count", sa.BigInteger),
    sa.Column("below_threshold_count", sa.BigInteger),
    sa.Column("pixel_counts", ARRAY(sa.BigInteger, dimensions=2)),
    sa.Column("pixel_sample_count", sa.BigInteger),
    # NULL: nobody looked.
    sa.Column("overlap_sample_count", sa.BigInteger),
    sa.Column("overlap_trained_sample_count", sa.BigInteger),
    sa.Column("overlap_trained_group_count", sa.BigInteger),
    sa.Column("overlap_affected_sample_count", sa.BigInteger),
)
sample_table = sa.Table(
    "sample_result",
    _metadata,
    sa.Column("report_id", sa.Uuid),
    sa.Column("ordinal", sa.Integer),
    sa.Column("file", sa.Text),
    sa.Column("data_path", sa.Text),
    sa.Column("sha256", sa.Text),
    sa.Column("true_code", sa.Text),
    sa.Column("predicted_code", sa.Text),
    sa.Column("verdict", sa.SmallInteger),
    sa.Column("rank", sa.Double),
    sa.Column("confidence", sa.Double),
    sa.Column("top_codes", ARRAY(sa.Text)),
    sa.Column("top_scores", ARRAY(sa.Double)),
    sa.Column("decided_by", sa.SmallInteger),
    sa.Column("reason", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("mask_sha256", sa.Text),
    sa.Column("predicted_mask_sha256", sa.Text),
    sa.Column("pixel_codes", ARRAY(sa.Text)),
    sa.Column("pixel_counts", ARRAY(sa.BigInteger, dimensions=2)),
    sa.Column("perceptual_hash", sa.LargeBinary),
)
_deleted_task = sa.Table(
    "deleted_task",
    _metadata,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("delete_time", sa.DateTime(timezone=True)),
)
_IN_VERDICT = (sample_table.c.rank, sample_table.c.file, sample_table.c.ordinal)
_BY_FILE = (sample_table.c.true_code, sample_table.c.file, sample_table.c.ordinal)


class Reports:
    """The reports of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, report_id: UUID) -> Report | None:
        """The report, if it is there."""
        row = (await self._session.execute(sa.select(_report).where(_report.c.id == report_id))).one_or_none()
        return None if row is None else _to_report(row)

    async def of_job(self, job: str) -> Report | None:
        """The report of a job, locked until the end of the transaction."""
        found = await self._session.execute(sa.select(_report).where(_report.c.job == job).with_for_update())
        row = found.one_or_none()
        return None if row is None else _to_report(row)

    async def list(self, wanted: ReportFilter, after: ReportKey | None, limit: int) -> Sequence[Report]:
        """Newest first, from after `after` on."""
        query = sa.select(_report).order_by(_report.c.create_time.desc(), _report.c.id.desc()).limit(limit)
        if wanted.task:
            query = query.where(_report.c.task == wanted.task)
        if wanted.model_version:
            query = query.where(_report.c.model_version == wanted.model_version)
        if wanted.kind is not None:
            query = query.where(_report.c.kind == int(wanted.kind))
        if wanted.comparable_with is not None:
            one = _report.alias()
            query = query.join(one, one.c.id == wanted.comparable_with).where(
                _report.c.id != one.c.id,
                _report.c.data_paths.overlap(one.c.data_paths),
                _classes(_report).overlap(_classes(one)),
            )
        if wanted.official:
            query = query.where(_report.c.id == _official_of(_report))
        if after is not None:
            key = sa.tuple_(_report.c.create_time, _report.c.id)
            query = query.where(key < sa.tuple_(sa.literal(after.create_time), sa.literal(after.id)))
        return [_to_report(row) for row in await self._session.execute(query)]

    async def claim(self, report: Report) -> bool:
        """Insert the report; False if the job has one. Waits for a concurrent insert of the same job."""
        inserted = await self._session.scalar(
            insert(_report)
            .values(
                id=report.id,
                job=report.header.job,
                fencing_token=report.header.fencing_token,
                kind=int(report.header.kind),
                task=report.header.task,
                model_version=report.header.model_version,
                weights_sha256=report.header.weights_sha256,
                code_list=list(report.header.code_list),
                num_of_classes=report.header.num_of_classes,
                confidence_threshold=report.header.confidence_threshold,
                data_paths=list(report.header.data_paths),
                images_per_s=report.header.images_per_s,
                create_time=report.create_time,
                **_overlap(report.header.training_overlap),
                **_counts(report.counts),
            )
            .on_conflict_do_nothing(index_elements=["job"])
            .returning(_report.c.id)
        )
        return inserted is not None

    async def set_counts(self, report_id: UUID, counts: Counts) -> None:
        """What the samples came to; before anybody else can see the report."""
        await self._session.execute(
            sa.update(_report).where(_report.c.id == report_id).values(**_counts(counts))
        )

    async def delete(self, report_id: UUID) -> None:
        """Remove the report with its samples."""
        await self._session.execute(sa.delete(_report).where(_report.c.id == report_id))

    async def forget_task(self, task: str, now: datetime) -> None:
        """Remove the task's reports, and refuse those that come late."""
        await self._session.execute(
            insert(_deleted_task).values(task=task, delete_time=now).on_conflict_do_nothing()
        )
        await self._session.execute(sa.delete(_report).where(_report.c.task == task))

    async def is_forgotten(self, task: str) -> bool:
        """Whether the task was deleted."""
        found = await self._session.scalar(
            sa.select(_deleted_task.c.task).where(_deleted_task.c.task == task)
        )
        return found is not None


def _official_of(report: sa.FromClause) -> sa.ScalarSelect[Any]:
    """Which report of the same version is the official one (P2, P7)."""
    its = report.alias("its")
    return (
        sa.select(its.c.id)
        .where(
            its.c.model_version == report.c.model_version,
            its.c.kind == sa.literal_column(str(int(ReportKind.PREDICTION))),
            its.c.overlap_affected_sample_count == sa.literal_column("0"),
        )
        .order_by(its.c.create_time.desc(), its.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _classes(report: sa.FromClause) -> sa.ColumnElement[Any]:
    """The codes of the classifier, without the special ones behind them."""
    return sa.type_coerce(report.c.code_list[1 : report.c.num_of_classes], ARRAY(sa.Text))


class SampleResults:
    """The samples of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def copy(self, report_id: UUID, first_ordinal: int, results: Iterable[SampleResult]) -> None:
        """Append samples by COPY: an INSERT a row would take ten times as long."""
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
                _pixel_counts(result.pixels),
                result.perceptual_hash or None,
            )
            for ordinal, result in enumerate(results, first_ordinal)
        )
        driver: Any = raw.driver_connection
        await driver.copy_records_to_table(
            sample_table.name, records=records, columns=[column.name for column in sample_table.columns]
        )

    async def get(self, report_id: UUID, ordinal: int) -> StoredSample | None:
        """The sample, if it is there."""
        query = sa.select(sample_table).where(
            sample_table.c.report_id == report_id, sample_table.c.ordinal == ordinal
        )
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else to_stored(row)

    async def count_confidences(
        self, report_id: UUID, thresholds: Sequence[float]
    ) -> Sequence[tuple[str, str, int, int]]:
        """(true code, predicted code, thresholds reached, samples), a row for each of the first three."""
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
        return [tuple(row) for row in await self._session.execute(query)]

    async def list(  # noqa: PLR0913 -- what a page is
        self,
        report_id: UUID,
        wanted: SampleFilter,
        order: SampleOrder,
        after: SampleKey | None,
        limit: int,
        *,
        threshold: float,
    ) -> Sequence[tuple[SampleKey, StoredSample]]:
        """In that order, from after `after` on. `threshold` is the report's.

        Every page reads about as many rows as it gives: samples of one verdict are in the order of their
        confidence, or in its reverse, so the three verdicts are read apart and merged.
        """
        query = _kept(report_id, wanted)
        if order is SampleOrder.FILE:
            verdicts = [int(verdict) for verdict in wanted.verdicts]
            query = query.where(sample_table.c.verdict.in_(verdicts)).order_by(*_BY_FILE)
            if wanted.below_threshold:
                query = query.where(sample_table.c.confidence < threshold)
            if after is not None:
                query = query.where(_beyond(_BY_FILE, (after.true_code, after.file, after.ordinal)))
            return await self._rows(query, limit)
        found: list[tuple[SampleKey, StoredSample]] = []
        for verdict in wanted.verdicts:
            if order is SampleOrder.DESERVES_A_LOOK and len(found) >= limit:
                break
            of_verdict = _from(query, verdict, order, after)
            if of_verdict is not None:
                if wanted.below_threshold:
                    of_verdict = of_verdict.where(_by_confidence(verdict, "<", threshold))
                found += await self._rows(of_verdict, limit)
        # Stable: within a verdict the order of the index stays.
        if order is SampleOrder.CONFIDENCE:
            found.sort(key=lambda item: (item[0].confidence, item[0].verdict))
        elif order is SampleOrder.CONFIDENCE_DESC:
            found.sort(key=lambda item: (-item[0].confidence, item[0].verdict))
        return found[:limit]

    async def _rows(self, query: sa.Select[Any], limit: int) -> Sequence[tuple[SampleKey, StoredSample]]:
        return [
            (
                SampleKey(Verdict(row.verdict), row.rank, row.true_code, row.file, row.ordinal),
                to_stored(row),
            )
            for row in await self._session.execute(query.limit(limit))
        ]


def _kept(report_id: UUID, wanted: SampleFilter) -> sa.Select[Any]:
    query = sa.select(sample_table).where(sample_table.c.report_id == report_id)
    if wanted.true_code:
        query = query.where(sample_table.c.true_code == wanted.true_code)
    if wanted.predicted_code:
        query = query.where(sample_table.c.predicted_code == wanted.predicted_code)
    if wanted.decided_by is not None:
        query = query.where(sample_table.c.decided_by == int(wanted.decided_by))
    return query


def _from(
    query: sa.Select[Any], verdict: Verdict, order: SampleOrder, after: SampleKey | None
) -> sa.Select[Any] | None:
    """The samples of a verdict that come after `after` in that order; None if surely none does."""
    query = query.where(sample_table.c.verdict == int(verdict))
    # Ranks fall with the confidence of misjudged samples; those of nonconforming ones are all 0.
    backward = (
        order
        is {
            Verdict.CORRECT: SampleOrder.CONFIDENCE_DESC,
            Verdict.MISJUDGED: SampleOrder.CONFIDENCE,
            Verdict.NONCONFORMING: None,
        }[verdict]
    )
    query = query.order_by(*(column.desc() if backward else column for column in _IN_VERDICT))
    if after is None:
        return query
    if verdict is after.verdict:
        return query.where(_beyond(_IN_VERDICT, (after.rank, after.file, after.ordinal), backward=backward))
    if order is SampleOrder.DESERVES_A_LOOK:
        return query if verdict > after.verdict else None
    comparison = ">" if order is SampleOrder.CONFIDENCE else "<"
    if verdict > after.verdict:
        comparison += "="
    return query.where(_by_confidence(verdict, comparison, after.confidence))


def _by_confidence(verdict: Verdict, comparison: str, confidence: float) -> sa.ColumnElement[bool]:
    """How the confidence of samples of that verdict compares, said of their rank: the index knows that."""
    if verdict is Verdict.MISJUDGED:
        reverse = comparison.translate(str.maketrans("<>", "><"))
        return sample_table.c.rank.bool_op(reverse)(-confidence)
    return sample_table.c.rank.bool_op(comparison)(confidence)


def _beyond(
    columns: Sequence[sa.Column[Any]], place: Sequence[object], *, backward: bool = False
) -> sa.ColumnElement[bool]:
    key = sa.tuple_(*columns)
    bound = sa.tuple_(*(sa.literal(value, column.type) for value, column in zip(place, columns, strict=True)))
    return key < bound if backward else key > bound


def _overlap(value: TrainingOverlap | None) -> dict[str, int | None]:
    return {
        f"overlap_{its.name}": None if value is None else getattr(value, its.name)
        for its in fields(TrainingOverlap)
    }


def _to_overlap(row: sa.Row[Any]) -> TrainingOverlap | None:
    if row.overlap_sample_count is None:
        return None
    return TrainingOverlap(
        row.overlap_sample_count,
        row.overlap_trained_sample_count,
        row.overlap_trained_group_count,
        row.overlap_affected_sample_count,
    )


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "confusion": list(counts.confusion),
        "nonconforming_by_code": list(counts.nonconforming_by_code),
        "nonconforming_count": counts.nonconforming_count,
        "below_threshold_count": counts.below_threshold_count,
        "pixel_counts": _pixel_counts(counts.pixels),
        "pixel_sample_count": counts.pixel_sample_count,
    }


def _pixel_counts(pixels: Iterable[PixelCounts]) -> list[list[int]]:
    return [[its.intersection, its.truth, its.predicted] for its in pixels]


def _to_pixels(codes: Iterable[str], counts: Iterable[Sequence[int]]) -> tuple[PixelCounts, ...]:
    return tuple(PixelCounts(code, *row) for code, row in zip(codes, counts, strict=True))


def _to_report(row: sa.Row[Any]) -> Report:
    return Report(
        id=row.id,
        header=ReportHeader(
            job=row.job,
            fencing_token=row.fencing_token,
            kind=ReportKind(row.kind),
            task=row.task,
            model_version=row.model_version,
            weights_sha256=row.weights_sha256,
            code_list=tuple(row.code_list),
            num_of_classes=row.num_of_classes,
            confidence_threshold=row.confidence_threshold,
            images_per_s=row.images_per_s,
            data_paths=tuple(row.data_paths),
            training_overlap=_to_overlap(row),
        ),
        create_time=row.create_time,
        counts=Counts(
            confusion=tuple(row.confusion),
            nonconforming_by_code=tuple(row.nonconforming_by_code),
            nonconforming_count=row.nonconforming_count,
            below_threshold_count=row.below_threshold_count,
            pixels=_to_pixels((ANY_DEFECT, *row.code_list), row.pixel_counts),
            pixel_sample_count=row.pixel_sample_count,
        ),
    )


def to_stored(row: sa.Row[Any]) -> StoredSample:
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
        pixels=_to_pixels(row.pixel_codes, row.pixel_counts),
        perceptual_hash=row.perceptual_hash or b"",
    )
