"""Keeping what importers tell of their imports (D7)."""

from collections.abc import Sequence

from services.caller import Caller
from services.kit.database import DatabaseSessions, database_time
from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.identifiers import refuse
from services.registry.domain.import_reports import (
    ImportReport,
    LineKind,
    ReportFacts,
    ReportLine,
    report_faults,
)
from services.registry.storage.datasets import DataPaths
from services.registry.storage.import_reports import ImportReports


class ImportReportLibrary:
    """The reports of the data paths."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def save(  # noqa: PLR0913, PLR0917 -- one a field of the request
        self,
        dataset: str,
        path: str,
        report: str,
        facts: ReportFacts,
        first_line: int,
        lines: Sequence[ReportLine],
        caller: Caller,
    ) -> ImportReport:
        """Keep a report of the caller's, or more lines of it."""
        refuse(report_faults(report, facts, first_line, lines))
        async with self._sessions.begin() as session:
            paths = DataPaths(session)
            key = await paths.lock(dataset, path)
            (await paths.get(dataset, path)).require_owner(caller)
            reports = ImportReports(session, key, dataset, path)
            await reports.add(report, caller.name, facts, await database_time(session))
            await reports.add_lines(report, first_line, lines)
            return await reports.get(report)

    async def get(self, dataset: str, path: str, report: str) -> ImportReport:
        """One report."""
        async with self._sessions.begin() as session:
            key = await DataPaths(session).key(dataset, path)
            return await ImportReports(session, key, dataset, path).get(report)

    async def listing(self, dataset: str, path: str, page: RowPageRequest) -> RowPage[ImportReport]:
        """The newest first."""
        async with self._sessions.begin() as session:
            key = await DataPaths(session).key(dataset, path)
            return await ImportReports(session, key, dataset, path).listing(page)

    async def lines(  # noqa: PLR0913 -- one a field of the request
        self,
        dataset: str,
        path: str,
        report: str,
        page: RowPageRequest,
        *,
        kind: LineKind | None,
        reason: str,
        file: str,
    ) -> RowPage[ReportLine]:
        """Lines in their order."""
        async with self._sessions.begin() as session:
            key = await DataPaths(session).key(dataset, path)
            reports = ImportReports(session, key, dataset, path)
            await reports.get(report)
            return await reports.lines(report, page, kind=kind, reason=reason, file=file)
