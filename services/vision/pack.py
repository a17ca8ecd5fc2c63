"""Samples decoded and resized once: memory-mapped shards for attempts, retrains and evaluations alike.

    <root>/<recipe>/<digest>.u8     (N, height, width, 3) uint8, of masks (N, height, width, 1), nothing else
    <root>/<recipe>/<digest>.json   which content hash lies in which slot, and which could not be decoded and
    why

A shard holds the samples that no shard before it held: a retrain with a few new samples decodes only those.
Its name is the digest of the ordered content hashes, and the recipe names the rule and size, so equal input
gives an equal file, whichever process writes it first. The .json is written last: its presence means that
the .u8 is complete.
"""

import contextlib
import hashlib
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from loupe.image_files import (
    DEFAULT_LIMITS,
    UPRIGHT,
    ImageLimits,
    Pixels,
    UnusableImage,
    decode,
    orientation,
)
from loupe.translation import sentence
from numpy.typing import NDArray

from services.failure_codes import FailureCode
from services.input_specification import InputSpecification
from services.vision.faults import InfrastructureFault
from services.vision.masks import UnusableMask, decode_mask
from services.vision.preprocessing import cover, cover_labels, pack_recipe, resize
from services.vision.samples import DamagedObject, ObjectReader, Sample, read_verified

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (samples done, samples in all); what it raises ends the build."""

_SHARD_BYTES = 64 * 2**20
_SHARD_SAMPLES = 1024
_MASK_RECIPE = "4"
"""Changes when masks are decoded otherwise: what was packed before is then not found."""
_ABANDONED_S = 24 * 3600
_MOST_DAMAGED = 0.05
"""The share of samples that are set aside; a store that has lost more is not to be trained from."""


@dataclass(frozen=True)
class Unreadable:
    """Why a sample has no pixels (D4)."""

    reason: str
    message: str
    is_damaged: bool = False
    """The object store has lost its bytes. Not remembered: importing it again puts them back."""


@dataclass(frozen=True)
class Pack:
    """Pixels of samples by content hash. Open shards stay readable even when the cache evicts them."""

    specification: InputSpecification
    shards: tuple[Pixels, ...]
    slots: dict[str, tuple[int, int]]
    """Content hash → (shard, slot)."""
    unreadable: dict[str, Unreadable]
    channels: int = 3
    """1 in a pack of masks."""

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of every sample."""
        return self.specification.height, self.specification.width, self.channels

    def rows(self, hashes: Iterable[str]) -> NDArray[np.int64]:
        """(N, 2) shard and slot of each hash, for `gather`. KeyError for one that is unreadable."""
        return np.array([self.slots[sha256] for sha256 in hashes], np.int64).reshape(-1, 2)

    def sample(self, row: NDArray[np.int64]) -> Pixels:
        """One row of `rows`, (H, W, C) uint8, not copied."""
        shard, slot = row
        return np.asarray(self.shards[shard][slot], np.uint8)

    def gather(self, rows: NDArray[np.int64], out_NHWC: Pixels) -> None:
        """Copies rows into a buffer of the caller's, (N, H, W, C) uint8."""
        shards = self.shards
        for target, (shard, slot) in zip(out_NHWC, rows.tolist(), strict=True):
            target[...] = shards[shard][slot]


class PackCache:
    """Packs of one folder, bounded by bytes; the shards used longest ago go first."""

    def __init__(
        self,
        root: Path,
        *,
        max_bytes: int = 8 * 2**30,
        threads: int | None = None,
        limits: ImageLimits = DEFAULT_LIMITS,
    ) -> None:
        """`threads` read and decode; reading waits for the store, so there are more of them than cores."""
        self._root = root
        self._max_bytes = max_bytes
        self._threads = threads or min(32, 4 * (os.cpu_count() or 1))
        self._limits = limits

    def load(
        self,
        samples: Sequence[Sample],
        specification: InputSpecification,
        objects: ObjectReader,
        progress: Progress = lambda _done, _total: None,
    ) -> Pack:
        """Pixels of all samples; reads and decodes only what no shard holds.

        Samples whose bytes the store has lost are unreadable, as long as they are few.
        Raises InfrastructureFault.
        """

        def read(sha256: str) -> Pixels:
            data = read_verified(objects, f"samples/{sha256}", sha256)
            return resize(decode(data, self._limits), specification)

        empty = Pack(specification, (), {}, {})
        return self._load(
            pack_recipe(specification), empty, [sample.sha256 for sample in samples], read, progress
        )

    def load_masks(
        self,
        samples: Iterable[Sample],
        specification: InputSpecification,
        objects: ObjectReader,
        progress: Progress = lambda _done, _total: None,
    ) -> Pack:
        """Masks by `Sample.mask_key`: how much of each pixel is the sample's own defect, 0 to 255.

        Samples without a mask are passed over. Raises InfrastructureFault.
        """
        by_key = {key: sample for sample in samples if (key := sample.mask_key)}

        def read(key: str) -> Pixels:
            sample = by_key[key]
            return cover(sample.marks(self._labels(sample, objects)), specification)[..., None]

        empty = Pack(specification, (), {}, {}, channels=1)
        return self._load(
            _MASK_RECIPE + "-masks-" + pack_recipe(specification), empty, list(by_key), read, progress
        )

    def load_labels(
        self,
        samples: Iterable[Sample],
        specification: InputSpecification,
        objects: ObjectReader,
        progress: Progress = lambda _done, _total: None,
    ) -> Pack:
        """Masks by `Sample.label_key`: of each pixel the value of the mask; 1 is the code of a mask of one.

        Samples without a mask are passed over. Raises InfrastructureFault.
        """
        by_key = {key: sample for sample in samples if (key := sample.label_key)}

        def read(key: str) -> Pixels:
            return cover_labels(self._labels(by_key[key], objects), specification)[..., None]

        empty = Pack(specification, (), {}, {}, channels=1)
        recipe = _MASK_RECIPE + "-labels-" + pack_recipe(specification)
        return self._load(recipe, empty, list(by_key), read, progress)

    def _labels(self, sample: Sample, objects: ObjectReader) -> NDArray[np.uint8]:
        """What its mask says. Raises UnusableImage, InfrastructureFault."""
        sha256 = str(sample.mask_sha256)
        data = read_verified(objects, f"samples/{sha256}", sha256)
        labels_HW = decode_mask(data, indexed=sample.is_indexed, limits=self._limits)
        # An import refuses such a pair; earlier ones did not.
        if labels_HW.any() and orientation(read_verified(objects, *_place(sample))) != UPRIGHT:
            raise UnusableMask(
                *sentence(
                    "is for an image that is turned by its orientation tag: save both upright without one"
                )
            )
        return labels_HW

    def _load(
        self, recipe: str, empty: Pack, keys: list[str], read: Callable[[str], Pixels], progress: Progress
    ) -> Pack:
        wanted = list(dict.fromkeys(keys))
        folder = self._root / recipe
        pack = empty
        try:
            folder.mkdir(parents=True, exist_ok=True)
            pack = self._open_known(folder, empty, set(wanted))
            missing = [key for key in wanted if key not in pack.slots and key not in pack.unreadable]
            progress(len(wanted) - len(missing), len(wanted))
            if missing:
                pack = self._build(folder, pack, missing, read, progress, len(wanted))
                self._evict(keep=folder)
                _refuse_lost_store(pack, len(wanted))
        except OSError as error:
            raise InfrastructureFault(
                FailureCode.CACHE_UNUSABLE,
                *sentence("the image cache {folder} failed: {error}", folder=self._root, error=error),
            ) from error
        return pack

    def _open_known(self, folder: Path, empty: Pack, wanted: set[str]) -> Pack:
        pack = empty
        for manifest in sorted(folder.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, KeyError):  # evicted or damaged: it is built again
                described = json.loads(manifest.read_bytes())
                held = [sha256 for sha256 in described["samples"] if sha256 in wanted]
                if held or not wanted.isdisjoint(described["unreadable"]):
                    unreadable = {key: Unreadable(*why) for key, why in described["unreadable"].items()}
                    pack = _with_shard(pack, manifest.with_suffix(".u8"), described["samples"], unreadable)
                    os.utime(manifest)  # what was used last is evicted last
        return pack

    def _build(  # noqa: PLR0913, PLR0917 - what a build takes
        self,
        folder: Path,
        pack: Pack,
        missing: list[str],
        read: Callable[[str], Pixels],
        progress: Progress,
        total: int,
    ) -> Pack:
        per_shard = max(1, min(_SHARD_SAMPLES, _SHARD_BYTES // math.prod(pack.sample_shape)))
        done = total - len(missing)
        attempt = partial(_attempt, read)
        with ThreadPoolExecutor(self._threads, "pack") as threads:
            for start in range(0, len(missing), per_shard):
                hashes = missing[start : start + per_shard]
                held: list[str] = []
                unreadable: dict[str, Unreadable] = {}
                with _appears_whole(folder) as shard:
                    try:
                        for sha256, result in zip(hashes, threads.map(attempt, hashes), strict=True):
                            if isinstance(result, Unreadable):
                                unreadable[sha256] = result
                            else:
                                held.append(sha256)
                                shard.file.write(result.data)
                            done += 1
                            progress(done, total)
                    except BaseException:
                        threads.shutdown(
                            wait=True, cancel_futures=True
                        )  # a stop must not wait for a thousand reads
                        raise
                    lasting = {key: why for key, why in unreadable.items() if not why.is_damaged}
                    known = [key for key in hashes if key in lasting or key not in unreadable]
                    digest = hashlib.sha256(json.dumps([folder.name, known]).encode()).hexdigest()
                    shard.path = folder / f"{digest}.u8"
                described = {
                    "recipe": folder.name,
                    "samples": held,
                    "unreadable": {key: [why.reason, why.message] for key, why in lasting.items()},
                }
                # Manifest last: its presence means that the shard before it is complete.
                with _appears_whole(folder) as description:
                    description.file.write(json.dumps(described).encode())
                    description.path = folder / f"{digest}.json"
                pack = _with_shard(pack, shard.path, held, unreadable)
        return pack

    def _evict(self, keep: Path) -> None:
        """Down to the bound, the shards used longest ago first."""
        shards = []
        for manifest in self._root.glob("*/*.json"):
            with contextlib.suppress(OSError):
                shards.append(
                    (manifest.stat().st_mtime_ns, manifest, manifest.with_suffix(".u8").stat().st_size)
                )
        total = sum(size for _, _, size in shards)
        for _, manifest, size in sorted(shards):
            if total <= self._max_bytes:
                break
            manifest.unlink(missing_ok=True)  # first: a shard without its manifest is nobody's
            manifest.with_suffix(".u8").unlink(missing_ok=True)
            total -= size
        for leftover in keep.glob("*.partial"):
            with contextlib.suppress(OSError):
                if time.time() - leftover.stat().st_mtime > _ABANDONED_S:
                    leftover.unlink()


def _place(sample: Sample) -> tuple[str, str]:
    return f"samples/{sample.sha256}", sample.sha256


def _attempt(read: Callable[[str], Pixels], key: str) -> Pixels | Unreadable:
    try:
        try:
            return read(key)
        except DamagedObject:
            # Once more: it may have been damaged on its way.
            return read(key)
    except UnusableImage as error:
        return Unreadable(error.reason, error.message)
    except DamagedObject as fault:
        return Unreadable(fault.code, fault.message, is_damaged=True)


def _with_shard(pack: Pack, path: Path, held: list[str], unreadable: dict[str, Unreadable]) -> Pack:
    shape = (len(held), *pack.sample_shape)
    if path.stat().st_size != math.prod(shape):
        raise ValueError(f"{path} is not {shape}")
    shards = pack.shards
    slots = dict(pack.slots)
    if held:
        # mmap cannot map nothing, so a shard in which no sample was readable adds no array.
        shards = (*shards, np.memmap(path, np.uint8, "r", shape=shape))
        slots |= {sha256: (len(shards) - 1, slot) for slot, sha256 in enumerate(held)}
    return replace(pack, shards=shards, slots=slots, unreadable=pack.unreadable | unreadable)


def _refuse_lost_store(pack: Pack, total: int) -> None:
    """Raises DamagedObject where the store has lost more than a few of the samples."""
    lost = [(key, why) for key, why in pack.unreadable.items() if why.is_damaged]
    if len(lost) > max(1, _MOST_DAMAGED * total):
        raise DamagedObject(
            FailureCode.OBJECTS_LOST,
            *sentence(
                "the object store has lost {lost_count} of {count} pictures and masks, the first of them "
                "{key}",
                lost_count=len(lost),
                count=total,
                key=lost[0][0],
            ),
        )


@dataclass
class _NewFile:
    """A file in the making; whoever writes it names its path before the end."""

    file: BinaryIO
    path: Path


@contextlib.contextmanager
def _appears_whole(folder: Path) -> Iterator[_NewFile]:
    """A file that appears at its path whole or not at all, also after a power cut."""
    descriptor, name = tempfile.mkstemp(dir=folder, suffix=".partial")
    partial_path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            new = _NewFile(file, partial_path)
            yield new
            file.flush()
            os.fsync(file.fileno())
        partial_path.replace(new.path)
    except BaseException:
        partial_path.unlink(missing_ok=True)
        raise
