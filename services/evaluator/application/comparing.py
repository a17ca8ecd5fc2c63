"""Comparison of two reports (P2)."""

from uuid import UUID

from services.evaluator.application.reports import existing_report
from services.evaluator.domain.comparison import (
    Change,
    ComparedKey,
    ComparedSample,
    Comparison,
    compare,
    require_common_codes,
)
from services.evaluator.storage.comparison import ComparedRows
from services.kit.database import DatabaseSessions
from services.kit.paging import Page, PageRequest


class Comparisons:
    """Compares reports when asked; nothing is stored."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def compare(self, base_id: UUID, candidate_id: UUID) -> Comparison:
        """Count the common samples by how their verdicts changed. Raises NotComparable."""
        async with self._sessions.begin() as session:
            base = await existing_report(session, base_id)
            candidate = await existing_report(session, candidate_id)
            require_common_codes(base, candidate)
            return compare(base, candidate, await ComparedRows(session, base_id, candidate_id).count())

    async def list_samples(
        self,
        base_id: UUID,
        candidate_id: UUID,
        page: PageRequest[ComparedKey],
        *,
        true_code: str,
        change: Change | None,
    ) -> Page[ComparedSample, ComparedKey]:
        """A page of common samples: regressed first, then by confidence in the candidate, descending."""
        async with self._sessions.begin() as session:
            require_common_codes(
                await existing_report(session, base_id), await existing_report(session, candidate_id)
            )
            rows = ComparedRows(session, base_id, candidate_id)
            found = await rows.list(true_code, change, page)
        return Page.cut(found, page.size)
