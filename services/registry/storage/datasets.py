"""Rows of datasets, data paths and snapshots."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from loupe.errors import NotFound
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.datasets import DataPath, DataPathDeleted, Dataset, Snapshot
from services.registry.domain.samples import CodeCount
from services.registry.storage.tables import (
    code_counts,
    data_paths,
    datasets,
    question_bank_snapshots,
    question_banks,
    snapshots,
)

LIVE = data_paths.c.delete_time.is_(None)
"""Whether a data path is not in the bin."""

PART_OF_A_LISTING = -1
"""In place of the revision in a snapshot that is no whole listing of its path: no revision has it."""


class Datasets:
    """Datasets with their counts."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, dataset: Dataset) -> bool:
        """Insert it; False if the id is taken."""
        added = await self._session.scalar(
            insert(datasets)
            .values(
                id=dataset.id,
                description=dataset.description,
                creator=dataset.creator,
                create_time=dataset.create_time,
            )
            .on_conflict_do_nothing()
            .returning(datasets.c.id)
        )
        return added is not None

    async def get(self, dataset: str) -> Dataset:
        """The dataset; NotFound."""
        row = (await self._session.execute(_with_totals().where(datasets.c.id == dataset))).mappings().first()
        if row is None:
            raise NotFound(
                f"datasets/{dataset} does not exist; list the datasets or create it",
                resource=f"datasets/{dataset}",
            )
        return Dataset(**row)

    async def lock_names(self, dataset: str) -> None:
        """Let nobody make or restore a data path in the dataset until this transaction ends."""
        # Every new row of data_paths locks the dataset that it refers to, which waits for this lock.
        await self._session.execute(
            sa.select(datasets.c.id).where(datasets.c.id == dataset).with_for_update()
        )

    async def listing(self, page: RowPageRequest) -> RowPage[Dataset]:
        """A page of datasets, sorted by id."""
        query = _with_totals().order_by(datasets.c.id).limit(page.limit)
        if page.after is not None:
            query = query.where(datasets.c.id > page.after[0])
        rows = (await self._session.execute(query)).mappings()
        return page.cut([Dataset(**row) for row in rows], lambda item: (item.id,))


class DataPaths:
    """Data paths with their counts. `key` is the row's own number, which samples refer to."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, path: DataPath) -> bool:
        """Insert it; False if the id is taken in its dataset."""
        added = await self._session.scalar(
            insert(data_paths)
            .values(
                dataset=path.dataset,
                id=path.id,
                description=path.description,
                mask_codes=list(path.mask_codes),
                owner=path.owner,
                bits=path.bits,
                create_time=path.create_time,
                update_time=path.update_time,
            )
            .on_conflict_do_nothing()
            .returning(data_paths.c.key)
        )
        return added is not None

    async def get(self, dataset: str, path: str) -> DataPath:
        """The path; NotFound."""
        query = with_counts().where(_named(dataset, path))
        row = (await self._session.execute(query)).first()
        if row is None:
            raise await self._not_found(dataset, path)
        return path_of(row)

    async def exists(self, dataset: str, path: str) -> bool:
        """Whether there is a path of that name, outside of the bin."""
        query = sa.select(sa.literal(1)).where(_named(dataset, path))
        return await self._session.scalar(query) is not None

    async def listing(
        self, dataset: str | None, page: RowPageRequest, *, trainable: bool
    ) -> RowPage[DataPath]:
        """A page of data paths, sorted by dataset and id; of all datasets if None.

        If `trainable`, without those that belong to a question bank (P7).
        """
        query = with_counts().where(LIVE).order_by(data_paths.c.dataset, data_paths.c.id).limit(page.limit)
        if dataset is not None:
            query = query.where(data_paths.c.dataset == dataset)
        if trainable:
            query = query.where(~_banks_of_path().exists())
        if page.after is not None:
            query = query.where(sa.tuple_(data_paths.c.dataset, data_paths.c.id) > sa.tuple_(*page.after))
        rows = (await self._session.execute(query)).all()
        return page.cut([path_of(row) for row in rows], lambda item: (item.dataset, item.id))

    async def key(self, dataset: str, path: str) -> int:
        """The row's number; NotFound."""
        return (await self.revision(dataset, path))[0]

    async def revision(self, dataset: str, path: str) -> tuple[int, int]:
        """The row's number and revision; NotFound."""
        return await self._key_and_revision(_key_query(dataset, path), dataset, path)

    async def lock(self, dataset: str, path: str) -> int:
        """The row's number; NotFound. Locks the listing against changes and pins."""
        query = _key_query(dataset, path).with_for_update()
        return (await self._key_and_revision(query, dataset, path))[0]

    async def lock_listing(self, dataset: str, path: str) -> tuple[int, int]:
        """The row's number and revision; NotFound. Locks the listing against changes."""
        query = _key_query(dataset, path).with_for_update(read=True)
        return await self._key_and_revision(query, dataset, path)

    async def mask_codes(self, key: int) -> tuple[str, ...]:
        """The declaration of the path for its masks."""
        codes = await self._session.scalar(sa.select(data_paths.c.mask_codes).where(data_paths.c.key == key))
        return tuple(codes or ())

    async def declare(self, key: int, mask_codes: Sequence[str], now: datetime) -> None:
        """Store the declaration as a new revision, since manifests contain it. The row must be locked."""
        await self._session.execute(
            sa.update(data_paths)
            .where(data_paths.c.key == key)
            .values(mask_codes=list(mask_codes), revision=data_paths.c.revision + 1, update_time=now)
        )

    async def set_bits(self, key: int, bits: int) -> None:
        """Store the significant bits of deep pictures. The row must be locked."""
        await self._session.execute(sa.update(data_paths).where(data_paths.c.key == key).values(bits=bits))

    async def set_owner(self, key: int, owner: str) -> None:
        """Store who may change the path. The row must be locked."""
        await self._session.execute(sa.update(data_paths).where(data_paths.c.key == key).values(owner=owner))

    async def change(self, key: int, changes: Sequence[CodeCount], now: datetime) -> None:
        """Add the changes to the counts and begin a new revision. The row must be locked."""
        if changes:
            statement = insert(code_counts).values(
                [{"path": key, "code": c.code, "sample_count": 0, "mask_count": 0} for c in changes]
            )
            await self._session.execute(statement.on_conflict_do_nothing())
            # Not one upsert: for a negative change the CHECK of the proposed row fails before the conflict.
            await self._session.execute(
                sa.text(
                    "UPDATE code_counts c SET sample_count = c.sample_count + d.samples, "
                    "mask_count = c.mask_count + d.masks FROM "
                    "unnest(CAST(:codes AS text[]), CAST(:samples AS bigint[]), CAST(:masks AS bigint[])) "
                    "AS d(code, samples, masks) WHERE c.path = :path AND c.code = d.code"
                ),
                {
                    "path": key,
                    "codes": [change.code for change in changes],
                    "samples": [change.sample_count for change in changes],
                    "masks": [change.mask_count for change in changes],
                },
            )
        await self._session.execute(
            sa.update(data_paths)
            .where(data_paths.c.key == key)
            .values(revision=data_paths.c.revision + 1, update_time=now)
        )

    async def _key_and_revision(
        self, query: sa.Select[tuple[int, int]], dataset: str, path: str
    ) -> tuple[int, int]:
        row = (await self._session.execute(query)).first()
        if row is None:
            raise await self._not_found(dataset, path)
        return row.key, row.revision

    async def _not_found(self, dataset: str, path: str) -> NotFound:
        """Why there is no path of that name."""
        name = f"datasets/{dataset}/paths/{path}"
        deleted = await self._session.scalar(
            sa.select(sa.func.max(data_paths.c.delete_time)).where(
                data_paths.c.dataset == dataset, data_paths.c.id == path
            )
        )
        if deleted is None:
            return NotFound(f"{name} does not exist; list the dataset's paths or create it", resource=name)
        return DataPathDeleted(
            f"{name} was deleted at {deleted:%Y-%m-%d %H:%M} UTC and is in the bin; restore it there",
            resource=name,
        )


class Snapshots:
    """Pinned listings."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def of_revision(self, key: int, revision: int, dataset: str, path: str) -> Snapshot | None:
        """The latest snapshot of the path at that revision; None if there is none."""
        query = (
            sa.select(snapshots)
            .where(snapshots.c.path == key, snapshots.c.revision == revision)
            .order_by(snapshots.c.create_time.desc())
        )
        row = (await self._session.execute(query)).first()
        return None if row is None else _snapshot(row, dataset, path)

    async def named(self, sha256s: Collection[str]) -> set[str]:
        """Those of the hashes that belong to a snapshot."""
        wanted = sa.cast([bytes.fromhex(value) for value in sha256s], sa.ARRAY(sa.LargeBinary))
        rows = await self._session.scalars(
            sa.select(snapshots.c.sha256).where(snapshots.c.sha256 == sa.any_(wanted))
        )
        return {sha256.hex() for sha256 in rows}

    async def put(self, key: int, revision: int, snapshot: Snapshot) -> Snapshot:
        """Store it and return it; the same listing keeps the time of its first snapshot."""
        row = (
            await self._session.execute(
                insert(snapshots)
                .values(
                    path=key,
                    sha256=bytes.fromhex(snapshot.sha256),
                    revision=revision,
                    code_counts=[asdict(count) for count in snapshot.code_counts],
                    create_time=snapshot.create_time,
                )
                .on_conflict_do_update(
                    index_elements=[snapshots.c.path, snapshots.c.sha256],
                    set_={"revision": sa.func.greatest(snapshots.c.revision, revision)},
                )
                .returning(snapshots)
            )
        ).one()
        return _snapshot(row, snapshot.dataset, snapshot.path)

    async def has(self, key: int, sha256: str) -> bool:
        """Whether the path has a snapshot with that manifest."""
        query = sa.select(sa.literal(1)).where(
            snapshots.c.path == key, snapshots.c.sha256 == bytes.fromhex(sha256)
        )
        return await self._session.scalar(query) is not None

    async def exist(self, key: int) -> bool:
        """Whether the path has any snapshot."""
        return (
            await self._session.scalar(sa.select(sa.literal(1)).where(snapshots.c.path == key).limit(1))
            is not None
        )


def _with_totals() -> sa.Select[Any]:
    totals = (
        sa.select(
            sa.func.count(data_paths.c.key.distinct()).label("path_count"),
            sa.cast(sa.func.coalesce(sa.func.sum(code_counts.c.sample_count), 0), sa.BigInteger).label(
                "sample_count"
            ),
        )
        .select_from(data_paths.outerjoin(code_counts, code_counts.c.path == data_paths.c.key))
        .where(data_paths.c.dataset == datasets.c.id, LIVE)
        .lateral("totals")
    )
    return sa.select(datasets, totals.c.path_count, totals.c.sample_count).join(totals, sa.true())


def with_counts() -> sa.Select[Any]:
    """All data paths, those in the bin too, with their counts by code."""
    counted = (
        sa.select(
            sa.func.jsonb_agg(
                aggregate_order_by(
                    sa.func.jsonb_build_array(
                        code_counts.c.code, code_counts.c.sample_count, code_counts.c.mask_count
                    ),
                    code_counts.c.code,
                )
            )
        )
        .where(code_counts.c.path == data_paths.c.key, code_counts.c.sample_count > 0)
        .scalar_subquery()
    )
    tested = sa.func.array(_banks_of_path().order_by(question_banks.c.id).scalar_subquery())
    return sa.select(data_paths, counted.label("counts"), tested.label("question_banks"))


def _banks_of_path() -> sa.Select[tuple[str]]:
    """The banks whose current revision holds the data path of the outer query."""
    return (
        sa.select(question_banks.c.id)
        .join(
            question_bank_snapshots,
            sa.and_(
                question_bank_snapshots.c.bank == question_banks.c.id,
                question_bank_snapshots.c.number == question_banks.c.revision,
            ),
        )
        .where(question_bank_snapshots.c.path == data_paths.c.key, ~question_banks.c.archived)
        .correlate(data_paths)
    )


def _named(dataset: str, path: str) -> sa.ColumnElement[bool]:
    return sa.and_(data_paths.c.dataset == dataset, data_paths.c.id == path, LIVE)


def _key_query(dataset: str, path: str) -> sa.Select[tuple[int, int]]:
    return sa.select(data_paths.c.key, data_paths.c.revision).where(_named(dataset, path))


def path_of(row: Any) -> DataPath:  # noqa: ANN401 -- a row has no static type
    """The path of a row of `with_counts`."""
    return DataPath(
        dataset=row.dataset,
        id=row.id,
        create_time=row.create_time,
        update_time=row.update_time,
        description=row.description,
        revision=row.revision,
        code_counts=tuple(CodeCount(*count) for count in row.counts or ()),
        mask_codes=tuple(row.mask_codes),
        owner=row.owner,
        bits=row.bits,
        question_banks=tuple(row.question_banks),
    )


def _snapshot(row: Any, dataset: str, path: str) -> Snapshot:  # noqa: ANN401 -- a row has no static type
    counts: list[Mapping[str, Any]] = row.code_counts
    return Snapshot(
        dataset=dataset,
        path=path,
        sha256=row.sha256.hex(),
        code_counts=tuple(CodeCount(**count) for count in counts),
        create_time=row.create_time,
    )
