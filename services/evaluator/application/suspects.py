"""Finds suspected labels once, when a report is stored (P4)."""

import asyncio
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.application.near_duplicates import near_duplicates
from services.evaluator.storage.suspicion import SuspectRows


async def find_suspects(session: AsyncSession, report_id: UUID) -> None:
    """Find and store the suspected labels of a report, in the transaction that stores the report."""
    rows = SuspectRows(session)
    await rows.insert_confidently_wrong(report_id)
    samples = await rows.hashed_samples(report_id)
    await rows.insert_near_duplicates(report_id, await asyncio.to_thread(near_duplicates, samples))
