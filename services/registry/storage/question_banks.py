"""Rows of question banks and their revisions."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from loupe.errors import NotFound
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.models import VersionNumber
from services.registry.domain.question_banks import (
    MAX_TOLD_VERSIONS,
    BankProfile,
    BankRevision,
    QuestionBank,
)
from services.registry.domain.samples import CodeCount, total_counts
from services.registry.storage.tables import (
    question_bank_revisions as revisions,
)
from services.registry.storage.tables import (
    question_bank_snapshots as pins,
)
from services.registry.storage.tables import (
    question_banks as banks,
)

_REVISION = sa.text(
    """
    SELECT r.number, r.creator, r.create_time, jsonb_agg(s.code_counts) AS counts,
        array_agg(
            'datasets/' || p.dataset || '/paths/' || p.id || '/snapshots/' || encode(s.sha256, 'hex')
            ORDER BY q.place
        ) AS snapshots
    FROM question_bank_revisions r
    JOIN question_bank_snapshots q ON q.bank = r.bank AND q.number = r.number
    JOIN snapshots s ON s.path = q.path AND s.sha256 = q.sha256
    JOIN data_paths p ON p.key = q.path
    WHERE r.bank = :bank AND r.number = ANY(CAST(:numbers AS int[]))
    GROUP BY r.number, r.creator, r.create_time
    ORDER BY r.number DESC
    """
)
# As a prediction compares (TrainingOverlaps).
_TRAINED = sa.text(
    """
    WITH RECURSIVE named AS (
        SELECT v.*, 'models/' || model || '/versions/v' || major || '.'
            || CASE WHEN release_number < 10 THEN '0' ELSE '' END || release_number AS name
        FROM model_versions v
    ), trained AS (
        SELECT v.model, v.major, v.release_number, v.name FROM named v
        WHERE EXISTS (
            SELECT FROM unnest(v.snapshots) AS trained (name)
            WHERE split_part(trained.name, '/snapshots/', 1) = ANY(CAST(:paths AS text[]))
        ) OR EXISTS (
            SELECT FROM algorithm_image_versions i
            WHERE i.training_paths && CAST(:paths AS text[])
                AND v.algorithm_image_version =
                    'algorithmImages/' || i.image || '/versions/v' || i.major || '.' || i.minor
        )
        UNION
        SELECT v.model, v.major, v.release_number, v.name
        FROM named v JOIN trained parent ON v.parent_version = parent.name
        WHERE coalesce(v.preprocessing_params ->> 'warm_start', 'true') <> 'false'
    )
    SELECT model, major, release_number FROM trained
    ORDER BY model, major DESC, release_number DESC LIMIT :limit
    """
)


class QuestionBanks:
    """Question banks."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, bank: QuestionBank) -> bool:
        """Insert it without its revision; False if the id is taken."""
        added = await self._session.scalar(
            insert(banks)
            .values(
                id=bank.id,
                production_environment=bank.production_environment,
                revision=bank.revision.number,
                creator=bank.creator,
                create_time=bank.create_time,
                **_changing(bank),
            )
            .on_conflict_do_nothing()
            .returning(banks.c.id)
        )
        return added is not None

    async def get(self, bank: str, *, lock: bool = False) -> QuestionBank:
        """The bank; NotFound. A lock prevents other changes."""
        query = sa.select(banks).where(banks.c.id == bank)
        row = (await self._session.execute(query.with_for_update() if lock else query)).first()
        if row is None:
            raise NotFound(
                f"questionBanks/{bank} does not exist; list the question banks or create it",
                resource=f"questionBanks/{bank}",
            )
        return await self._with_revision(row)

    async def listing(
        self, page: RowPageRequest, *, production_environment: str | None, show_archived: bool
    ) -> RowPage[QuestionBank]:
        """A page of banks, sorted by id."""
        query = sa.select(banks).order_by(banks.c.id).limit(page.limit)
        if production_environment is not None:
            query = query.where(banks.c.production_environment == production_environment)
        if not show_archived:
            query = query.where(~banks.c.archived)
        if page.after is not None:
            query = query.where(banks.c.id > page.after[0])
        rows = (await self._session.execute(query)).all()
        return page.cut([await self._with_revision(row) for row in rows], lambda bank: (bank.id,))

    async def save(self, bank: QuestionBank) -> None:
        """Store what can change. The row must be locked."""
        await self._session.execute(
            sa.update(banks)
            .where(banks.c.id == bank.id)
            .values(revision=bank.revision.number, **_changing(bank))
        )

    async def add_revision(self, revision: BankRevision, pinned: Sequence[tuple[int, str]]) -> None:
        """Insert a revision; `pinned`: the numbers of its data paths with the hashes of their manifests."""
        await self._session.execute(
            sa.insert(revisions).values(
                bank=revision.bank,
                number=revision.number,
                creator=revision.creator,
                create_time=revision.create_time,
            )
        )
        await self._session.execute(
            sa.insert(pins),
            [
                {
                    "bank": revision.bank,
                    "number": revision.number,
                    "place": place,
                    "path": path,
                    "sha256": bytes.fromhex(sha256),
                }
                for place, (path, sha256) in enumerate(pinned)
            ],
        )

    async def revision(self, bank: str, number: int) -> BankRevision:
        """One revision; NotFound."""
        found = await self._revisions(bank, [number])
        if not found:
            name = f"questionBanks/{bank}/revisions/{number}"
            raise NotFound(f"{name} does not exist; list the bank's revisions", resource=name)
        return found[0]

    async def list_revisions(self, bank: str, page: RowPageRequest) -> RowPage[BankRevision]:
        """A page of revisions, newest first."""
        query = (
            sa.select(revisions.c.number)
            .where(revisions.c.bank == bank)
            .order_by(revisions.c.number.desc())
            .limit(page.limit)
        )
        if page.after is not None:
            query = query.where(revisions.c.number < page.after[0])
        numbers = (await self._session.scalars(query)).all()
        return page.cut(await self._revisions(bank, numbers), lambda revision: (revision.number,))

    async def trained_with(self, data_paths: Sequence[str]) -> list[tuple[str, VersionNumber]]:
        """Versions that were trained with any of these data paths, at most MAX_TOLD_VERSIONS.

        Also through the version whose weights they began with, or their algorithm image.
        """
        values = {"paths": list(data_paths), "limit": MAX_TOLD_VERSIONS}
        rows = await self._session.execute(_TRAINED, values)
        return [(row.model, VersionNumber(row.major, row.release_number)) for row in rows]

    async def _with_revision(self, row: Any) -> QuestionBank:  # noqa: ANN401 -- a row has no static type
        return QuestionBank(
            id=row.id,
            profile=BankProfile(
                row.display_name,
                row.description,
                row.run_after_release,
                row.compute_resource,
                row.run_after_training,
            ),
            production_environment=row.production_environment,
            revision=await self.revision(row.id, row.revision),
            creator=row.creator,
            create_time=row.create_time,
            last_modifier=row.last_modifier,
            update_time=row.update_time,
            archived=row.archived,
        )

    async def _revisions(self, bank: str, numbers: Sequence[int]) -> list[BankRevision]:
        rows = await self._session.execute(_REVISION, {"bank": bank, "numbers": list(numbers)})
        return [
            BankRevision(
                bank=bank,
                number=row.number,
                snapshots=tuple(row.snapshots),
                code_counts=total_counts(CodeCount(**one) for counts in row.counts for one in counts),
                creator=row.creator,
                create_time=row.create_time,
            )
            for row in rows
        ]


def _changing(bank: QuestionBank) -> dict[str, Any]:
    return {
        **asdict(bank.profile),
        "archived": bank.archived,
        "last_modifier": bank.last_modifier,
        "update_time": bank.update_time,
    }
