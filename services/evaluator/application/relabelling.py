"""Marks of wrong labels: made, listed, deleted, applied to their data path (P6)."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol
from uuid import UUID, uuid4

from services.evaluator.application.reports import existing_sample
from services.evaluator.domain.relabelling import (
    Mark,
    MarkApplied,
    MarkFilter,
    MarkKey,
    MarkNotFound,
    MarkOutcome,
    MarkState,
)
from services.evaluator.storage.relabelling import MarkRows
from services.kit.database import DatabaseSessions, database_time
from services.kit.paging import Page, PageRequest

_BATCH = 500
"""Marks in one call of the registry, and so in one revision of the data path."""


class RegistryPort(Protocol):
    """The data paths of the registry, with the rights of one caller."""

    async def relabel(
        self, data_path: str, marks: Sequence[Mark], revision: int
    ) -> tuple[list[MarkOutcome], int]:
        """Apply the marks; the outcome of each, and the new revision. `revision` 0 matches any revision."""
        ...


class RelabelMarks:
    """Makes, reads and applies marks."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def mark(self, report_id: UUID, ordinal: int, right_code: str, note: str, creator: str) -> Mark:
        """Mark a sample, or change its OPEN mark."""
        async with self._sessions.begin() as session:
            result = (await existing_sample(session, report_id, ordinal)).result
            mark = Mark(
                id=uuid4(),
                data_path=result.data_path,
                file=result.file,
                sha256=result.sha256,
                right_code=right_code,
                note=note,
                report_id=report_id,
                sample_ordinal=ordinal,
                creator=creator,
                create_time=await database_time(session),
            )
            return await MarkRows(session).put(mark)

    async def get(self, mark_id: UUID) -> Mark:
        """One mark; MarkNotFound."""
        async with self._sessions.begin() as session:
            return _found(await MarkRows(session).get(mark_id), mark_id)

    async def list(self, mark_filter: MarkFilter, page: PageRequest[MarkKey]) -> Page[Mark, MarkKey]:
        """A page of marks, newest first."""
        async with self._sessions.begin() as session:
            found = await MarkRows(session).list(mark_filter, page)
        return page.cut(found, lambda mark: MarkKey(mark.create_time, mark.id))

    async def delete(self, mark_id: UUID) -> None:
        """Delete an OPEN mark; MarkApplied if it is not OPEN."""
        async with self._sessions.begin() as session:
            mark = _found(await MarkRows(session).get(mark_id), mark_id)
            if mark.state is MarkState.APPLIED:
                raise MarkApplied(
                    f"{mark.name} is part of {mark.data_path} since {mark.apply_time:%Y-%m-%d %H:%M}; "
                    "predict again and mark the sample anew to undo it",
                    mark=mark.name,
                )
            await MarkRows(session).delete(mark_id)

    async def batches(self, mark_filter: MarkFilter) -> AsyncIterator[Sequence[Mark]]:
        """All marks that the filter keeps, newest first, in batches."""
        after: MarkKey | None = None
        while True:
            page = await self.list(mark_filter, PageRequest(_BATCH, after))
            yield page.items
            after = page.last_key
            if after is None:
                return

    async def apply(
        self, data_path: str, revision: int, registry: RegistryPort
    ) -> tuple[Sequence[Mark], int]:
        """Apply the OPEN marks of a data path; the marks with their outcomes, and the new revision.

        No transaction is open while the registry works. If a process dies before outcomes are stored, a
        repeated call stores them: the registry then answers that the sample is there already.
        """
        processed: list[Mark] = []
        after: MarkKey | None = None
        while True:
            page = await self.list(MarkFilter(data_path, MarkState.OPEN), PageRequest(_BATCH, after))
            outcomes, new_revision = await registry.relabel(data_path, page.items, revision)
            async with self._sessions.begin() as session:
                now = await database_time(session)
                rows = MarkRows(session)
                for mark, outcome in zip(page.items, outcomes, strict=True):
                    changed = mark.after(outcome, now)
                    if await rows.record_outcome(changed):
                        processed.append(changed)
            after = page.last_key
            if after is None:
                return processed, new_revision
            # The next call must match the revision that this one made.
            revision = new_revision if revision else 0


def _found(mark: Mark | None, mark_id: UUID) -> Mark:
    if mark is None:
        name = f"relabelMarks/{mark_id}"
        raise MarkNotFound(f"there is no {name}; list the marks", mark=name)
    return mark
