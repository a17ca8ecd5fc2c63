"""Imports samples: hash them, ask the registry which are missing, upload those, and list all (D2)."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import urllib3
from loupe.deep_pictures import require_pillow
from loupe.errors import Unavailable
from loupe.folders import FolderListing, FoundSample, GeneratedBytes, scaled
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2, dataset_service_pb2_grpc, import_report_pb2
from loupe.text import as_utf8
from loupe.translation import Sentence, sentence
from loupe.unusable import Unusable
from loupe.walking import MAX_FILE_BYTES, LeftOut, fault_of, open_file, too_large

_BATCH = 200
"""Samples a round. A call may add 500 and ask for 1000 objects, of which a sample has up to two."""
_THREADS = 8
_BATCHES_AT_ONCE = 2
_PLAN_TIMEOUT_S = _ADD_TIMEOUT_S = 300.0
_SENT_AGAIN = frozenset({"HASH_MISMATCH", "NOT_UPLOADED"})
"""Reasons for a second upload: the end of an upload that was killed may have arrived after ours."""
_CHUNK_BYTES = 2**20
_COPIED_IN_MEMORY_BYTES = 16 * 2**20
_KEPT_BYTES = 256 * 2**10
"""Larger generated masks are generated again for the upload: a batch of them would fill the memory."""

_OF_MASK = "the mask: "
"""Begins what is told of a mask, here and by the registry."""

ImportOutcome = dataset_pb2.SampleOutcome.Outcome


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """The progress of an import."""

    done: int
    total: int
    uploaded: int
    """Objects sent so far, images and masks."""
    uploaded_bytes: int


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The outcome of every candidate."""

    data_path: dataset_pb2.DataPath
    outcomes: tuple[dataset_pb2.SampleOutcome, ...]
    """By file."""
    uploaded: int
    uploaded_bytes: int
    identical: tuple[tuple[str, ...], ...] = ()
    """Files of one code with the same bytes, which are one group of the split (D2, D3)."""
    left_out: tuple[LeftOut, ...] = ()
    """Files that looked like masks and are none (D5), and the masks of pictures that were refused (D7)."""
    size_bytes: int = 0
    """Of all pictures and masks that could be read."""
    bits: int = 0
    """By which deep pictures were scaled: those of the listing, or of the data path (D6)."""
    lines: tuple[import_report_pb2.ImportReportLine, ...] = ()
    """Of its report: every file that is not taken or doubtful (D7)."""
    report: str = ""
    """The name under which the registry keeps the report."""
    report_fault: str = ""
    """Why it keeps none."""

    def count(self, outcome: int) -> int:
        """How many candidates had that outcome."""
        return sum(item.outcome == outcome for item in self.outcomes)

    @property
    def rejected(self) -> tuple[dataset_pb2.SampleOutcome, ...]:
        """Those that were set aside, each with its reason (D4)."""
        return tuple(item for item in self.outcomes if item.outcome == ImportOutcome.OUTCOME_REJECTED)

    @property
    def doubtful(self) -> tuple[dataset_pb2.SampleOutcome, ...]:
        """Those that are taken and that a person should look at, each with its reason (D6)."""
        return tuple(
            item for item in self.outcomes if item.reason and item.outcome != ImportOutcome.OUTCOME_REJECTED
        )

    @property
    def ambiguous(self) -> tuple[dataset_pb2.SampleOutcome, ...]:
        """Those whose pixels are there under another code too (D2)."""
        return tuple(item for item in self.outcomes if item.same_pixels_under_other_codes)

    @property
    def in_other_bytes(self) -> dict[str, tuple[str, ...]]:
        """By file: others of the path with the same pixels and code, without those of `identical`."""
        found: dict[str, set[str]] = {item.file: set() for item in self.outcomes}
        for item in self.outcomes:
            for file in item.same_pixels_under_same_code:
                found[item.file].add(file)
                # The outcome of the first one was told before the second was there.
                if file in found:
                    found[file].add(item.file)
        for files in self.identical:
            for file in files:
                found[file].difference_update(files)
        return {file: tuple(sorted(others)) for file, others in found.items() if others}


@dataclass(slots=True)
class _Tally:
    total: int
    done: int = 0
    uploaded: int = 0
    uploaded_bytes: int = 0
    size_bytes: int = 0
    outcomes: list[dataset_pb2.SampleOutcome] = field(default_factory=list)
    files: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """By code and the content's hash."""
    left_out: list[LeftOut] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Hashed:
    sample: FoundSample
    image: "_Content"
    mask: "_Content | None"

    @property
    def contents(self) -> "tuple[_Content, ...]":
        """What is to be uploaded."""
        return (self.image,) if self.mask is None else (self.image, self.mask)

    def fault(self, unusable: Mapping[str, Unusable]) -> Unusable | None:
        """What is wrong with it, where contents of these hashes are unusable."""
        for content, which in ((self.image, ""), (self.mask, _OF_MASK)):
            if content is not None and (found := unusable.get(content.sha256)):
                return _of(which, found)
        return None

    def without_mask(self) -> "_Hashed":
        """The picture alone."""
        return replace(self, mask=None)


@dataclass(frozen=True, slots=True)
class _Content:
    """Bytes to upload: of a file, or generated; generated ones are kept if they are small."""

    source: Path | GeneratedBytes
    sha256: str
    size: int
    kept: bytes | None = None

    def open(self) -> IO[bytes]:
        """A copy of the bytes; Unusable where they are not those that were hashed.

        A copy, because an upload that is broken off leaves the bytes that it sent in the store.
        """
        if not isinstance(self.source, Path):
            return self._copied(BytesIO(self.source.make() if self.kept is None else self.kept))
        with open_file(self.source) as file:
            return self._copied(file)

    def _copied(self, file: IO[bytes]) -> IO[bytes]:
        copy = SpooledTemporaryFile(max_size=_COPIED_IN_MEMORY_BYTES)  # noqa: SIM115 -- the caller closes it
        digest = hashlib.sha256()
        left = self.size
        while data := file.read(min(left, _CHUNK_BYTES)):
            digest.update(data)
            copy.write(data)
            left -= len(data)
        if digest.hexdigest() != self.sha256:
            copy.close()
            raise _changed()
        copy.seek(0)
        return copy


def _changed() -> Unusable:
    return Unusable(
        "CHANGED", *sentence("it changed while it was read; import again when nothing writes to it")
    )


def _of(which: str, fault: Unusable) -> Unusable:
    """The fault of a sample's picture, or of its mask."""
    return Unusable(fault.reason, f"{which}{fault.message}", fault.message_zh) if which else fault


class SampleImport:
    """One import; hashing and uploading run in threads while the registry checks the batch before."""

    def __init__(
        self,
        datasets: "dataset_service_pb2_grpc.DatasetServiceAsyncStub",
        on_progress: Callable[[ImportProgress], None],
        authority: str = "",
    ) -> None:
        self._datasets = datasets
        self._on_progress = on_progress
        self._bits = 0
        self._http = urllib3.PoolManager(
            maxsize=_THREADS,
            ca_certs=authority or None,
            retries=urllib3.Retry(
                total=5,
                backoff_factor=0.2,
                status_forcelist=(500, 502, 503, 504),
                allowed_methods=None,
                # The last answer is told: a store without room answers 500.
                raise_on_status=False,
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
                data_path=dataset_pb2.DataPath(
                    description=description, mask_codes=listing.mask_codes, bits=listing.bits
                ),
                allow_existing=True,
            )
        )
        if data_path.bits and not listing.bits:
            require_pillow()
            listing = scaled(listing, data_path.bits)
        self._bits = listing.bits
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
            size_bytes=tally.size_bytes,
            bits=self._bits,
            identical=tuple(sorted(tuple(sorted(files)) for files in tally.files.values() if len(files) > 1)),
            left_out=tuple(sorted(tally.left_out, key=lambda item: item.file)),
        )

    async def _import(
        self, parent: str, batch: Sequence[FoundSample], tally: _Tally, threads: ThreadPoolExecutor
    ) -> None:
        loop = asyncio.get_running_loop()
        read = await asyncio.gather(*(loop.run_in_executor(threads, _hash, sample) for sample in batch))
        hashed = [item for item in read if isinstance(item, _Hashed)]
        for item in hashed:
            tally.files.setdefault((item.sample.code, item.image.sha256), []).append(item.sample.file)
            tally.size_bytes += sum(content.size for content in item.contents)
        outcomes = await self._offer(parent, hashed, tally, threads)
        again = {item.file for item in outcomes if item.reason in _SENT_AGAIN}
        repeated = [item for item in hashed if item.sample.file in again]
        outcomes = await self._offer_again(parent, outcomes, repeated, tally, threads)
        bad_masks = {
            item.file: Sentence(item.message, item.message_zh)
            for item in outcomes
            if item.reason == "BAD_MASK"
        }
        guessed = [item for item in hashed if item.sample.mask_is_guess and item.sample.file in bad_masks]
        alone = [item.without_mask() for item in guessed]
        final = await self._offer_again(parent, outcomes, alone, tally, threads)
        final.extend(item for item in read if not isinstance(item, _Hashed))
        tally.outcomes.extend(final)
        no_masks = {item.sample.file: bad_masks[item.sample.file] for item in guessed}
        tally.left_out.extend(_masks_left_out(batch, final, no_masks))
        tally.done += len(batch)
        self._tell(tally)

    async def _offer_again(
        self,
        parent: str,
        outcomes: Sequence[dataset_pb2.SampleOutcome],
        repeated: Sequence[_Hashed],
        tally: _Tally,
        threads: ThreadPoolExecutor,
    ) -> list[dataset_pb2.SampleOutcome]:
        """All outcomes, with those of `repeated` as they are after a second offer."""
        if not repeated:
            return list(outcomes)
        second = await self._offer(parent, repeated, tally, threads)
        files = {item.sample.file for item in repeated}
        return [*(item for item in outcomes if item.file not in files), *second]

    async def _offer(
        self, parent: str, hashed: Sequence[_Hashed], tally: _Tally, threads: ThreadPoolExecutor
    ) -> list[dataset_pb2.SampleOutcome]:
        """Upload what the registry lacks, and have all listed; a file that has changed is set aside."""
        if not hashed:
            return []
        loop = asyncio.get_running_loop()
        contents: dict[str, list[_Content]] = {}
        for item in hashed:
            for content in item.contents:
                contents.setdefault(content.sha256, []).append(content)
        changed: dict[str, Unusable] = {}
        plan = await self._datasets.PlanSampleUploads(
            dataset_service_pb2.PlanSampleUploadsRequest(
                parent=parent,
                sha256s=sorted(contents),
                size_bytes=[contents[sha256][0].size for sha256 in sorted(contents)],
                joined=True,
            ),
            # The registry looks at each object, and a store that lost some answers late about them.
            timeout=_PLAN_TIMEOUT_S,
        )

        async def upload(url: str, sha256s: Sequence[str]) -> None:
            # Two steps: `+= await` would add to the sum as it was before the wait.
            lost = await loop.run_in_executor(threads, self._put, [contents[one] for one in sha256s], url)
            changed.update(lost)
            sent = [contents[one][0] for one in sha256s if one not in lost]
            tally.uploaded_bytes += sum(content.size for content in sent)
            tally.uploaded += len(sent)
            self._tell(tally)

        together: dict[str, list[str]] = {}
        for missing in plan.uploads:
            together.setdefault(missing.url, []).append(missing.sha256)
        await _all(upload(url, sha256s) for url, sha256s in together.items())
        faults = [(item, item.fault(changed)) for item in hashed]
        answer = await self._datasets.AddSamples(
            dataset_service_pb2.AddSamplesRequest(
                parent=parent,
                bits=self._bits,
                candidates=[
                    dataset_pb2.SampleCandidate(
                        file=item.sample.file,
                        sha256=item.image.sha256,
                        mask_sha256="" if item.mask is None else item.mask.sha256,
                        group=item.sample.group,
                    )
                    for item, fault in faults
                    if fault is None
                ],
            ),
            timeout=_ADD_TIMEOUT_S,
        )
        set_aside = [_set_aside(item.sample, fault) for item, fault in faults if fault is not None]
        return [*answer.outcomes, *set_aside]

    def _put(self, joined: Sequence[Sequence[_Content]], url: str) -> dict[str, Unusable]:
        """Upload contents in one body, each from one of the files that held it.

        Returns why, by hash, for those that no file holds any more. Beside others that are sent, zeros take
        their place.
        """
        lost: dict[str, Unusable] = {}
        with ExitStack() as bodies:
            parts: list[IO[bytes]] = []
            for files in joined:
                try:
                    parts.append(bodies.enter_context(_opened(files)))
                except Unusable as unusable:
                    lost[files[0].sha256] = unusable
                    parts.append(BytesIO(bytes(files[0].size if len(joined) > 1 else 0)))
            if len(lost) < len(joined):
                body = parts[0] if len(parts) == 1 else BytesIO(b"".join(part.read() for part in parts))
                self._send(url, body, joined)
        return lost

    def _send(self, url: str, body: IO[bytes], joined: Sequence[Sequence[_Content]]) -> None:
        size = sum(files[0].size for files in joined)
        # An empty file is offered all the same: the registry says what is wrong with it.
        sent: Any = body if size else b""
        try:
            answer = self._http.request("PUT", url, body=sent, headers={"Content-Length": str(size)})
        except urllib3.exceptions.HTTPError as error:
            # Not its text: that holds the link, which is a credential.
            told = sentence(
                "object storage does not answer ({error}); import again when it does",
                error=type(error).__name__,
            )
            raise Unavailable(told.english, message_zh=told.chinese) from error
        if answer.status not in (200, 201, 204):
            told = sentence(
                "object storage answered {status} to the upload of {file} and {others} others; try again, "
                "and if it stays so, have the operator look whether its disk is full (`loupe system`)",
                status=answer.status,
                file=joined[0][0].source,
                others=len(joined) - 1,
            )
            raise Unavailable(told.english, message_zh=told.chinese)

    def _tell(self, tally: _Tally) -> None:
        self._on_progress(ImportProgress(tally.done, tally.total, tally.uploaded, tally.uploaded_bytes))


def is_of_mask(outcome: dataset_pb2.SampleOutcome) -> bool:
    """Whether the mask of a sample that was set aside is at fault, not its picture."""
    return outcome.reason == "BAD_MASK" or outcome.message.startswith(_OF_MASK)


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all; the first failure is raised and cancels the others."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _masks_left_out(
    samples: Iterable[FoundSample],
    outcomes: Iterable[dataset_pb2.SampleOutcome],
    no_masks: Mapping[str, Sentence],
) -> Iterator[LeftOut]:
    """A line for each file that looked like a mask and became none, by itself or for its refused picture.

    `no_masks` says of samples' files why what looked like their masks is none. A refused mask that is one by
    its name is an outcome.
    """
    refused = {item.file: item for item in outcomes if item.outcome == ImportOutcome.OUTCOME_REJECTED}
    for sample in samples:
        if not isinstance(sample.mask, Path):
            continue
        picture = PurePosixPath(sample.place)
        name = as_utf8(sample.mask.name)
        file = str(picture.with_name(name))
        outcome = refused.get(sample.file)
        if outcome is not None and not is_of_mask(outcome):
            if sample.mask_is_guess:
                why = sentence(
                    "looks like the mask of {picture}, which is refused ({reason}); mend {picture}, or "
                    "rename {name} if it is a picture",
                    picture=picture.name,
                    reason=outcome.reason,
                    name=name,
                )
            else:
                why = sentence(
                    "the mask of {picture}, which is refused ({reason}); mend {picture}",
                    picture=picture.name,
                    reason=outcome.reason,
                )
            yield LeftOut(file, "PICTURE_REFUSED", *why)
        elif outcome is None and sample.file in no_masks:
            why = sentence(
                "{why}. {picture} is taken without it; rename {name} if it is a picture",
                why=no_masks[sample.file],
                picture=picture.name,
                name=name,
            )
            yield LeftOut(file, "BAD_MASK", *why)


def _hash(sample: FoundSample) -> _Hashed | dataset_pb2.SampleOutcome:
    """The sample with its hashes, or the outcome of one that cannot be read."""
    try:
        return _Hashed(
            sample, _read(sample.image), None if sample.mask is None else _read(sample.mask, _OF_MASK)
        )
    except Unusable as unusable:
        return _set_aside(sample, unusable)


def _read(source: Path | GeneratedBytes, which: str = "") -> _Content:
    """Hash the bytes; Unusable if that cannot be done, or if they change meanwhile."""
    try:
        with _readable(source):
            if not isinstance(source, Path):
                data = source.make()
                kept = data if len(data) <= _KEPT_BYTES else None
                return _Content(source, hashlib.sha256(data).hexdigest(), len(data), kept)
            with open_file(source) as file:
                before = os.fstat(file.fileno())
                if before.st_size > MAX_FILE_BYTES:
                    raise too_large()
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                after = os.fstat(file.fileno())
                size = file.tell()
            if not before.st_size == after.st_size == size or before.st_mtime_ns != after.st_mtime_ns:
                raise _changed()
            return _Content(source, sha256, size)
    except Unusable as unusable:
        raise _of(which, unusable) from unusable


def _opened(files: Sequence[_Content]) -> IO[bytes]:
    """A copy of content that several files held; Unusable if none of them holds it any more."""
    for last, content in enumerate(files, 1 - len(files)):
        try:
            with _readable(content.source):
                return content.open()
        except Unusable:
            if not last:
                raise
    raise AssertionError("there is no content without a file")  # pragma: no cover


@contextmanager
def _readable(source: Path | GeneratedBytes) -> Iterator[None]:
    """Unusable where a file cannot be read, or where nothing can be made of what an annotation says."""
    try:
        yield
    except Unusable:
        raise
    except OSError as error:
        raise Unusable(*fault_of(error)) from error
    except Exception as error:
        if isinstance(source, Path):
            raise
        raise Unusable("BAD_ANNOTATION", f"it cannot be drawn: {error}; draw it again") from error


def _set_aside(sample: FoundSample, unusable: Unusable) -> dataset_pb2.SampleOutcome:
    return dataset_pb2.SampleOutcome(
        file=sample.file,
        outcome=ImportOutcome.OUTCOME_REJECTED,
        reason=unusable.reason,
        message=unusable.message,
        message_zh=unusable.message_zh,
    )
