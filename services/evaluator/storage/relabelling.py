"""Marks of wrong labels in PostgreSQL."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.domain.relabelling import Mark, MarkFilter, MarkKey, MarkState

_mark = sa.Table(
    "relabel_mark",
    sa.MetaData(),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("data_path", sa.Text),
    sa.Column("file", sa.Text),
    sa.Column("sha256", sa.Text),
    sa.Column("right_code", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("report_id", sa.Uuid),
    sa.Column("sample_ordinal", sa.Integer),
    sa.Column("creator", sa.Text),
    sa.Column("create_time", sa.DateTime(timezone=True)),
    sa.Column("state", sa.SmallInteger),
    sa.Column("apply_time", sa.DateTime(timezone=True)),
    sa.Column("new_file", sa.Text),
    sa.Column("message", sa.Text),
)
_CHANGED_BY_A_SECOND_WORD = (
    "sha256",
    "right_code",
    "note",
    "report_id",
    "sample_ordinal",
    "creator",
    "create_time",
    "message",
)


class Marks:
    """The marks of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def put(self, mark: Mark) -> Mark:
        """Keep an OPEN mark; the sample's OPEN mark, if it has one, becomes it and keeps its id."""
        statement = insert(_mark).values(_values(mark))
        row = (
            await self._session.execute(
                statement.on_conflict_do_update(
                    index_elements=[_mark.c.data_path, _mark.c.file],
                    index_where=sa.text("state = 1"),
                    set_={name: statement.excluded[name] for name in _CHANGED_BY_A_SECOND_WORD},
                ).returning(_mark)
            )
        ).one()
        return _to_mark(row)

    async def get(self, mark_id: UUID) -> Mark | None:
        """The mark, if it is there; locked until the end of the transaction."""
        query = sa.select(_mark).where(_mark.c.id == mark_id).with_for_update()
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else _to_mark(row)

    async def delete(self, mark_id: UUID) -> None:
        """Remove the mark."""
        await self._session.execute(sa.delete(_mark).where(_mark.c.id == mark_id))

    async def list(self, wanted: MarkFilter, after: MarkKey | None, limit: int) -> Sequence[Mark]:
        """Newest first, from after `after` on."""
        query = sa.select(_mark).order_by(_mark.c.create_time.desc(), _mark.c.id.desc()).limit(limit)
        if wanted.data_path:
            query = query.where(_mark.c.data_path == wanted.data_path)
        if wanted.state is not None:
            query = query.where(_mark.c.state == int(wanted.state))
        if wanted.report_id is not None:
            query = query.where(_mark.c.report_id == wanted.report_id)
        if after is not None:
            key = sa.tuple_(_mark.c.create_time, _mark.c.id)
            query = query.where(key < sa.tuple_(sa.literal(after.create_time), sa.literal(after.id)))
        return [_to_mark(row) for row in await self._session.execute(query)]

    async def settle(self, mark: Mark) -> bool:
        """Keep what became of an OPEN mark; False if somebody changed or took it back meanwhile."""
        changed = await self._session.scalar(
            sa.update(_mark)
            .where(
                _mark.c.id == mark.id,
                _mark.c.state == int(MarkState.OPEN),
                _mark.c.create_time == mark.create_time,
            )
            .values(
                state=int(mark.state),
                apply_time=mark.apply_time,
                new_file=mark.new_file,
                message=mark.message,
            )
            .returning(_mark.c.id)
        )
        return changed is not None


def _values(mark: Mark) -> dict[str, Any]:
    return {
        column.name: int(mark.state) if column.name == "state" else getattr(mark, column.name)
        for column in _mark.columns
    }


def _to_mark(row: sa.Row[Any]) -> Mark:
    values = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name
    return Mark(**{**values, "state": MarkState(values["state"])})
