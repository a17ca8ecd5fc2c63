"""Reports: stored whole, read with their figures, listed (E1, E2)."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.application.suspects import find_suspects
from services.evaluator.domain.errors import LeaseLost, ReportNotFound, SampleResultNotFound
from services.evaluator.domain.listing import (
    ReportFilter,
    ReportKey,
    SampleFilter,
    SampleKey,
    SampleOrder,
)
from services.evaluator.domain.metrics import MeasuredReport, ThresholdView, measure_thresholds
from services.evaluator.domain.report import EvaluationReport, ReportHeader, SampleResult, StoredSample
from services.evaluator.domain.tally import Tally
from services.evaluator.storage.reports import ReportRows
from services.evaluator.storage.samples import SampleRows
from services.kit.database import DatabaseSessions, database_time
from services.kit.paging import Page, PageRequest

_BATCH = 500
"""Samples read in one transaction where all are wanted."""


class Reports:
    """All reports of the installation."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def get(self, report_id: UUID) -> MeasuredReport:
        """One report; ReportNotFound."""
        async with self._sessions.begin() as session:
            return MeasuredReport.of(await existing_report(session, report_id))

    async def list(
        self, report_filter: ReportFilter, page: PageRequest[ReportKey]
    ) -> Page[MeasuredReport, ReportKey]:
        """A page of reports, newest first."""
        async with self._sessions.begin() as session:
            if report_filter.comparable_with is not None:
                await existing_report(session, report_filter.comparable_with)
            found = await ReportRows(session).list(report_filter, page)
        return page.cut(
            [MeasuredReport.of(report) for report in found],
            lambda measured: ReportKey(measured.report.create_time, measured.report.id),
        )

    async def list_samples(
        self,
        report_id: UUID,
        sample_filter: SampleFilter,
        order: SampleOrder,
        page: PageRequest[SampleKey],
    ) -> Page[StoredSample, SampleKey]:
        """A page of the samples of a report (P4)."""
        async with self._sessions.begin() as session:
            report = await existing_report(session, report_id)
            found = await SampleRows(session).list(
                report_id, sample_filter, order, page, threshold=report.header.confidence_threshold
            )
        return Page.cut(found, page.size)

    async def samples(
        self, report_id: UUID, sample_filter: SampleFilter, order: SampleOrder
    ) -> AsyncIterator[StoredSample]:
        """All samples that the filter keeps."""
        async for batch in self.sample_batches(report_id, sample_filter, order):
            for sample in batch:
                yield sample

    async def sample_batches(
        self, report_id: UUID, sample_filter: SampleFilter, order: SampleOrder
    ) -> AsyncIterator[Sequence[StoredSample]]:
        """All samples that the filter keeps, in batches that are not empty.

        No transaction is open between the batches: a reader may be slow.
        """
        after: SampleKey | None = None
        while True:
            page = await self.list_samples(report_id, sample_filter, order, PageRequest(_BATCH, after))
            if page.items:
                yield page.items
            after = page.last_key
            if after is None:
                return

    async def threshold_view(
        self, report_id: UUID, thresholds: Sequence[float]
    ) -> tuple[EvaluationReport, ThresholdView]:
        """The report, and its figures at each of these thresholds, which ascend (E2)."""
        async with self._sessions.begin() as session:
            report = await existing_report(session, report_id)
            counted = await SampleRows(session).count_confidences(report_id, thresholds)
        return report, measure_thresholds(counted, report.header.code_list, thresholds)

    async def create(
        self, header: ReportHeader, batches: AsyncIterator[Sequence[SampleResult]]
    ) -> MeasuredReport:
        """Store a report with all its samples, or nothing. A repeated call of one lease gives one report.

        A report of an earlier lease of the job is replaced: its worker lost the lease before the result was
        recorded (T6). The transaction stays open while the samples arrive, so that nobody sees a part of
        them; the inserted row makes a second call for the same job wait, and a release of the training that
        is judged waits too.
        """
        async with self._sessions.begin() as session:
            rows = ReportRows(session)
            if await rows.is_deleted_task(header.task):
                raise LeaseLost(f"{header.task} was deleted; its report is not accepted", task=header.task)
            if header.training_task:
                header = replace(header, model_version=await rows.version_of(header.training_task))
            tally = Tally(header.code_list, header.confidence_threshold)
            report = EvaluationReport(uuid4(), header, await database_time(session), tally.counts())
            existing = await self._claim(rows, report)
            if existing is not None:
                return MeasuredReport.of(existing)
            ordinal = 0
            async for batch in batches:
                for result in batch:
                    tally.add(result)
                await SampleRows(session).copy(report.id, ordinal, batch)
                ordinal += len(batch)
            await rows.set_counts(report.id, tally.counts())
            await find_suspects(session, report.id)
            return MeasuredReport.of(await existing_report(session, report.id))

    async def delete_of_task(self, session: AsyncSession, task: str) -> None:
        """Delete the reports of a deleted task; reports that arrive later are refused (T7)."""
        await ReportRows(session).delete_of_task(task, await database_time(session))

    async def release(self, session: AsyncSession, training: str, version: str) -> None:
        """A training was released: its reports over question banks and data paths are its version's (P8)."""
        await ReportRows(session).release(training, version)

    async def _claim(self, rows: ReportRows, report: EvaluationReport) -> EvaluationReport | None:
        """Insert `report`; if the same lease made a report before, return that one instead."""
        while not await rows.claim(report):
            existing = await rows.of_job(report.header.job)
            if existing is None:
                continue
            if existing.header.fencing_token == report.header.fencing_token:
                return existing
            if existing.header.fencing_token > report.header.fencing_token:
                raise LeaseLost(f"{report.header.job} was leased to another worker", job=report.header.job)
            await rows.delete(existing.id)
        return None


async def existing_report(session: AsyncSession, report_id: UUID) -> EvaluationReport:
    """The report, or ReportNotFound."""
    report = await ReportRows(session).get(report_id)
    if report is None:
        raise ReportNotFound(f"there is no report reports/{report_id}", report=f"reports/{report_id}")
    return report


async def existing_sample(session: AsyncSession, report_id: UUID, ordinal: int) -> StoredSample:
    """The sample, or SampleResultNotFound."""
    sample = await SampleRows(session).get(report_id, ordinal)
    if sample is None:
        name = f"reports/{report_id}/sampleResults/{ordinal}"
        raise SampleResultNotFound(f"there is no {name}; list the report's samples", sample=name)
    return sample
