"""Reports in PostgreSQL."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.domain.listing import ReportFilter, ReportKey
from services.evaluator.domain.report import (
    ANY_DEFECT,
    Counts,
    EvaluationReport,
    ReportHeader,
    ReportKind,
    TrainingOverlap,
)
from services.evaluator.storage.pixels import pixel_counts, pixels_of
from services.evaluator.storage.tables import (
    deleted_task_table,
    released_training_table,
    report_table,
)
from services.kit.paging import PageRequest
from services.looks import TrainingLooks


class ReportRows:
    """Reads and writes reports in one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, report_id: UUID) -> EvaluationReport | None:
        """The report; None if there is none."""
        row = (
            await self._session.execute(sa.select(report_table).where(report_table.c.id == report_id))
        ).one_or_none()
        return None if row is None else _to_report(row)

    async def of_job(self, job: str) -> EvaluationReport | None:
        """The report of a job, locked until the end of the transaction; None if there is none."""
        found = await self._session.execute(
            sa.select(report_table).where(report_table.c.job == job).with_for_update()
        )
        row = found.one_or_none()
        return None if row is None else _to_report(row)

    async def list(
        self, report_filter: ReportFilter, page: PageRequest[ReportKey]
    ) -> Sequence[EvaluationReport]:
        """The rows of a page of reports, newest first."""
        query = (
            sa.select(report_table)
            .order_by(report_table.c.create_time.desc(), report_table.c.id.desc())
            .limit(page.limit)
        )
        if report_filter.task:
            query = query.where(report_table.c.task == report_filter.task)
        if report_filter.model_version:
            query = query.where(report_table.c.model_version == report_filter.model_version)
        if report_filter.kind is not None:
            query = query.where(report_table.c.kind == int(report_filter.kind))
        if report_filter.question_bank:
            query = query.where(_is_over(report_table, report_filter.question_bank))
        if report_filter.comparable_with is not None:
            other = report_table.alias()
            query = query.join(other, other.c.id == report_filter.comparable_with).where(
                report_table.c.id != other.c.id,
                report_table.c.data_paths.overlap(other.c.data_paths),
                _classes(report_table).overlap(_classes(other)),
            )
        if report_filter.official:
            query = query.where(report_table.c.id == _official_of(report_table))
        if page.after is not None:
            key = sa.tuple_(report_table.c.create_time, report_table.c.id)
            query = query.where(
                key < sa.tuple_(sa.literal(page.after.create_time), sa.literal(page.after.id))
            )
        return [_to_report(row) for row in await self._session.execute(query)]

    async def newest_over(self, revision: str, limit: int) -> tuple[Sequence[EvaluationReport], int]:
        """Of each version the newest report over a revision of a bank, and the number of such versions.

        Reports of trainings that are not released are of no version.

        At most `limit` reports, the newest ones.
        """
        newer = report_table.alias("newer")
        newest = (
            sa.select(newer.c.id)
            .where(_judges_with(newer, revision), newer.c.model_version == report_table.c.model_version)
            .order_by(newer.c.create_time.desc(), newer.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        over = _judges_with(report_table, revision)
        query = (
            sa.select(report_table)
            .where(over, report_table.c.id == newest)
            .order_by(report_table.c.create_time.desc(), report_table.c.id.desc())
            .limit(limit)
        )
        versions = sa.select(sa.func.count(report_table.c.model_version.distinct())).where(over)
        reports = [_to_report(row) for row in await self._session.execute(query)]
        return reports, await self._session.scalar(versions) or 0

    async def claim(self, report: EvaluationReport) -> bool:
        """Insert the report; False if its job has one. Waits for a concurrent insert of the same job."""
        inserted = await self._session.scalar(
            insert(report_table)
            .values(
                id=report.id,
                job=report.header.job,
                fencing_token=report.header.fencing_token,
                kind=int(report.header.kind),
                task=report.header.task,
                model_version=report.header.model_version,
                training_task=report.header.training_task,
                weights_sha256=report.header.weights_sha256,
                code_list=list(report.header.code_list),
                num_of_classes=report.header.num_of_classes,
                confidence_threshold=report.header.confidence_threshold,
                data_paths=list(report.header.data_paths),
                images_per_s=report.header.images_per_s,
                create_time=report.create_time,
                question_bank=report.header.question_bank,
                excluded_sample_count=report.header.excluded_sample_count,
                looks=report.header.looks.to_json() if report.header.looks else None,
                **_overlap(report.header.training_overlap),
                **_counts(report.counts),
            )
            .on_conflict_do_nothing(index_elements=["job"])
            .returning(report_table.c.id)
        )
        return inserted is not None

    async def set_counts(self, report_id: UUID, counts: Counts) -> None:
        """Store the counts, in the transaction that inserted the report."""
        await self._session.execute(
            sa.update(report_table).where(report_table.c.id == report_id).values(**_counts(counts))
        )

    async def version_of(self, training: str) -> str:
        """The version that a training was released as, or empty; it is not released meanwhile (P8).

        Call it before any row of a report is locked, as `release` does: else the two may wait for each other.
        """
        await self._lock_training(training, sa.func.pg_advisory_xact_lock_shared)
        released = released_training_table
        found = await self._session.scalar(
            sa.select(released.c.model_version).where(released.c.task == training)
        )
        return found or ""

    async def release(self, training: str, version: str) -> None:
        """The reports of a training are its version's, and so are those that arrive later (P8)."""
        await self._lock_training(training, sa.func.pg_advisory_xact_lock)
        await self._session.execute(
            insert(released_training_table)
            .values(task=training, model_version=version)
            .on_conflict_do_nothing()
        )
        await self._session.execute(
            sa.update(report_table)
            # A literal, so that the planner can use the partial index.
            .where(
                report_table.c.training_task == training,
                report_table.c.training_task != sa.literal_column("''"),
            )
            .values(model_version=version)
        )

    async def _lock_training(self, training: str, lock: Callable[..., sa.ColumnElement[Any]]) -> None:
        # A release and a report that arrive together would not see each other's rows.
        key = sa.func.hashtextextended(f"training {training}", 0)
        await self._session.execute(sa.select(lock(key)))

    async def delete(self, report_id: UUID) -> None:
        """Delete the report; its samples and suspected labels are deleted with it."""
        await self._session.execute(sa.delete(report_table).where(report_table.c.id == report_id))

    async def delete_of_task(self, task: str, now: datetime) -> None:
        """Delete the reports of the task, and remember that it was deleted."""
        await self._session.execute(
            insert(deleted_task_table).values(task=task, delete_time=now).on_conflict_do_nothing()
        )
        await self._session.execute(sa.delete(report_table).where(report_table.c.task == task))

    async def is_deleted_task(self, task: str) -> bool:
        """Whether the task was deleted."""
        found = await self._session.scalar(
            sa.select(deleted_task_table.c.task).where(deleted_task_table.c.task == task)
        )
        return found is not None


def _official_of(report: sa.FromClause) -> sa.ScalarSelect[Any]:
    """The id of the official report of the same model version (P2, P7)."""
    newest = report.alias("newest")
    return (
        sa.select(newest.c.id)
        .where(
            newest.c.model_version == report.c.model_version,
            newest.c.model_version != sa.literal_column("''"),
            newest.c.kind == sa.literal_column(str(int(ReportKind.PREDICTION))),
            newest.c.overlap_affected_sample_count == sa.literal_column("0"),
        )
        .order_by(newest.c.create_time.desc(), newest.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _is_over(report: sa.FromClause, bank: str) -> sa.ColumnElement[bool]:
    """Whether a report was made over a revision, or over any revision of a bank."""
    # A literal, so that the planner can use the partial index of such reports.
    over_a_bank = report.c.question_bank != sa.literal_column("''")
    if "/revisions/" in bank:
        return sa.and_(over_a_bank, report.c.question_bank == bank)
    return sa.and_(over_a_bank, sa.func.split_part(report.c.question_bank, "/revisions/", 1) == bank)


def _judges_with(report: sa.FromClause, revision: str) -> sa.ColumnElement[bool]:
    """Whether a report is of a prediction with a version over a revision of a bank."""
    prediction = str(int(ReportKind.PREDICTION))
    return sa.and_(
        _is_over(report, revision),
        report.c.kind == sa.literal_column(prediction),
        report.c.model_version != sa.literal_column("''"),
    )


def _classes(report: sa.FromClause) -> sa.ColumnElement[Any]:
    """The codes of the classifier, without the special ones that follow them."""
    return sa.type_coerce(report.c.code_list[1 : report.c.num_of_classes], ARRAY(sa.Text))


def _overlap(value: TrainingOverlap | None) -> dict[str, int | None]:
    names = [field.name for field in fields(TrainingOverlap)]
    counts = dict.fromkeys(names) if value is None else asdict(value)
    return {f"overlap_{name}": count for name, count in counts.items()}


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
        "pixel_counts": pixel_counts(counts.pixels),
        "pixel_sample_count": counts.pixel_sample_count,
    }


def _to_report(row: sa.Row[Any]) -> EvaluationReport:
    return EvaluationReport(
        id=row.id,
        header=ReportHeader(
            job=row.job,
            fencing_token=row.fencing_token,
            kind=ReportKind(row.kind),
            task=row.task,
            model_version=row.model_version,
            training_task=row.training_task,
            weights_sha256=row.weights_sha256,
            code_list=tuple(row.code_list),
            num_of_classes=row.num_of_classes,
            confidence_threshold=row.confidence_threshold,
            images_per_s=row.images_per_s,
            data_paths=tuple(row.data_paths),
            training_overlap=_to_overlap(row),
            question_bank=row.question_bank,
            excluded_sample_count=row.excluded_sample_count,
            looks=TrainingLooks.from_json(row.looks),
        ),
        create_time=row.create_time,
        counts=Counts(
            confusion=tuple(row.confusion),
            nonconforming_by_code=tuple(row.nonconforming_by_code),
            nonconforming_count=row.nonconforming_count,
            below_threshold_count=row.below_threshold_count,
            pixels=pixels_of((ANY_DEFECT, *row.code_list), row.pixel_counts),
            pixel_sample_count=row.pixel_sample_count,
        ),
    )
