"""Reports as CSV, HTML and JSON files (E1, P3)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

from loupe.errors import NotFound

from services.evaluator.application.reports import Reports
from services.evaluator.domain.errors import PictureUnreadable
from services.evaluator.domain.listing import SampleFilter, SampleOrder
from services.evaluator.domain.metrics import DEFAULT_THRESHOLDS, MeasuredReport
from services.evaluator.domain.report import StoredSample, Verdict
from services.evaluator.wire import report_json
from services.evaluator.wire.report_csv import csv_of
from services.evaluator.wire.report_page import Gallery, Picture, ReportPage
from services.kit.paging import PageRequest

Thumbnail = Callable[[StoredSample], Awaitable[bytes]]
"""Reads the thumbnail of a sample as JPEG; NotFound or PictureUnreadable if there is none."""

MAX_PICTURES = 160
"""Of one page; about 8 KB each."""
MAX_PICTURES_OF_CODE = 12
_CHUNK_BYTES = 64 * 1024


class ReportExports:
    """Writes reports as files."""

    def __init__(self, reports: Reports, thumbnail: Thumbnail) -> None:
        self._reports = reports
        self._thumbnail = thumbnail

    async def csv(self, report_id: UUID) -> AsyncIterator[bytes]:
        """The samples, one a row, by true code and file."""
        threshold = (await self._reports.get(report_id)).report.header.confidence_threshold
        async for chunk in csv_of(
            self._reports.samples(report_id, SampleFilter(), SampleOrder.FILE), threshold
        ):
            yield chunk

    async def json(self, report_id: UUID) -> AsyncIterator[bytes]:
        """The report, its threshold curves and its samples by true code and file.

        Memory use does not grow with the number of samples.
        """
        measured = await self._reports.get(report_id)
        _, view = await self._reports.threshold_view(report_id, DEFAULT_THRESHOLDS)
        yield await asyncio.to_thread(report_json.beginning, measured, view)
        is_first = True
        async for batch in self._reports.sample_batches(report_id, SampleFilter(), SampleOrder.FILE):
            yield await asyncio.to_thread(report_json.samples, batch, is_first=is_first)
            is_first = False
        yield report_json.END

    async def html(self, report_id: UUID, language: str) -> AsyncIterator[bytes]:
        """One page with pictures of the most confident misjudged samples, at most MAX_PICTURES."""
        measured = await self._reports.get(report_id)
        _, view = await self._reports.threshold_view(report_id, DEFAULT_THRESHOLDS)
        page = ReportPage(measured, view, await self._galleries(measured), language)
        data = (await asyncio.to_thread(page.html)).encode()
        for start in range(0, len(data), _CHUNK_BYTES):
            yield data[start : start + _CHUNK_BYTES]

    async def _galleries(self, measured: MeasuredReport) -> list[Gallery]:
        misjudged = {code.code: code.misjudged for code in measured.metrics.per_code if code.misjudged}
        # Every code gets an equal share of the pictures, however many samples of other codes are misjudged.
        per_code = min(MAX_PICTURES_OF_CODE, max(MAX_PICTURES // max(len(misjudged), 1), 1))
        galleries, left = [], MAX_PICTURES
        for code, count in misjudged.items():
            page = await self._reports.list_samples(
                measured.report.id,
                SampleFilter(true_code=code, verdict=Verdict.MISJUDGED),
                SampleOrder.REVIEW,
                PageRequest(max(min(per_code, left), 1)),
            )
            samples = page.items if left else []
            left -= len(samples)
            pictures = await asyncio.gather(*(self._picture(sample) for sample in samples))
            galleries.append(Gallery(code, count, tuple(pictures)))
        return galleries

    async def _picture(self, sample: StoredSample) -> Picture:
        with contextlib.suppress(NotFound, PictureUnreadable):
            return Picture(sample, await self._thumbnail(sample))
        return Picture(sample, None)
