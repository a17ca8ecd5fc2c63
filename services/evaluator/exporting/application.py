"""Reports as files."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from uuid import UUID

from loupe.errors import NotFound

from services.evaluator.application import MeasuredReport, ReportLibrary
from services.evaluator.domain.errors import PictureUnreadable
from services.evaluator.domain.listing import SampleFilter, SampleOrder
from services.evaluator.domain.report import StoredSample, Verdict
from services.evaluator.exporting.page import Gallery, Picture, ReportPage
from services.evaluator.exporting.table import csv_of

Thumbnail = Callable[[StoredSample], Awaitable[bytes]]
"""A small JPEG of a sample; NotFound or PictureUnreadable where there can be none."""

MAX_PICTURES = 160
"""On a page; some 8 KB each."""
MAX_PICTURES_OF_CODE = 12
_CHUNK_BYTES = 64 * 1024


class Exports:
    """The files that a report can be had as."""

    def __init__(self, library: ReportLibrary, thumbnail: Thumbnail) -> None:
        self._library = library
        self._thumbnail = thumbnail

    async def csv(self, report_id: UUID) -> AsyncIterator[bytes]:
        """A line a sample, by true code and file."""
        threshold = (await self._library.get(report_id)).report.header.confidence_threshold
        async for chunk in csv_of(
            self._library.samples(report_id, SampleFilter(), SampleOrder.FILE), threshold
        ):
            yield chunk

    async def html(self, report_id: UUID, thresholds: Sequence[float], language: str) -> AsyncIterator[bytes]:
        """One page with pictures of the most confident misjudged samples, at most MAX_PICTURES."""
        measured = await self._library.get(report_id)
        _, view = await self._library.threshold_view(report_id, thresholds)
        page = ReportPage(measured, view, await self._galleries(measured), language)
        data = (await asyncio.to_thread(page.html)).encode()
        for start in range(0, len(data), _CHUNK_BYTES):
            yield data[start : start + _CHUNK_BYTES]

    async def _galleries(self, measured: MeasuredReport) -> list[Gallery]:
        misjudged = {
            code.code: code.support - code.correct
            for code in measured.metrics.per_code
            if code.support > code.correct
        }
        # Each code gets its part, however many samples of another code are misjudged.
        of_code = min(MAX_PICTURES_OF_CODE, max(MAX_PICTURES // max(len(misjudged), 1), 1))
        galleries, left = [], MAX_PICTURES
        for code, count in misjudged.items():
            page = await self._library.list_samples(
                measured.report.id,
                SampleFilter(true_code=code, verdict=Verdict.MISJUDGED),
                SampleOrder.DESERVES_A_LOOK,
                None,
                max(min(of_code, left), 1),
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
