"""The list of samples a snapshot pins, and where their bytes come from."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from loupe.translation import sentence
from numpy.typing import NDArray

from services.failure_codes import FailureCode
from services.vision.faults import InfrastructureFault, UnreadableRecord
from services.vision.parts import keys

UNKNOWN = 255
"""The label of a pixel of which nobody said what it shows."""


@dataclass(frozen=True)
class Sample:
    """One line of a manifest."""

    name: str
    """`<CODE>/<file>`, unique within its manifest."""
    code: str
    sha256: str
    width: int = 0
    height: int = 0
    format: str = ""
    size_bytes: int = 0
    mask_sha256: str | None = None
    mask_codes: tuple[str, ...] = ()
    """Value i of the mask is the i-th of these; empty: it is black and white, white is the own code (D1)."""
    pixels_sha256: str | None = None
    """Equal for the same picture in other bytes; None in manifests of before (docs/decisions/0088)."""
    group: str | None = None
    """The physical part (panel, tile, lot) it shows; the same key in two data paths is the same part (D3)."""
    manifest: str = ""
    """SHA-256 of the manifest that lists it."""

    @property
    def keys(self) -> list[str]:
        """What makes it a part with other samples (D3)."""
        return keys(self.sha256, self.group, self.pixels_sha256)

    @property
    def mask_key(self) -> str | None:
        """Names what the mask marks of this sample, as one file may mean two things; None without a mask."""
        return f"{self.label_key}-{self._own_label}" if self.mask_sha256 else None

    def marks(self, labels_HW: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where its mask's labels mark the sample's own defect; nowhere if it does not name the code."""
        return np.equal(labels_HW, self._own_label) & np.greater(labels_HW, 0)

    @property
    def label_key(self) -> str | None:
        """Names what all of its mask's values mean, one file being shared by samples; None without a mask."""
        return f"{self.mask_sha256}-{'indexed' if self.is_indexed else 'shown'}" if self.mask_sha256 else None

    @property
    def is_indexed(self) -> bool:
        """Whether its mask is to be read as indices, and not as black and white."""
        return bool(self.mask_codes)

    def labels(self, codes: Sequence[str]) -> NDArray[np.uint8]:
        """(256,): for each value of its packed labels the label that a network of `codes` gives it.

        0 is background and i the i-th code; UNKNOWN where the mask marks what is none of them.
        """
        label_256 = np.full(256, UNKNOWN, np.uint8)
        label_256[0] = 0
        for value, code in enumerate(self._named, 1):
            if code in codes:
                label_256[value] = codes.index(code) + 1
        return label_256

    @property
    def _named(self) -> tuple[str, ...]:
        """What the labels 1, 2 … of its mask mean."""
        return self.mask_codes or (self.code,)

    @property
    def _own_label(self) -> int:
        return self._named.index(self.code) + 1 if self.code in self._named else 0


class ObjectReader(Protocol):
    """Content-addressed bytes by key, such as `samples/<sha256>`."""

    def read(self, key: str) -> bytes:
        """The whole object. Raises InfrastructureFault where it cannot be had, DamagedObject for good."""
        ...


class DirectoryObjects:
    """Objects as files below a folder, for benches and tests on a bare machine."""

    def __init__(self, root: Path, files: dict[str, Path] | None = None) -> None:
        """`files` maps keys to files that lie elsewhere, so that a data set need not be copied."""
        self._root = root
        self._files = files or {}

    def read(self, key: str) -> bytes:
        """The file's bytes."""
        path = self._files.get(key, self._root / key)
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise object_missing(key) from error
        except OSError as error:
            raise object_unavailable(key, error) from error


class DamagedObject(InfrastructureFault):
    """The store has no object of this name, or one of other bytes: it is there, and has lost them."""


def object_missing(key: str) -> DamagedObject:
    """The fault of an object that the store does not have."""
    return DamagedObject(
        FailureCode.OBJECT_MISSING,
        *sentence(
            "the object store has no {key}; it has lost data: tell the operator (loupe check), "
            "or import the picture again",
            key=key,
        ),
    )


def object_unavailable(key: str, error: Exception) -> InfrastructureFault:
    """The fault of an object that the store does not give."""
    return InfrastructureFault(
        FailureCode.OBJECT_UNAVAILABLE,
        *sentence("{key} cannot be read from the object store: {error}", key=key, error=error),
    )


def read_verified(objects: ObjectReader, key: str, sha256: str) -> bytes:
    """An object whose bytes are what its name says. Raises InfrastructureFault, DamagedObject."""
    data = objects.read(key)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise DamagedObject(
            FailureCode.OBJECT_CORRUPT,
            *sentence(
                "{key} holds bytes with SHA-256 {sha256}; the object store is damaged: tell the operator "
                "(loupe check), or import the picture again",
                key=key,
                sha256=found,
            ),
        )
    return data


def hash_in_key(key: str) -> str:
    """The content hash in a key such as `weights/<sha256>.safetensors`."""
    return key.rsplit("/", 1)[-1].split(".", 1)[0]


def read_manifests(objects: ObjectReader, manifests: Iterable[str]) -> list[Sample]:
    """The samples of all manifests, in their order."""
    samples: list[Sample] = []
    for sha256 in manifests:
        key = f"manifests/{sha256}.jsonl"
        samples += parse_manifest(read_verified(objects, key, sha256), sha256)
    return samples


def parse_manifest(data: bytes, sha256: str) -> list[Sample]:
    """Samples of one manifest; unknown fields are left alone, so that manifests may grow."""
    samples = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            samples.append(
                Sample(
                    name=row["name"],
                    code=row["code"],
                    sha256=row["sha256"],
                    width=int(row.get("width") or 0),
                    height=int(row.get("height") or 0),
                    format=row.get("format") or "",
                    size_bytes=int(row.get("size_bytes") or 0),
                    mask_sha256=row.get("mask_sha256") or None,
                    mask_codes=tuple(row.get("mask_codes") or ()),
                    pixels_sha256=row.get("pixels_sha256") or None,
                    group=row.get("group") or None,
                    manifest=sha256,
                )
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableRecord(
                *sentence("line {number} of manifest {sha256}", number=number, sha256=sha256), error
            ) from error
    return samples
