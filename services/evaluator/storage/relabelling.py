"""Marks of wrong labels in PostgreSQL."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.domain.relabelling import Mark, MarkFilter, MarkKey, MarkState
from services.evaluator.storage.tables import mark_table
from services.kit.paging import PageRequest

_REPLACED = (
    "sha256",
    "right_code",
    "note",
    "report_id",
    "sample_ordinal",
    "creator",
    "create_time",
    "message",
)
"""The columns that a second mark of the same sample replaces."""


class MarkRows:
    """Reads and writes marks in one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def put(self, mark: Mark) -> Mark:
        """Insert an OPEN mark, or change the OPEN mark of the sample, which keeps its id."""
        statement = insert(mark_table).values(_values(mark))
        row = (
            await self._session.execute(
                statement.on_conflict_do_update(
                    index_elements=[mark_table.c.data_path, mark_table.c.file],
                    index_where=sa.text("state = 1"),
                    set_={name: statement.excluded[name] for name in _REPLACED},
                ).returning(mark_table)
            )
        ).one()
        return _to_mark(row)

    async def get(self, mark_id: UUID) -> Mark | None:
        """The mark, locked until the end of the transaction; None if there is none."""
        query = sa.select(mark_table).where(mark_table.c.id == mark_id).with_for_update()
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else _to_mark(row)

    async def delete(self, mark_id: UUID) -> None:
        """Delete the mark."""
        await self._session.execute(sa.delete(mark_table).where(mark_table.c.id == mark_id))

    async def list(self, mark_filter: MarkFilter, page: PageRequest[MarkKey]) -> Sequence[Mark]:
        """The rows of a page of marks, newest first."""
        query = (
            sa.select(mark_table)
            .order_by(mark_table.c.create_time.desc(), mark_table.c.id.desc())
            .limit(page.limit)
        )
        if mark_filter.data_path:
            query = query.where(mark_table.c.data_path == mark_filter.data_path)
        if mark_filter.state is not None:
            query = query.where(mark_table.c.state == int(mark_filter.state))
        if mark_filter.report_id is not None:
            query = query.where(mark_table.c.report_id == mark_filter.report_id)
        if page.after is not None:
            key = sa.tuple_(mark_table.c.create_time, mark_table.c.id)
            query = query.where(
                key < sa.tuple_(sa.literal(page.after.create_time), sa.literal(page.after.id))
            )
        return [_to_mark(row) for row in await self._session.execute(query)]

    async def record_outcome(self, mark: Mark) -> bool:
        """Store the outcome of an OPEN mark; False if the mark was changed or deleted in the meantime."""
        changed = await self._session.scalar(
            sa.update(mark_table)
            .where(
                mark_table.c.id == mark.id,
                mark_table.c.state == int(MarkState.OPEN),
                mark_table.c.create_time == mark.create_time,
            )
            .values(
                state=int(mark.state),
                apply_time=mark.apply_time,
                new_file=mark.new_file,
                message=mark.message,
            )
            .returning(mark_table.c.id)
        )
        return changed is not None


def _values(mark: Mark) -> dict[str, Any]:
    return {
        column.name: int(mark.state) if column.name == "state" else getattr(mark, column.name)
        for column in mark_table.columns
    }


def _to_mark(row: sa.Row[Any]) -> Mark:
    values = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name
    return Mark(**{**values, "state": MarkState(values["state"])})
