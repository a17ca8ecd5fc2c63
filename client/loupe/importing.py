"""The importing of samples: hash, ask what is missing, upload that, and list it (D2)."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import urllib3
from loupe.folders import FolderListing, FoundSample, Made
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2, dataset_service_pb2_grpc

from services.kit.errors import Unavailable

_BATCH = 200
"""Samples a round. A call may add 500 and ask for 1000 objects, of which a sample has up to two."""
_THREADS = 8
_BATCHES_AT_ONCE = 2
_ADD_TIMEOUT_S = 300.0
_SENT_AGAIN = frozenset({"HASH_MISMATCH", "NOT_UPLOADED"})
"""Reasons that a second upload cures: the cut end of a killed import may have come after ours."""
_KEPT_BYTES = 256 * 2**10
"""Larger things that are made are made again for the upload: a round of them would fill the memory."""

Outcome = dataset_pb2.SampleOutcome.Outcome


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is."""

    done: int
    total: int
    uploaded: int
    """Objects sent so far, images and masks."""
    uploaded_bytes: int


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of every candidate."""

    data_path: dataset_pb2.DataPath
    outcomes: tuple[dataset_pb2.SampleOutcome, ...]
    """By file."""
    uploaded: int
    uploaded_bytes: int
    identical: tuple[tuple[str, ...], ...] = ()
    """Files of one code with the same bytes, which may fall on both sides of a split (D2, D3)."""

    def count(self, outcome: int) -> int:
        """How many candidates had that outcome."""
        return sum(item.outcome == outcome for item in self.outcomes)

    @property
    def rejected(self) -> tuple[dataset_pb2.SampleOutcome, ...]:
        """Those that were set aside, each with its reason (D4)."""
        return tuple(item for item in self.outcomes if item.outcome == Outcome.OUTCOME_REJECTED)

    @property
    def ambiguous(self) -> tuple[dataset_pb2.SampleOutcome, ...]:
        """Those whose pixels are there under another code too (D2)."""
        return tuple(item for item in self.outcomes if item.same_pixels_under_other_codes)


@dataclass(slots=True)
class _Tally:
    total: int
    done: int = 0
    uploaded: int = 0
    uploaded_bytes: int = 0
    outcomes: list[dataset_pb2.SampleOutcome] = field(default_factory=list)
    files: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """By code and the content's hash."""


@dataclass(frozen=True, slots=True)
class _Hashed:
    sample: FoundSample
    sha256: str
    mask_sha256: str
    contents: dict[str, "_Content"]
    """By hash."""


@dataclass(frozen=True, slots=True)
class _Content:
    """Where bytes come from: a file, or made ones that are small enough to keep, or made again."""

    source: Path | Made
    kept: bytes | None = None


class SampleImport:
    """One import; hashing and uploading run in threads while the registry checks the batch before."""

    def __init__(
        self,
        datasets: "dataset_service_pb2_grpc.DatasetServiceAsyncStub",
        on_progress: Callable[[ImportProgress], None],
    ) -> None:
        self._datasets = datasets
        self._on_progress = on_progress
        self._http = urllib3.PoolManager(
            maxsize=_THREADS,
            retries=urllib3.Retry(
                total=5, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), allowed_methods=None
            ),
            timeout=urllib3.Timeout(connect=5, read=120),
        )

    async def run(self, listing: FolderListing, *, dataset: str, path: str, description: str) -> ImportResult:
        """Import the listing's samples into `dataset`/paths/`path`."""
        await self._datasets.CreateDataset(
            dataset_service_pb2.CreateDatasetRequest(
                dataset_id=dataset.removeprefix("datasets/"),
                dataset=dataset_pb2.Dataset(description=description),
                allow_existing=True,
            )
        )
        data_path = await self._datasets.CreateDataPath(
            dataset_service_pb2.CreateDataPathRequest(
                parent=dataset,
                data_path_id=path,
                data_path=dataset_pb2.DataPath(description=description, mask_codes=listing.mask_codes),
                allow_existing=True,
            )
        )
        tally = _Tally(total=len(listing.samples))
        self._tell(tally)
        batches = [listing.samples[start : start + _BATCH] for start in range(0, tally.total, _BATCH)]
        turns = asyncio.Semaphore(_BATCHES_AT_ONCE)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="loupe-import") as threads:

            async def in_turn(batch: Sequence[FoundSample]) -> None:
                async with turns:
                    await self._import(data_path.name, batch, tally, threads)

            await _all(in_turn(batch) for batch in batches)
        self._http.clear()
        return ImportResult(
            data_path=await self._datasets.GetDataPath(
                dataset_service_pb2.GetDataPathRequest(name=data_path.name)
            ),
            outcomes=tuple(sorted(tally.outcomes, key=lambda outcome: outcome.file)),
            uploaded=tally.uploaded,
            uploaded_bytes=tally.uploaded_bytes,
            identical=tuple(sorted(tuple(sorted(files)) for files in tally.files.values() if len(files) > 1)),
        )

    async def _import(
        self, parent: str, batch: Sequence[FoundSample], tally: _Tally, threads: ThreadPoolExecutor
    ) -> None:
        loop = asyncio.get_running_loop()
        hashed = await asyncio.gather(*(loop.run_in_executor(threads, _hash, sample) for sample in batch))
        for item in hashed:
            tally.files.setdefault((item.sample.code, item.sha256), []).append(item.sample.file)
        outcomes = await self._offer(parent, hashed, tally, threads)
        again = {item.file for item in outcomes if item.reason in _SENT_AGAIN}
        if again:
            repeated = [item for item in hashed if item.sample.file in again]
            second = await self._offer(parent, repeated, tally, threads)
            outcomes = [*(item for item in outcomes if item.file not in again), *second]
        tally.outcomes.extend(outcomes)
        tally.done += len(batch)
        self._tell(tally)

    async def _offer(
        self, parent: str, hashed: Sequence[_Hashed], tally: _Tally, threads: ThreadPoolExecutor
    ) -> list[dataset_pb2.SampleOutcome]:
        """Upload what of these lacks, and have them listed."""
        loop = asyncio.get_running_loop()
        contents = {sha256: content for item in hashed for sha256, content in item.contents.items()}
        plan = await self._datasets.PlanSampleUploads(
            dataset_service_pb2.PlanSampleUploadsRequest(parent=parent, sha256s=sorted(contents)), timeout=60
        )

        async def upload(sha256: str, url: str) -> None:
            # Two steps: `+= await` would add to the sum as it was before the wait.
            size = await loop.run_in_executor(threads, self._put, contents[sha256], url)
            tally.uploaded_bytes += size
            tally.uploaded += 1
            self._tell(tally)

        await _all(upload(missing.sha256, missing.url) for missing in plan.uploads)
        answer = await self._datasets.AddSamples(
            dataset_service_pb2.AddSamplesRequest(
                parent=parent,
                candidates=[
                    dataset_pb2.SampleCandidate(
                        file=item.sample.file,
                        sha256=item.sha256,
                        mask_sha256=item.mask_sha256,
                        group=item.sample.group,
                    )
                    for item in hashed
                ],
            ),
            timeout=_ADD_TIMEOUT_S,
        )
        return list(answer.outcomes)

    def _put(self, content: _Content, url: str) -> int:
        if isinstance(content.source, Path):
            size = content.source.stat().st_size
            with content.source.open("rb") as body:
                # An empty file is offered all the same: the registry says what is wrong with it.
                self._send(url, body if size else b"", size)
            return size
        data = content.kept if content.kept is not None else content.source.make()
        self._send(url, data, len(data))
        return len(data)

    def _send(self, url: str, body: bytes | BinaryIO, size: int) -> None:
        answer = self._http.request("PUT", url, body=body, headers={"Content-Length": str(size)})
        if answer.status not in (200, 201, 204):
            name = getattr(body, "name", "a made mask")
            raise Unavailable(f"object storage answered {answer.status} to the upload of {name}; try again")

    def _tell(self, tally: _Tally) -> None:
        self._on_progress(ImportProgress(tally.done, tally.total, tally.uploaded, tally.uploaded_bytes))


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all; the first failure is raised as it is, and ends the others."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _hash(sample: FoundSample) -> _Hashed:
    contents: dict[str, _Content] = {}
    sha256s = ["" if source is None else _read(source, contents) for source in (sample.image, sample.mask)]
    return _Hashed(sample, sha256s[0], sha256s[1], contents)


def _read(source: Path | Made, contents: dict[str, _Content]) -> str:
    """The hash of the bytes; says in `contents` where to have them from."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        contents[sha256] = _Content(source)
        return sha256
    data = source.make()
    sha256 = hashlib.sha256(data).hexdigest()
    contents[sha256] = _Content(source, data if len(data) <= _KEPT_BYTES else None)
    return sha256
