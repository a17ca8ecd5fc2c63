"""Many samples as one ZIP that is written while it is sent (P4).

Memory holds `_AHEAD` objects of at most `_WHOLE_BYTES`, one chunk of a larger one, and some 600 bytes a file
for the directory at the archive's end, whatever the size of the whole.
"""

import asyncio
import collections
import csv
import io
import tempfile
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import PurePosixPath

from loupe.errors import NotFound, OutOfRange

from services.evaluator.cells import inert
from services.evaluator.domain.report import StoredSample, Verdict
from services.kit.object_store import ObjectStore
from services.vision.pictures import sample_key

INDEX = "index.csv"
CHUNK_BYTES = 256 * 1024
_AHEAD = 8
_WHOLE_BYTES = 2 * 2**20
"""Objects up to here are fetched whole before their turn; larger ones are streamed in it."""
_MAX_NAME_BYTES = 120
_COLUMNS = (
    "archive_file",
    "sample_result",
    "data_path",
    "file",
    "sha256",
    "true_code",
    "verdict",
    "predicted_code",
    "confidence",
    "top",
    "decided_by",
    "reason",
    "missing",
)


async def zip_samples(
    store: ObjectStore, samples: AsyncIterator[StoredSample], now: datetime
) -> AsyncIterator[bytes]:
    """The archive in chunks of at most CHUNK_BYTES: every sample's original, then an index of all.

    Stored, not compressed: photos are compressed already. An object that is missing is a line of the index.
    """
    sink = _Sink()
    date_time = (max(now.year, 1980), now.month, now.day, now.hour, now.minute, now.second)
    with (
        tempfile.SpooledTemporaryFile(_WHOLE_BYTES, mode="w+", encoding="utf-8", newline="") as index,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive,
    ):
        rows = csv.writer(index)
        rows.writerow(_COLUMNS)
        async for sample, fetched in _fetched_ahead(store, samples):
            name = _free_name(archive, sample)
            try:
                data = await fetched
                with archive.open(zipfile.ZipInfo(name, date_time), "w", force_zip64=data is None) as file:
                    async for chunk in _chunks(store, sample, data):
                        file.write(chunk)
                        for piece in sink.pieces():
                            yield piece
            except NotFound:
                name = ""
            rows.writerow(inert(_row(sample, name)))
        index.seek(0)
        with archive.open(zipfile.ZipInfo(INDEX, date_time), "w") as file:
            while text := index.read(CHUNK_BYTES // 4):
                file.write(text.encode())
                for piece in sink.pieces():
                    yield piece
    for piece in sink.pieces():
        yield piece


async def _chunks(store: ObjectStore, sample: StoredSample, data: bytes | None) -> AsyncIterator[bytes]:
    """What was fetched, or the object from the store."""
    if data is not None:
        yield data
        return
    async for chunk in store.stream(sample_key(sample.result.sha256), chunk_bytes=CHUNK_BYTES):
        yield chunk


def archive_name(sample: StoredSample) -> str:
    """`{true code}/{predicted}_{confidence}_{file}`, safe on every file system and against path tricks."""
    result = sample.result
    judged = "NONCONFORMING"
    if result.verdict is not Verdict.NONCONFORMING:
        judged = f"{_safe(result.predicted_code)}_{result.confidence:.3f}"
    return f"{_safe(result.true_code)}/{judged}_{_safe(PurePosixPath(result.file).name)}"


def _free_name(archive: zipfile.ZipFile, sample: StoredSample) -> str:
    """The sample's name in the archive; with its number where another data path has the same."""
    name = archive_name(sample)
    if name not in archive.NameToInfo:
        return name
    folder, _, file = name.partition("/")
    return f"{folder}/{sample.ordinal}_{file}"


def _safe(text: str) -> str:
    """Without what some system gives a meaning: separators, drives, wildcards, dots at the ends."""
    kept = "".join(c if c.isprintable() and c not in '<>:"/\\|?*' else "_" for c in text).strip(" .")
    encoded = kept.encode(errors="replace")
    if len(encoded) > _MAX_NAME_BYTES:
        # The end has the extension.
        kept = encoded[-_MAX_NAME_BYTES:].decode(errors="ignore")
    return kept or "_"


def _row(sample: StoredSample, name: str) -> tuple[object, ...]:
    """A line of the index; without a name in the archive, the object is missing."""
    result = sample.result
    predicted = result.verdict is not Verdict.NONCONFORMING
    return (
        name,
        sample.name,
        result.data_path,
        result.file,
        result.sha256,
        result.true_code,
        result.verdict.name,
        result.predicted_code,
        f"{result.confidence:.6f}" if predicted else "",
        " ".join(f"{score.code}:{score.score:.6f}" for score in result.top),
        result.decided_by.name if predicted else "",
        result.reason,
        "" if name else "missing",
    )


async def _fetched_ahead(
    store: ObjectStore, samples: AsyncIterator[StoredSample]
) -> AsyncIterator[tuple[StoredSample, "asyncio.Task[bytes | None]"]]:
    """The samples in their order, each with its bytes on their way; None for those too large to be kept."""

    async def fetch(sample: StoredSample) -> bytes | None:
        try:
            return await store.get_bytes(sample_key(sample.result.sha256), max_bytes=_WHOLE_BYTES)
        except OutOfRange:
            return None

    waiting: collections.deque[tuple[StoredSample, asyncio.Task[bytes | None]]] = collections.deque()
    try:
        async for sample in samples:
            waiting.append((sample, asyncio.create_task(fetch(sample))))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        # Who reads the archive went away.
        left = [task for _, task in waiting]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class _Sink(io.BytesIO):
    """What the archive wrote and nobody took yet. It cannot seek: sizes and checksums follow their bytes."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        # zipfile then counts by itself.
        raise io.UnsupportedOperation("tell")

    def pieces(self) -> list[bytes]:
        """Take it, in pieces of at most CHUNK_BYTES."""
        data = self.getvalue()
        self.seek(0)
        self.truncate()
        return [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
