"""Rows of samples and inspected objects. A batch is sent as arrays in one statement."""

import json
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from loupe.image_files import UPRIGHT
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.objects import (
    DEEP_BITS,
    RULES,
    ImageObject,
    MaskFacts,
    MaskFault,
    RejectedObject,
    Rejection,
    RejectReason,
    Verified,
)
from services.registry.domain.samples import Sample
from services.registry.storage.tables import objects, samples

_STREAM_ROWS = 2000

# SQLAlchemy takes a second to compile a statement with a thousand rows of parameters, and no time for arrays.
_OBJECT_COLUMNS = (
    "sha256",
    "size_bytes",
    "width",
    "height",
    "channels",
    "bit_depth",
    "format",
    "pixels_sha256",
    "mask",
    "orientation",
    "doubt",
    "rules",
    "reject_reason",
    "reject_message",
)
_OBJECT_TYPES = (
    "bytea", "bigint", "int", "int", "smallint", "smallint", "text", "bytea", "jsonb", "smallint", "text",
    "smallint", "text", "text",
)  # fmt: skip
_PUT_OBJECTS = sa.text(
    f"INSERT INTO objects ({', '.join(_OBJECT_COLUMNS)}, verify_time) "  # noqa: S608 -- names of our own columns
    "SELECT *, CAST(:now AS timestamptz) FROM unnest("
    + ", ".join(
        f"CAST(:{name} AS {kind}[])" for name, kind in zip(_OBJECT_COLUMNS, _OBJECT_TYPES, strict=True)
    )
    + ") ON CONFLICT (sha256) DO UPDATE SET verify_time = excluded.verify_time, damaged = false, "
    + ", ".join(f"{name} = excluded.{name}" for name in _OBJECT_COLUMNS if name != "sha256")
    + " WHERE objects.reject_reason = 'HASH_MISMATCH' OR objects.damaged"
    " OR (objects.mask IS NULL AND excluded.mask IS NOT NULL) OR objects.rules < excluded.rules"
)
_PUT_SAMPLES = sa.text(
    """
    INSERT INTO samples (path, file, code, sha256, mask_sha256, group_key, pixels_sha256, create_time)
    SELECT CAST(:path AS bigint), *, CAST(:now AS timestamptz)
    FROM unnest(
        CAST(:files AS text[]), CAST(:codes AS text[]), CAST(:sha256s AS bytea[]),
        CAST(:mask_sha256s AS bytea[]), CAST(:groups AS text[]), CAST(:pixels AS bytea[])
    )
    ON CONFLICT (path, file) DO UPDATE SET sha256 = excluded.sha256, mask_sha256 = excluded.mask_sha256,
        group_key = excluded.group_key, pixels_sha256 = excluded.pixels_sha256,
        create_time = excluded.create_time
    """
)
# Bytes, pixels or a group of only one sample joins nothing and is left out, so that there are few rows.
_SHARED_KEYS = sa.text(
    """
    SELECT code, sha256, group_key, pixels_sha256, count(*) AS samples
    FROM (
        SELECT code,
            CASE WHEN count(*) OVER (PARTITION BY sha256) > 1 THEN sha256 END AS sha256,
            CASE WHEN count(*) OVER (PARTITION BY group_key) > 1 THEN group_key END AS group_key,
            CASE WHEN count(*) OVER (PARTITION BY pixels_sha256) > 1 THEN pixels_sha256 END AS pixels_sha256
        FROM samples
        WHERE path = ANY(CAST(:paths AS bigint[])) AND code = ANY(CAST(:codes AS text[]))
    ) AS shared
    GROUP BY code, sha256, group_key, pixels_sha256
    """
)


_MAX_TWINS = 100
"""Samples with the pixels of one: a picture may lie in hundreds of paths."""
_SAME_PIXELS = sa.text(
    """
    SELECT wanted.pixels, twin.dataset, twin.id, twin.code, twin.file
    FROM unnest(CAST(:pixels AS bytea[])) AS wanted (pixels) CROSS JOIN LATERAL (
        SELECT p.dataset, p.id, s.code, s.file
        FROM samples s JOIN data_paths p ON p.key = s.path
        WHERE s.pixels_sha256 = wanted.pixels AND p.delete_time IS NULL
        ORDER BY p.dataset <> :dataset, p.dataset, p.id, s.file
        LIMIT :limit
    ) AS twin
    """
)


class ObjectRows:
    """The findings about objects whose bytes were read."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, sha256s: Collection[str]) -> dict[str, Verified]:
        """The stored findings, by hash."""
        wanted = sa.any_(sa.cast([bytes.fromhex(value) for value in sha256s], sa.ARRAY(sa.LargeBinary)))
        rows = await self._session.execute(sa.select(objects).where(objects.c.sha256 == wanted))
        return {row.sha256.hex(): _verified(row) for row in rows}

    async def put(self, found: Collection[Verified], now: datetime) -> None:
        """Store findings; what is there stays if it is final, sound, of these rules and has mask facts."""
        if not found:
            return
        # Always in the same order, so that two imports of the same bytes cannot deadlock.
        rows = [_object_row(item) for item in sorted(found, key=lambda item: item.sha256)]
        columns = dict(zip(_OBJECT_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
        await self._session.execute(_PUT_OBJECTS, {**columns, "now": now})


@dataclass(frozen=True, slots=True)
class Listed:
    """The entry of one file in a listing."""

    sha256: str
    mask_sha256: str | None
    group: str | None

    @classmethod
    def of(cls, sample: Sample) -> "Listed":
        """The entry of a sample."""
        return cls(sample.image.sha256, sample.mask_sha256, sample.group)


@dataclass(frozen=True, slots=True)
class Twin:
    """A sample that has the pixels of another one."""

    dataset: str
    path: str
    code: str
    file: str

    @property
    def name(self) -> str:
        """As messages have it, which tells it from those of all paths."""
        return f"datasets/{self.dataset}/paths/{self.path}/{self.file}"


@dataclass(frozen=True, slots=True)
class Alike:
    """Samples of one code with the same hashes and group; None for a hash or group that is not shared."""

    code: str
    sha256: str | None
    group: str | None
    pixels_sha256: str | None
    samples: int

    @property
    def is_shared(self) -> bool:
        """Whether they share anything with other samples."""
        return bool(self.sha256 or self.group or self.pixels_sha256)


class Samples:
    """The listing of a data path, by the path's key."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def listed(self, key: int, files: Collection[str]) -> dict[str, Listed]:
        """The entries of these files; files that are not listed are left out."""
        rows = await self._session.execute(
            sa.select(samples.c.file, samples.c.sha256, samples.c.mask_sha256, samples.c.group_key).where(
                samples.c.path == key, samples.c.file == sa.any_(sa.cast(list(files), sa.ARRAY(sa.Text)))
            )
        )
        return {row.file: Listed(row.sha256.hex(), _hex(row.mask_sha256), row.group_key) for row in rows}

    async def of_files(self, key: int, files: Collection[str]) -> dict[str, Sample]:
        """The samples of these files, by file; files that are not listed are left out."""
        wanted = sa.any_(sa.cast(list(files), sa.ARRAY(sa.Text)))
        rows = await self._session.execute(
            _with_image().where(samples.c.path == key, samples.c.file == wanted)
        )
        return {row.file: _sample(row) for row in rows}

    async def remove(self, key: int, files: Collection[str]) -> None:
        """Remove these files from the listing."""
        removed = sa.any_(sa.cast(list(files), sa.ARRAY(sa.Text)))
        await self._session.execute(
            sa.delete(samples).where(samples.c.path == key, samples.c.file == removed)
        )

    async def put(self, key: int, changed: Sequence[Sample], now: datetime) -> None:
        """List the samples; each replaces the former sample of its file."""
        if not changed:
            return
        await self._session.execute(
            _PUT_SAMPLES,
            {
                "path": key,
                "now": now,
                "files": [sample.file for sample in changed],
                "codes": [sample.code for sample in changed],
                "sha256s": [bytes.fromhex(sample.image.sha256) for sample in changed],
                "mask_sha256s": [_bytes(sample.mask_sha256) for sample in changed],
                "groups": [sample.group for sample in changed],
                "pixels": [bytes.fromhex(sample.image.pixels_sha256) for sample in changed],
            },
        )

    async def same_pixels(self, dataset: str, pixels_sha256s: Collection[str]) -> dict[str, list[Twin]]:
        """Samples with these pixels, of this dataset first, by the hash of the pixels."""
        values = {
            "dataset": dataset,
            "pixels": [bytes.fromhex(value) for value in pixels_sha256s],
            "limit": _MAX_TWINS,
        }
        found: dict[str, list[Twin]] = {}
        for pixels, *twin in await self._session.execute(_SAME_PIXELS, values):
            found.setdefault(pixels.hex(), []).append(Twin(*twin))
        return found

    async def has_deep(self, key: int) -> bool:
        """Whether the path lists a picture of 16 bits."""
        query = (
            sa.select(sa.literal(1))
            .join_from(samples, objects, objects.c.sha256 == samples.c.sha256)
            .where(samples.c.path == key, objects.c.bit_depth == DEEP_BITS)
            .limit(1)
        )
        return await self._session.scalar(query) is not None

    async def listing(self, key: int, page: RowPageRequest, *, code: str | None) -> RowPage[Sample]:
        """A page of the samples of a data path, sorted by file; of one code, if it is given."""
        query = _with_image().where(samples.c.path == key).order_by(samples.c.file).limit(page.limit)
        if code is not None:
            query = query.where(samples.c.code == code)
        if page.after is not None:
            query = query.where(samples.c.file > page.after[0])
        rows = (await self._session.execute(query)).all()
        return page.cut([_sample(row) for row in rows], lambda item: (item.file,))

    async def alike(self, keys: Collection[int], codes: Collection[str]) -> list[Alike]:
        """The samples of these codes in these paths, grouped by shared hashes and group."""
        # Sorting a million samples needs more than the default work_mem of 4 MB.
        await self._session.execute(sa.text("SET LOCAL work_mem = '256MB'"))
        rows = await self._session.execute(_SHARED_KEYS, {"paths": list(keys), "codes": list(codes)})
        return [
            Alike(row.code, _hex(row.sha256), row.group_key, _hex(row.pixels_sha256), row.samples)
            for row in rows
        ]

    async def batches(self, key: int) -> AsyncIterator[list[Sample]]:
        """Every sample by file, streamed in one consistent read."""
        query = _with_image().where(samples.c.path == key).order_by(samples.c.file)
        rows = await self._session.stream(query.execution_options(yield_per=_STREAM_ROWS))
        async for partition in rows.partitions():
            yield [_sample(row) for row in partition]


def _with_image() -> sa.Select[Any]:
    image = objects.alias("image")
    return sa.select(
        samples,
        image.c.size_bytes,
        image.c.width,
        image.c.height,
        image.c.channels,
        image.c.bit_depth,
        image.c.format,
    ).join(image, image.c.sha256 == samples.c.sha256)


def _sample(row: Any) -> Sample:  # noqa: ANN401 -- a row has no static type
    return Sample(
        file=row.file,
        code=row.code,
        image=ImageObject(
            sha256=row.sha256.hex(),
            size_bytes=row.size_bytes,
            width=row.width,
            height=row.height,
            channels=row.channels,
            bit_depth=row.bit_depth,
            format=row.format,
            pixels_sha256=row.pixels_sha256.hex(),
        ),
        mask_sha256=_hex(row.mask_sha256),
        group=row.group_key,
        create_time=row.create_time,
    )


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def _object_row(item: Verified) -> tuple[object, ...]:
    sha256 = bytes.fromhex(item.sha256)
    match item:
        case ImageObject():
            facts = (item.width, item.height, item.channels, item.bit_depth, item.format)
            mask = None if item.mask is None else json.dumps(asdict(item.mask), ensure_ascii=False)
            pixels = (bytes.fromhex(item.pixels_sha256), mask, item.orientation, item.doubt, item.rules)
            return (sha256, item.size_bytes, *facts, *pixels, None, None)
        case RejectedObject():
            rejection = item.rejection
            shown = (UPRIGHT, "", RULES)
            return (sha256, item.size_bytes, *[None] * 7, *shown, rejection.reason.value, rejection.message)


def _verified(row: Any) -> Verified:  # noqa: ANN401 -- a row has no static type
    sha256 = row.sha256.hex()
    if row.reject_reason is not None:
        return RejectedObject(
            sha256, row.size_bytes, Rejection(RejectReason(row.reject_reason), row.reject_message)
        )
    return ImageObject(
        sha256=sha256,
        size_bytes=row.size_bytes,
        width=row.width,
        height=row.height,
        channels=row.channels,
        bit_depth=row.bit_depth,
        format=row.format,
        pixels_sha256=row.pixels_sha256.hex(),
        mask=None if row.mask is None else _mask_facts(row.mask),
        damaged=row.damaged,
        orientation=row.orientation,
        doubt=row.doubt,
        rules=row.rules,
    )


def _mask_facts(stored: dict[str, Any]) -> MaskFacts:
    faults = {
        name: MaskFault(**stored[name]) if stored[name] else None for name in ("black_and_white", "indexed")
    }
    return MaskFacts(**faults, largest_index=stored["largest_index"])
