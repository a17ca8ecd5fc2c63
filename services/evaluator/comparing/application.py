"""What can be asked of two reports."""

from uuid import UUID

from services.evaluator.application import existing_report
from services.evaluator.comparing.storage import ComparedSamples
from services.evaluator.domain.comparison import (
    Change,
    ComparedKey,
    ComparedSample,
    Comparison,
    compare,
    require_common_codes,
)
from services.kit.database import DatabaseSessions
from services.kit.paging import Page


class Comparisons:
    """Reports side by side. Nothing is stored: a comparison follows from its reports."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def compare(self, base_id: UUID, candidate_id: UUID) -> Comparison:
        """Count what became of their samples. Raises NotComparable."""
        async with self._sessions.begin() as session:
            base = await existing_report(session, base_id)
            candidate = await existing_report(session, candidate_id)
            require_common_codes(base, candidate)
            return compare(base, candidate, await ComparedSamples(session, base_id, candidate_id).count())

    async def list_samples(  # noqa: PLR0913 -- what a page is
        self,
        base_id: UUID,
        candidate_id: UUID,
        *,
        true_code: str,
        change: Change | None,
        after: ComparedKey | None,
        page_size: int,
    ) -> Page[ComparedSample, ComparedKey]:
        """Regressed samples first; among each change, where the candidate is most certain first."""
        async with self._sessions.begin() as session:
            require_common_codes(
                await existing_report(session, base_id), await existing_report(session, candidate_id)
            )
            samples = ComparedSamples(session, base_id, candidate_id)
            found = await samples.list(true_code, change, after, page_size + 1)
        return Page.cut(found, page_size)
