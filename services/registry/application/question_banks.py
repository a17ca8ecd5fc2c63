"""Question banks: made, revised, described, archived (P7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from loupe.errors import AlreadyExists
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import DatabaseSessions, database_time
from services.kit.paging import RowPage, RowPageRequest
from services.registry.application.datasets import DataCatalogue
from services.registry.domain.datasets import Snapshot
from services.registry.domain.identifiers import id_faults, refuse
from services.registry.domain.models import VersionNumber
from services.registry.domain.question_banks import (
    BankProfile,
    BankRevision,
    QuestionBank,
    bank_path_faults,
)
from services.registry.domain.samples import total_counts
from services.registry.storage.datasets import DataPaths
from services.registry.storage.master_data import ComputeResources, ProductionEnvironments
from services.registry.storage.question_banks import QuestionBanks
from services.registry.wire import names
from services.registry.wire.question_banks import bank_out
from services.registry.wire.values import require_etag_of


@dataclass(frozen=True, slots=True)
class ToldBank:
    """A bank, and the versions that were trained with its data paths."""

    bank: QuestionBank
    trained_versions: tuple[tuple[str, VersionNumber], ...] = ()


class BankCatalogue:
    """All question banks."""

    def __init__(self, sessions: DatabaseSessions, data: DataCatalogue) -> None:
        self._sessions = sessions
        self._data = data

    async def create(
        self,
        bank: str,
        profile: BankProfile,
        *,
        production_environment: str,
        paths: Sequence[tuple[str, str]],
        caller: str,
    ) -> ToldBank:
        """A new bank with its first revision; AlreadyExists."""
        refuse(
            [
                *id_faults(bank, "question_bank_id"),
                *profile.faults(),
                *bank_path_faults(paths, "question_bank.revision.data_paths"),
            ]
        )
        async with self._sessions.begin() as session:
            await ProductionEnvironments(session).get(production_environment)
            await _require_resource(session, profile)
        pinned = await self._pin(paths)
        async with self._sessions.begin() as session:
            now = await database_time(session)
            await ProductionEnvironments(session).get(production_environment, lock=True)
            revision = _revision(bank, 1, pinned, caller, now)
            new = QuestionBank(
                id=bank,
                profile=profile,
                production_environment=production_environment,
                revision=revision,
                creator=caller,
                create_time=now,
                last_modifier=caller,
                update_time=now,
            )
            if not await QuestionBanks(session).add(new):
                raise AlreadyExists(f"{new.name} exists already; choose another id")
            await _add_revision(session, revision, pinned)
            return await _told(session, new)

    async def get(self, bank: str) -> ToldBank:
        """One bank."""
        async with self._sessions.begin() as session:
            return await _told(session, await QuestionBanks(session).get(bank))

    async def listing(
        self, page: RowPageRequest, *, production_environment: str | None, show_archived: bool
    ) -> RowPage[QuestionBank]:
        """By id."""
        async with self._sessions.begin() as session:
            return await QuestionBanks(session).listing(
                page, production_environment=production_environment, show_archived=show_archived
            )

    async def update(
        self, bank: str, after: BankProfile, *, fields: frozenset[str], etag: str, caller: str
    ) -> ToldBank:
        """Change what is said of a bank."""
        refuse(after.faults())
        async with self._sessions.begin() as session:
            await _require_resource(session, after)
            before = await _lock(session, bank, etag)
            changed = replace(before, profile=before.profile.changed(after, fields))
            return await _told(session, await _save(session, changed, caller))

    async def revise(
        self, bank: str, paths: Sequence[tuple[str, str]], *, etag: str, caller: str
    ) -> ToldBank:
        """Freeze the present listings as the next revision, unless they are those of the current one."""
        if not paths:
            async with self._sessions.begin() as session:
                current = await QuestionBanks(session).get(bank)
            paths = [names.parse_data_path(path) for path in current.revision.data_paths]
        refuse(bank_path_faults(paths, "data_paths"))
        pinned = await self._pin(paths)
        async with self._sessions.begin() as session:
            before = await _lock(session, bank, etag)
            before.require_in_use()
            now = await database_time(session)
            revision = _revision(bank, before.revision.number + 1, pinned, caller, now)
            if revision.snapshots == before.revision.snapshots:
                return await _told(session, before)
            await _add_revision(session, revision, pinned)
            changed = replace(before, revision=revision)
            return await _told(session, await _save(session, changed, caller))

    async def revision(self, bank: str, number: int) -> BankRevision:
        """One revision."""
        async with self._sessions.begin() as session:
            return await QuestionBanks(session).revision(bank, number)

    async def revisions(self, bank: str, page: RowPageRequest) -> RowPage[BankRevision]:
        """Newest first."""
        async with self._sessions.begin() as session:
            await QuestionBanks(session).get(bank)
            return await QuestionBanks(session).list_revisions(bank, page)

    async def archive(self, bank: str, *, archived: bool, etag: str, caller: str) -> ToldBank:
        """Hide a bank and give its paths back to training, or show it again."""
        async with self._sessions.begin() as session:
            before = await _lock(session, bank, etag)
            if before.archived == archived:
                return await _told(session, before)
            return await _told(session, await _save(session, replace(before, archived=archived), caller))

    async def _pin(self, paths: Sequence[tuple[str, str]]) -> list[Snapshot]:
        return [await self._data.snapshot(*path) for path in paths]


async def _require_resource(session: AsyncSession, profile: BankProfile) -> None:
    """NotFound if the compute resource does not exist."""
    if profile.compute_resource is not None:
        await ComputeResources(session).get(profile.compute_resource)


async def _lock(session: AsyncSession, bank: str, etag: str) -> QuestionBank:
    found = await QuestionBanks(session).get(bank, lock=True)
    require_etag_of(bank_out(found), etag)
    return found


async def _save(session: AsyncSession, bank: QuestionBank, caller: str) -> QuestionBank:
    saved = replace(bank, last_modifier=caller, update_time=await database_time(session))
    await QuestionBanks(session).save(saved)
    return saved


async def _told(session: AsyncSession, bank: QuestionBank) -> ToldBank:
    return ToldBank(bank, tuple(await QuestionBanks(session).trained_with(bank.revision.data_paths)))


async def _add_revision(session: AsyncSession, revision: BankRevision, pinned: Sequence[Snapshot]) -> None:
    paths = DataPaths(session)
    # A path that has a snapshot cannot be deleted, so the name is still that of the pinned path.
    keys = [await paths.key(snapshot.dataset, snapshot.path) for snapshot in pinned]
    rows = [(key, snapshot.sha256) for key, snapshot in zip(keys, pinned, strict=True)]
    await QuestionBanks(session).add_revision(revision, rows)


def _revision(
    bank: str, number: int, pinned: Sequence[Snapshot], creator: str, now: datetime
) -> BankRevision:
    return BankRevision(
        bank=bank,
        number=number,
        snapshots=tuple(names.SNAPSHOT.make(one.dataset, one.path, one.sha256) for one in pinned),
        code_counts=total_counts(count for one in pinned for count in one.code_counts),
        creator=creator,
        create_time=now,
    )
