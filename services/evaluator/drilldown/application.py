"""What can be asked of the samples behind a report (P4)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from uuid import UUID

from services.evaluator.application import ReportLibrary
from services.evaluator.domain.errors import SampleResultNotFound
from services.evaluator.domain.listing import SampleFilter, SampleOrder
from services.evaluator.domain.report import StoredSample
from services.evaluator.domain.suspicion import SuspectedLabel, SuspectFilter, SuspectKey
from services.evaluator.drilldown.archive import zip_samples
from services.evaluator.drilldown.pictures import Pictures
from services.evaluator.drilldown.storage import SuspectedLabels
from services.evaluator.storage import SampleResults
from services.kit.database import DatabaseSessions
from services.kit.object_store import ObjectStore
from services.kit.paging import Page

MaskCodes = Callable[[str], Awaitable[tuple[str, ...]]]
"""What a data path declares of its masks (D1), asked of its owner."""


class DrillDown:
    """The samples of all reports."""

    def __init__(  # noqa: PLR0913 -- what it is made of
        self,
        *,
        library: ReportLibrary,
        sessions: DatabaseSessions,
        store: ObjectStore,
        pictures: Pictures,
        mask_codes: MaskCodes,
        now: Callable[[], datetime],
    ) -> None:
        self._library = library
        self._sessions = sessions
        self._store = store
        self._pictures = pictures
        self._mask_codes = mask_codes
        self._now = now

    async def get(self, report_id: UUID, ordinal: int) -> StoredSample:
        """One sample; SampleResultNotFound."""
        async with self._sessions.begin() as session:
            found = await SampleResults(session).get(report_id, ordinal)
        if found is None:
            name = f"reports/{report_id}/sampleResults/{ordinal}"
            raise SampleResultNotFound(f"there is no {name}; list the report's samples", sample=name)
        return found

    async def link_thumbnail(self, report_id: UUID, ordinal: int) -> str:
        """A small picture of the sample."""
        return await self._pictures.link_thumbnail(await self.get(report_id, ordinal))

    async def link_original(self, report_id: UUID, ordinal: int) -> str:
        """The file as it was imported."""
        return self._pictures.link_original(await self.get(report_id, ordinal))

    async def link_overlay(self, report_id: UUID, ordinal: int) -> str:
        """The picture with both masks over it."""
        sample = await self.get(report_id, ordinal)
        codes: tuple[str, ...] = ()
        if sample.result.mask_sha256:
            codes = await self._mask_codes(sample.result.data_path)
        report = (await self._library.get(report_id)).report
        return await self._pictures.link_overlay(sample, codes, report.header.code_list)

    async def download(self, report_id: UUID, wanted: SampleFilter) -> AsyncIterator[bytes]:
        """All samples that the filter keeps as one ZIP; ReportNotFound before its first byte."""
        await self._library.get(report_id)
        samples = self._library.samples(report_id, wanted, SampleOrder.DESERVES_A_LOOK)
        async for chunk in zip_samples(self._store, samples, self._now()):
            yield chunk

    async def suspects(
        self, report_id: UUID, wanted: SuspectFilter, after: SuspectKey | None, page_size: int
    ) -> Page[SuspectedLabel, SuspectKey]:
        """Samples whose label may be wrong, the most suspect first."""
        await self._library.get(report_id)
        async with self._sessions.begin() as session:
            found = await SuspectedLabels(session).page(report_id, wanted, after, page_size + 1)
        return Page.cut([(suspect.key, suspect) for suspect in found], page_size)
