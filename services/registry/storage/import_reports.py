"""Rows of import reports and their lines (D7)."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.import_reports import (
    KEPT_REPORTS,
    ImportReport,
    ImportReportNotFound,
    LineCount,
    LineKind,
    ReportFacts,
    ReportLine,
)
from services.registry.storage.tables import import_report_lines, import_reports

_NEWEST_FIRST = import_reports.c.number.desc()


class ImportReports:
    """The reports of one data path; `key` is its row's number, `dataset` and `path` its name."""

    def __init__(self, session: AsyncSession, key: int, dataset: str, path: str) -> None:
        self._session = session
        self._key = key
        self._dataset, self._path = dataset, path

    async def add(self, report: str, creator: str, facts: ReportFacts, now: datetime) -> None:
        """Insert it, unless it is there, and remove the oldest beyond those that are kept."""
        values = {
            "path": self._key,
            "id": report,
            "creator": creator,
            "create_time": now,
            "facts": asdict(facts),
        }
        await self._session.execute(insert(import_reports).values(values).on_conflict_do_nothing())
        kept = (
            sa.select(import_reports.c.id)
            .where(import_reports.c.path == self._key)
            .order_by(_NEWEST_FIRST)
            .limit(KEPT_REPORTS)
        )
        await self._session.execute(
            sa.delete(import_reports).where(
                import_reports.c.path == self._key, import_reports.c.id.not_in(kept)
            )
        )

    async def add_lines(self, report: str, first_line: int, lines: Sequence[ReportLine]) -> None:
        """Insert those that are not there."""
        rows = [
            {"path": self._key, "report": report, **asdict(line), "place": place}
            for place, line in enumerate(lines, first_line)
        ]
        if rows:
            await self._session.execute(insert(import_report_lines).values(rows).on_conflict_do_nothing())

    async def get(self, report: str) -> ImportReport:
        """The report with counts of its lines; ImportReportNotFound."""
        query = sa.select(import_reports).where(
            import_reports.c.path == self._key, import_reports.c.id == report
        )
        row = (await self._session.execute(query)).first()
        if row is None:
            name = f"datasets/{self._dataset}/paths/{self._path}/importReports/{report}"
            raise ImportReportNotFound(
                f"{name} does not exist (any more); the last {KEPT_REPORTS} of a path are kept: list them",
                resource=name,
            )
        lines = import_report_lines.c
        counted = await self._session.execute(
            sa.select(lines.kind, lines.reason, sa.func.count().label("lines"))
            .where(lines.path == self._key, lines.report == report)
            .group_by(lines.kind, lines.reason)
            .order_by(sa.desc("lines"), lines.kind, lines.reason)
        )
        counts = tuple(LineCount(LineKind(kind), reason, count) for kind, reason, count in counted)
        return self._report(row, counts)

    async def listing(self, page: RowPageRequest) -> RowPage[ImportReport]:
        """A page of the reports, the newest first."""
        query = sa.select(import_reports).where(import_reports.c.path == self._key).order_by(_NEWEST_FIRST)
        if page.after is not None:
            query = query.where(import_reports.c.number < page.after[0])
        rows = (await self._session.execute(query.limit(page.limit))).all()
        return page.cut([self._report(row) for row in rows], lambda item: (item.number,))

    async def lines(
        self, report: str, page: RowPageRequest, *, kind: LineKind | None, reason: str, file: str
    ) -> RowPage[ReportLine]:
        """A page of the lines, in their order; of a kind, of a reason, or whose file contains a text."""
        lines = import_report_lines.c
        query = sa.select(import_report_lines).where(lines.path == self._key, lines.report == report)
        if kind is not None:
            query = query.where(lines.kind == kind)
        if reason:
            query = query.where(lines.reason == reason)
        if file:
            query = query.where(lines.file.icontains(file, autoescape=True))
        if page.after is not None:
            query = query.where(lines.place > page.after[0])
        rows = (await self._session.execute(query.order_by(lines.place).limit(page.limit))).all()
        return page.cut([_line(row) for row in rows], lambda item: (item.place,))

    def _report(self, row: Any, counts: tuple[LineCount, ...] = ()) -> ImportReport:  # noqa: ANN401 -- a row
        facts = ReportFacts(**row.facts)
        return ImportReport(
            self._dataset, self._path, row.id, row.number, row.creator, row.create_time, facts, counts
        )


def _line(row: Any) -> ReportLine:  # noqa: ANN401 -- a row has no static type
    values = {name: getattr(row, name) for name in ("file", "reason", "message", "message_zh", "sample_file")}
    return ReportLine(LineKind(row.kind), **values, place=row.place)
