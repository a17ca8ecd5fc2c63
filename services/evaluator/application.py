"""What can be done with reports."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.domain.errors import LeaseLost, ReportNotFound
from services.evaluator.domain.listing import (
    ReportFilter,
    ReportKey,
    SampleFilter,
    SampleKey,
    SampleOrder,
)
from services.evaluator.domain.report import Report, ReportHeader, SampleResult, StoredSample, Tally
from services.evaluator.drilldown.suspects import find_suspects
from services.evaluator.storage import Reports, SampleResults
from services.evaluator.worker.measuring.metrics import (
    Metrics,
    Segmentation,
    ThresholdView,
    measure_counts,
    measure_pixels,
    measure_thresholds,
)
from services.kit.database import DatabaseSessions
from services.kit.paging import Page

_PAGE = 500
"""Samples read at once where all are wanted."""


@dataclass(frozen=True, slots=True)
class MeasuredReport:
    """A report and the numbers that follow from its counts. Computed when read: the counts are the truth."""

    report: Report
    metrics: Metrics
    segmentation: Segmentation | None
    """None where no sample's truth is known pixel by pixel."""

    @classmethod
    def of(cls, report: Report) -> "MeasuredReport":
        """Measure it."""
        codes = report.header.code_list
        confusion = np.array(report.counts.confusion, np.int64).reshape(len(codes), len(codes))
        pixels = [[its.intersection, its.truth, its.predicted] for its in report.counts.pixels]
        known = report.counts.pixel_sample_count > 0
        return cls(
            report,
            measure_counts(confusion, codes),
            measure_pixels(np.array(pixels, np.int64)) if known else None,
        )


class ReportLibrary:
    """All reports of the installation."""

    def __init__(self, sessions: DatabaseSessions, now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._now = now

    async def get(self, report_id: UUID) -> MeasuredReport:
        """One report."""
        async with self._sessions.begin() as session:
            return MeasuredReport.of(await existing_report(session, report_id))

    async def list(
        self, wanted: ReportFilter, after: ReportKey | None, page_size: int
    ) -> Page[MeasuredReport, ReportKey]:
        """Newest first."""
        async with self._sessions.begin() as session:
            if wanted.comparable_with is not None:
                await existing_report(session, wanted.comparable_with)
            found = await Reports(session).list(wanted, after, page_size + 1)
        return Page.cut(
            [(ReportKey(report.create_time, report.id), MeasuredReport.of(report)) for report in found],
            page_size,
        )

    async def list_samples(
        self,
        report_id: UUID,
        wanted: SampleFilter,
        order: SampleOrder,
        after: SampleKey | None,
        page_size: int,
    ) -> Page[StoredSample, SampleKey]:
        """A page of samples in that order (P4)."""
        async with self._sessions.begin() as session:
            report = await existing_report(session, report_id)
            found = await SampleResults(session).list(
                report_id,
                wanted,
                order,
                after,
                page_size + 1,
                threshold=report.header.confidence_threshold,
            )
        return Page.cut(found, page_size)

    async def samples(
        self, report_id: UUID, wanted: SampleFilter, order: SampleOrder
    ) -> AsyncIterator[StoredSample]:
        """All of them; see `sample_pages`."""
        async for page in self.sample_pages(report_id, wanted, order):
            for sample in page:
                yield sample

    async def sample_pages(
        self, report_id: UUID, wanted: SampleFilter, order: SampleOrder
    ) -> AsyncIterator[Sequence[StoredSample]]:
        """All of them, page by page, none empty: no transaction is open while a reader takes its time."""
        after: SampleKey | None = None
        while True:
            page = await self.list_samples(report_id, wanted, order, after, _PAGE)
            if page.items:
                yield page.items
            after = page.last_key
            if after is None:
                return

    async def threshold_view(
        self, report_id: UUID, thresholds: Sequence[float]
    ) -> tuple[Report, ThresholdView]:
        """The report, and what each of the ascending thresholds would leave to the model (E2)."""
        async with self._sessions.begin() as session:
            report = await existing_report(session, report_id)
            counted = await SampleResults(session).count_confidences(report_id, thresholds)
        codes = report.header.code_list
        position = {code: index for index, code in enumerate(codes)}
        histogram = np.zeros((len(codes), len(codes), len(thresholds) + 1), np.int64)
        for true_code, predicted_code, reached, count in counted:
            histogram[position[true_code], position[predicted_code], reached] = count
        return report, measure_thresholds(histogram, thresholds)

    async def create(
        self, header: ReportHeader, batches: AsyncIterator[Sequence[SampleResult]]
    ) -> MeasuredReport:
        """Store the report with all its samples, or nothing. The same lease gives the same report.

        A report of an earlier lease of the job gives way: whoever made it lost the job before it could tell
        (T6). The transaction stays open while the samples arrive: they must not be seen without their report,
        and the row inserted first keeps a second call for the same job waiting.
        """
        async with self._sessions.begin() as session:
            reports = Reports(session)
            if await reports.is_forgotten(header.task):
                raise LeaseLost(f"{header.task} was deleted; nobody wants its report", task=header.task)
            tally = Tally(header.code_list, header.confidence_threshold)
            report = Report(uuid4(), header, self._now(), tally.counts())
            existing = await self._claim(reports, report)
            if existing is not None:
                return MeasuredReport.of(existing)
            ordinal = 0
            async for batch in batches:
                for result in batch:
                    tally.add(result)
                await SampleResults(session).copy(report.id, ordinal, batch)
                ordinal += len(batch)
            await reports.set_counts(report.id, tally.counts())
            await find_suspects(session, report.id)
            return MeasuredReport.of(await existing_report(session, report.id))

    async def forget_task(self, session: AsyncSession, task: str) -> None:
        """The task was deleted: its reports go, and late ones are refused (T7)."""
        await Reports(session).forget_task(task, self._now())

    async def _claim(self, reports: Reports, report: Report) -> Report | None:
        """Make `report` the job's; the one that its lease made before, if there is one."""
        while not await reports.claim(report):
            existing = await reports.of_job(report.header.job)
            if existing is None:
                continue
            if existing.header.fencing_token == report.header.fencing_token:
                return existing
            if existing.header.fencing_token > report.header.fencing_token:
                raise LeaseLost(f"{report.header.job} was given to somebody else", job=report.header.job)
            await reports.delete(existing.id)
        return None


async def existing_report(session: AsyncSession, report_id: UUID) -> Report:
    """The report, or ReportNotFound."""
    report = await Reports(session).get(report_id)
    if report is None:
        raise ReportNotFound(f"there is no report reports/{report_id}", report=f"reports/{report_id}")
    return report
