"""Samples as one ZIP that is written while it is sent (P4).

Memory use does not depend on the size of the archive: `_PREFETCHED` objects of at most `_MAX_PREFETCH_BYTES`,
one chunk of a larger object, and about 600 bytes a file for the directory at the end of the archive.
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
from loupe.spreadsheet import escape_formulas

from services.evaluator.domain.report import StoredSample, Verdict
from services.kit.object_store import ObjectStore
from services.vision.pictures import sample_key

INDEX = "index.csv"
CHUNK_BYTES = 256 * 1024
_PREFETCHED = 8
_MAX_PREFETCH_BYTES = 2 * 2**20
"""Objects up to this size are fetched ahead, whole; larger ones are streamed when they are written."""
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
    """The archive in chunks of at most CHUNK_BYTES: the file of every sample, then an index of all samples.

    Files are stored, not compressed: photos are compressed already. A sample whose object is missing is
    listed in the index only.
    """
    sink = _Sink()
    date_time = (max(now.year, 1980), now.month, now.day, now.hour, now.minute, now.second)
    with (
        tempfile.SpooledTemporaryFile(_MAX_PREFETCH_BYTES, mode="w+", encoding="utf-8", newline="") as index,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive,
    ):
        rows = csv.writer(index)
        rows.writerow(_COLUMNS)
        async for sample, fetched in _prefetched(store, samples):
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
            rows.writerow(escape_formulas(_index_row(sample, name)))
        index.seek(0)
        with archive.open(zipfile.ZipInfo(INDEX, date_time), "w") as file:
            while text := index.read(CHUNK_BYTES // 4):
                file.write(text.encode())
                for piece in sink.pieces():
                    yield piece
    for piece in sink.pieces():
        yield piece


async def _chunks(store: ObjectStore, sample: StoredSample, data: bytes | None) -> AsyncIterator[bytes]:
    """The bytes that were fetched ahead, or the object streamed from the store."""
    if data is not None:
        yield data
        return
    async for chunk in store.stream(sample_key(sample.result.sha256), chunk_bytes=CHUNK_BYTES):
        yield chunk


def archive_name(sample: StoredSample) -> str:
    """`{true code}/{predicted}_{confidence}_{file}`, valid on every file system, no path traversal."""
    result = sample.result
    prediction = "NONCONFORMING"
    if result.verdict is not Verdict.NONCONFORMING:
        prediction = f"{_safe(result.predicted_code)}_{result.confidence:.3f}"
    return f"{_safe(result.true_code)}/{prediction}_{_safe(PurePosixPath(result.file).name)}"


def _free_name(archive: zipfile.ZipFile, sample: StoredSample) -> str:
    """The name of the sample in the archive; with its ordinal if another sample has that name."""
    name = archive_name(sample)
    if name not in archive.NameToInfo:
        return name
    folder, _, file = name.partition("/")
    return f"{folder}/{sample.ordinal}_{file}"


def _safe(text: str) -> str:
    """The text without characters that are special on some system, such as separators and wildcards."""
    kept = "".join(c if c.isprintable() and c not in '<>:"/\\|?*' else "_" for c in text).strip(" .")
    encoded = kept.encode(errors="replace")
    if len(encoded) > _MAX_NAME_BYTES:
        # Keep the end: it has the file extension.
        kept = encoded[-_MAX_NAME_BYTES:].decode(errors="ignore")
    return kept or "_"


def _index_row(sample: StoredSample, name: str) -> tuple[object, ...]:
    """A row of the index; `name` is the file in the archive, empty if the object is missing."""
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


async def _prefetched(
    store: ObjectStore, samples: AsyncIterator[StoredSample]
) -> AsyncIterator[tuple[StoredSample, "asyncio.Task[bytes | None]"]]:
    """The samples in their order, each with the task that fetches its bytes; None for those too large."""

    async def fetch(sample: StoredSample) -> bytes | None:
        try:
            return await store.get_bytes(sample_key(sample.result.sha256), max_bytes=_MAX_PREFETCH_BYTES)
        except OutOfRange:
            return None

    waiting: collections.deque[tuple[StoredSample, asyncio.Task[bytes | None]]] = collections.deque()
    try:
        async for sample in samples:
            waiting.append((sample, asyncio.create_task(fetch(sample))))
            if len(waiting) >= _PREFETCHED:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        # The client stopped reading the archive.
        unused = [task for _, task in waiting]
        for task in unused:
            task.cancel()
        await asyncio.gather(*unused, return_exceptions=True)


class _Sink(io.BytesIO):
    """Bytes written to the archive and not yet sent. Not seekable: sizes and checksums follow their bytes."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        # zipfile then counts the bytes itself.
        raise io.UnsupportedOperation("tell")

    def pieces(self) -> list[bytes]:
        """Take these bytes out, in pieces of at most CHUNK_BYTES."""
        data = self.getvalue()
        self.seek(0)
        self.truncate()
        return [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
