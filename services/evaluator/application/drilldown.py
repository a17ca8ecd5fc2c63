"""The samples of a report: one by one, as pictures, all as a ZIP, and those with a suspected label (P4)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from uuid import UUID

from services.evaluator.application.archive import zip_samples
from services.evaluator.application.pictures import Pictures
from services.evaluator.application.reports import Reports, existing_sample
from services.evaluator.domain.listing import SampleFilter, SampleOrder
from services.evaluator.domain.report import StoredSample
from services.evaluator.domain.suspicion import SuspectedLabel, SuspectFilter, SuspectKey
from services.evaluator.storage.suspicion import SuspectRows
from services.kit.database import DatabaseSessions
from services.kit.object_store import ObjectStore
from services.kit.paging import Page, PageRequest
from services.vision.pictures import LINK_LIFE

MaskCodes = Callable[[str], Awaitable[tuple[str, ...]]]
"""The mask codes of a data path (D1), as the registry has them."""


class DrillDown:
    """Reads the samples of reports."""

    def __init__(
        self,
        *,
        reports: Reports,
        sessions: DatabaseSessions,
        store: ObjectStore,
        pictures: Pictures,
        mask_codes: MaskCodes,
    ) -> None:
        self._reports = reports
        self._sessions = sessions
        self._store = store
        self._pictures = pictures
        self._mask_codes = mask_codes

    async def get(self, report_id: UUID, ordinal: int) -> StoredSample:
        """One sample; SampleResultNotFound."""
        async with self._sessions.begin() as session:
            return await existing_sample(session, report_id, ordinal)

    async def link_thumbnail(self, report_id: UUID, ordinal: int) -> str:
        """A link to the thumbnail of a sample."""
        return await self._pictures.link_thumbnail(await self.get(report_id, ordinal))

    async def link_original(self, report_id: UUID, ordinal: int) -> str:
        """A link to the file as it was imported."""
        return self._pictures.link_original(await self.get(report_id, ordinal))

    async def link_overlay(self, report_id: UUID, ordinal: int) -> str:
        """A link to the picture with both masks drawn over it."""
        sample = await self.get(report_id, ordinal)
        codes: tuple[str, ...] = ()
        if sample.result.mask_sha256:
            codes = await self._mask_codes(sample.result.data_path)
        report = (await self._reports.get(report_id)).report
        return await self._pictures.link_overlay(sample, codes, report.header.code_list)

    async def link_expire_time(self) -> datetime:
        """When a link that is made now expires."""
        return await self._sessions.time() + LINK_LIFE

    async def download(self, report_id: UUID, sample_filter: SampleFilter) -> AsyncIterator[bytes]:
        """All samples that the filter keeps, as one ZIP; ReportNotFound before the first byte."""
        await self._reports.get(report_id)
        samples = self._reports.samples(report_id, sample_filter, SampleOrder.REVIEW)
        async for chunk in zip_samples(self._store, samples, await self._sessions.time()):
            yield chunk

    async def suspects(
        self, report_id: UUID, suspect_filter: SuspectFilter, page: PageRequest[SuspectKey]
    ) -> Page[SuspectedLabel, SuspectKey]:
        """A page of the suspected labels, highest score first."""
        await self._reports.get(report_id)
        async with self._sessions.begin() as session:
            found = await SuspectRows(session).list(report_id, suspect_filter, page)
        return page.cut(found, lambda label: label.key)
