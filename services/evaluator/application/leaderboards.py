"""Leaderboards of question banks (P8)."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

from loupe.translation import Sentence, sentence
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.domain.comparison import Changes, compare, require_common_codes
from services.evaluator.domain.errors import NotComparable
from services.evaluator.domain.leaderboard import (
    MAX_ENTRIES,
    BankRevision,
    Entry,
    Leaderboard,
    adjusted,
    model_of,
    ranked,
)
from services.evaluator.domain.metrics import MeasuredReport
from services.evaluator.domain.report import EvaluationReport
from services.evaluator.storage.comparison import ComparedRows
from services.evaluator.storage.reports import ReportRows
from services.kit.database import DatabaseSessions


class BankPort(Protocol):
    """What the registry knows of banks and of versions in production."""

    async def bank_revision(self, bank: str, number: int) -> BankRevision:
        """A revision of a bank, the current one if `number` is 0; NotFound."""
        ...

    async def in_production(self, environment: str, models: Collection[str]) -> Mapping[str, str]:
        """Of each of these models, and of all of the environment, the version with the alias `production`.

        Models without one, and those of other environments, are left out.
        """
        ...


class Leaderboards:
    """Ranks versions when asked; nothing is stored."""

    def __init__(self, sessions: DatabaseSessions, banks: BankPort) -> None:
        self._sessions = sessions
        self._banks = banks

    async def get(self, bank: str, number: int) -> Leaderboard:
        """The leaderboard of a revision of a bank, the current one if `number` is 0; NotFound."""
        revision = await self._banks.bank_revision(bank, number)
        async with self._sessions.begin() as session:
            newest, count = await ReportRows(session).newest_over(revision.name, MAX_ENTRIES)
        measured = [MeasuredReport.of(report) for report in newest]
        models = {model_of(report.header.model_version) for report in newest}
        in_production = await self._banks.in_production(revision.production_environment, models)
        reports = {report.header.model_version: report for report in newest}
        entries = []
        for entry in ranked(measured, in_production):
            # One transaction an entry: each joins the samples of two reports.
            async with self._sessions.begin() as session:
                entries.append(await _compared(session, entry, reports.get(entry.compared_with)))
        return Leaderboard(revision, adjusted(entries), count - len(newest))


async def _compared(session: AsyncSession, entry: Entry, base: EvaluationReport | None) -> Entry:
    if not entry.compared_with:
        return entry
    if base is None:
        why = sentence("the version in production has no report over this revision; predict with it")
        return replace(entry, outcome=why)
    return replace(entry, outcome=await _changes(session, base, entry.measured.report))


async def _changes(
    session: AsyncSession, base: EvaluationReport, candidate: EvaluationReport
) -> Changes | Sentence:
    try:
        require_common_codes(base, candidate)
        pairs = await ComparedRows(session, base.id, candidate.id).count()
        return compare(base, candidate, pairs).overall
    except NotComparable:
        return sentence("it has no code, or judged no sample, in common with the version in production")
