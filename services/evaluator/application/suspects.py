"""Finding labels that may be wrong, once, when a report is stored."""

import asyncio
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.application.near_duplicates import look_alikes
from services.evaluator.storage.suspicion import SuspectedLabels


async def find_suspects(session: AsyncSession, report_id: UUID) -> None:
    """Look for wrong labels among the samples of a report that is being stored, in its transaction."""
    suspects = SuspectedLabels(session)
    await suspects.find_confidently_wrong(report_id)
    ordinals, hashes, labels = await suspects.hashes(report_id)
    await suspects.put_look_alikes(report_id, ordinals, await asyncio.to_thread(look_alikes, hashes, labels))
