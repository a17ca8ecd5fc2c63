"""The importing of samples: hash, ask what is missing, upload that, and list it (D2)."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
from loupe.folders import FolderListing, FoundSample
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2, dataset_service_pb2_grpc

from services.kit.errors import Unavailable

_BATCH = 200
"""Samples a round. A call may add 500 and ask for 1000 objects, of which a sample has up to two."""
_THREADS = 8
_BATCHES_AT_ONCE = 2
_ADD_TIMEOUT_S = 300.0

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


@dataclass(frozen=True, slots=True)
class _Hashed:
    sample: FoundSample
    sha256: str
    mask_sha256: str


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
                data_path=dataset_pb2.DataPath(description=description),
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
        )

    async def _import(
        self, parent: str, batch: Sequence[FoundSample], tally: _Tally, threads: ThreadPoolExecutor
    ) -> None:
        loop = asyncio.get_running_loop()
        hashed = await asyncio.gather(*(loop.run_in_executor(threads, _hash, sample) for sample in batch))
        files: dict[str, Path] = {}
        for item in hashed:
            files[item.sha256] = item.sample.image
            if item.sample.mask is not None:
                files[item.mask_sha256] = item.sample.mask
        plan = await self._datasets.PlanSampleUploads(
            dataset_service_pb2.PlanSampleUploadsRequest(parent=parent, sha256s=sorted(files)), timeout=60
        )

        async def upload(sha256: str, url: str) -> None:
            # Two steps: `+= await` would add to the sum as it was before the wait.
            size = await loop.run_in_executor(threads, self._put, files[sha256], url)
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
        tally.outcomes.extend(answer.outcomes)
        tally.done += len(batch)
        self._tell(tally)

    def _put(self, file: Path, url: str) -> int:
        size = file.stat().st_size
        with file.open("rb") as body:
            # An empty file is offered all the same: the registry says what is wrong with it.
            answer = self._http.request(
                "PUT", url, body=body if size else b"", headers={"Content-Length": str(size)}
            )
        if answer.status not in (200, 201, 204):
            raise Unavailable(
                f"object storage answered {answer.status} to the upload of {file}; try again", file=file
            )
        return size

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
    mask_sha256 = "" if sample.mask is None else _sha256(sample.mask)
    return _Hashed(sample, _sha256(sample.image), mask_sha256)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
