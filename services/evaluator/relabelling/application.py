"""What can be done with marks of wrong labels (P6)."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid4

from services.evaluator.domain.errors import SampleResultNotFound
from services.evaluator.relabelling.domain import (
    Mark,
    MarkApplied,
    MarkFilter,
    MarkKey,
    MarkNotFound,
    MarkState,
)
from services.evaluator.relabelling.storage import Marks
from services.evaluator.storage import SampleResults
from services.kit.database import DatabaseSessions
from services.kit.paging import Page

_AT_ONCE = 500
"""Marks in one call of the registry, and so in one revision."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What the registry did with one mark."""

    done: bool
    new_file: str
    message: str


class Relabeller(Protocol):
    """Who owns the data paths, asked in the name of one caller."""

    async def relabel(
        self, data_path: str, marks: Sequence[Mark], revision: int
    ) -> tuple[list[Settled], int]:
        """What became of each mark, and the path's revision now. `revision` 0: whatever it is."""
        ...


class RelabelMarks:
    """All marks of the installation."""

    def __init__(self, sessions: DatabaseSessions, now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._now = now

    async def mark(self, report_id: UUID, ordinal: int, right_code: str, note: str, creator: str) -> Mark:
        """Mark a sample, or change its OPEN mark."""
        async with self._sessions.begin() as session:
            sample = await SampleResults(session).get(report_id, ordinal)
            if sample is None:
                name = f"reports/{report_id}/sampleResults/{ordinal}"
                raise SampleResultNotFound(f"there is no {name}; list the report's samples", sample=name)
            result = sample.result
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
                create_time=self._now(),
            )
            return await Marks(session).put(mark)

    async def get(self, mark_id: UUID) -> Mark:
        """One mark; MarkNotFound."""
        async with self._sessions.begin() as session:
            return _found(await Marks(session).get(mark_id), mark_id)

    async def page(self, wanted: MarkFilter, after: MarkKey | None, page_size: int) -> Page[Mark, MarkKey]:
        """Newest first."""
        async with self._sessions.begin() as session:
            found = await Marks(session).list(wanted, after, page_size + 1)
        return Page.cut([(MarkKey(mark.create_time, mark.id), mark) for mark in found], page_size)

    async def delete(self, mark_id: UUID) -> None:
        """Take an OPEN mark back."""
        async with self._sessions.begin() as session:
            mark = _found(await Marks(session).get(mark_id), mark_id)
            if mark.state is MarkState.APPLIED:
                raise MarkApplied(
                    f"{mark.name} is part of {mark.data_path} since {mark.apply_time:%Y-%m-%d %H:%M}; "
                    "predict again and mark the sample anew to undo it",
                    mark=mark.name,
                )
            await Marks(session).delete(mark_id)

    async def batches(self, wanted: MarkFilter) -> AsyncIterator[Sequence[Mark]]:
        """All of them, newest first, some at a time."""
        after: MarkKey | None = None
        while True:
            page = await self.page(wanted, after, _AT_ONCE)
            yield page.items
            after = page.last_key
            if after is None:
                return

    async def apply(self, data_path: str, revision: int, registry: Relabeller) -> tuple[list[Mark], int]:
        """Have the path's OPEN marks applied; what became of them, and its revision now.

        No transaction is open while the registry works. What it did and we did not note, because one of us
        died, is noted when the call is repeated: it answers that the sample lies there already.
        """
        settled: list[Mark] = []
        after: MarkKey | None = None
        while True:
            page = await self.page(MarkFilter(data_path, MarkState.OPEN), after, _AT_ONCE)
            outcomes, revision_now = await registry.relabel(data_path, page.items, revision)
            now = self._now()
            async with self._sessions.begin() as session:
                marks = Marks(session)
                for mark, outcome in zip(page.items, outcomes, strict=True):
                    after_it = (
                        mark.applied(outcome.new_file, outcome.message, now)
                        if outcome.done
                        else mark.refused(outcome.message)
                    )
                    if await marks.settle(after_it):
                        settled.append(after_it)
            after = page.last_key
            if after is None:
                return settled, revision_now
            # The next call builds on the revision that this one made.
            revision = revision_now if revision else 0


def _found(mark: Mark | None, mark_id: UUID) -> Mark:
    if mark is None:
        name = f"relabelMarks/{mark_id}"
        raise MarkNotFound(f"there is no {name}; list the marks", mark=name)
    return mark
