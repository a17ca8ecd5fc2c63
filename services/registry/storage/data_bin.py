"""Rows of data paths in the bin (D8)."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from loupe.errors import NotFound
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.datasets import DeletedDataPath
from services.registry.storage.datasets import LIVE, path_of, with_counts
from services.registry.storage.tables import data_paths

_SAMPLES_A_STATEMENT = 50_000
"""A statement has to end within its timeout, however many samples a path lists."""

_REMOVE_SAMPLES = sa.text(
    "DELETE FROM samples WHERE path = :path AND file IN "
    "(SELECT file FROM samples WHERE path = :path ORDER BY file LIMIT :limit)"
)


class DeletedPaths:
    """The bin. `key` is the row's own number, part of the name that a path has there."""

    def __init__(self, session: AsyncSession, keep: timedelta) -> None:
        self._session = session
        self._keep = keep

    async def put(self, key: int, deleter: str, now: datetime) -> DeletedDataPath:
        """Move a path into the bin. The row must be locked."""
        await self._session.execute(
            sa.update(data_paths).where(data_paths.c.key == key).values(delete_time=now, deleter=deleter)
        )
        return self._deleted((await self._session.execute(_in_bin().where(data_paths.c.key == key))).one())

    async def lock(self, dataset: str, path: str, key: int) -> DeletedDataPath:
        """The path, locked; NotFound."""
        query = _in_bin().where(
            data_paths.c.dataset == dataset, data_paths.c.id == path, data_paths.c.key == key
        )
        row = (await self._session.execute(query.with_for_update(of=data_paths))).first()
        if row is None:
            name = f"datasets/{dataset}/deletedPaths/{path}.{key}"
            raise NotFound(f"{name} is not in the bin (any more); list the bin", resource=name)
        return self._deleted(row)

    async def listing(self, dataset: str | None, page: RowPageRequest) -> RowPage[DeletedDataPath]:
        """A page of the bin, sorted by dataset, id and number; of all datasets if None."""
        order = (data_paths.c.dataset, data_paths.c.id, data_paths.c.key)
        query = _in_bin().order_by(*order).limit(page.limit)
        if dataset is not None:
            query = query.where(data_paths.c.dataset == dataset)
        if page.after is not None:
            query = query.where(sa.tuple_(*order) > sa.tuple_(*page.after))
        rows = (await self._session.execute(query)).all()
        return page.cut(
            [self._deleted(row) for row in rows], lambda item: (item.path.dataset, item.path.id, item.number)
        )

    async def overdue(self) -> list[int]:
        """The numbers of the paths whose time in the bin is over."""
        query = sa.select(data_paths.c.key).where(~LIVE, self._is_overdue()).order_by(data_paths.c.key)
        return list(await self._session.scalars(query))

    async def lock_overdue(self, key: int) -> DeletedDataPath | None:
        """The path, locked, if it is still in the bin and its time is over."""
        query = _in_bin().where(data_paths.c.key == key, self._is_overdue())
        row = (await self._session.execute(query.with_for_update(of=data_paths))).first()
        return None if row is None else self._deleted(row)

    async def restore(self, key: int, path: str) -> None:
        """Take a path out of the bin, with this id. The row must be locked, and the id free."""
        await self._session.execute(
            sa.update(data_paths)
            .where(data_paths.c.key == key)
            .values(id=path, delete_time=None, deleter=None)
        )

    async def purge(self, key: int) -> None:
        """Remove a path with its listing. The row must be locked."""
        values = {"path": key, "limit": _SAMPLES_A_STATEMENT}
        while (await self._session.execute(_REMOVE_SAMPLES, values)).rowcount:  # type: ignore[attr-defined]
            pass
        await self._session.execute(sa.delete(data_paths).where(data_paths.c.key == key, ~LIVE))

    def _is_overdue(self) -> sa.ColumnElement[bool]:
        return data_paths.c.delete_time <= sa.func.clock_timestamp() - self._keep

    def _deleted(self, row: Any) -> DeletedDataPath:  # noqa: ANN401 -- a row has no static type
        return DeletedDataPath(path_of(row), row.key, row.delete_time, row.deleter, self._keep)


def _in_bin() -> sa.Select[Any]:
    return with_counts().where(~LIVE)
