"""Datasets, data paths and their snapshots (D1, D3, W4, W12)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.kit.errors import FailedPrecondition, Violation
from services.registry.domain.identifiers import sha256_faults, shown
from services.registry.domain.samples import CodeCount, code_faults

MAX_PLANNED = 1000
MAX_COUNTED_PATHS = 500
MAX_COUNTED_CODES = 1000
MAX_MASK_CODES = 254
"""Of 8 bits, less background and the value 255 that other tools use for void."""


@dataclass(frozen=True, slots=True)
class CodeParts:
    """How many parts the samples of a code make (D3)."""

    code: str
    sample_count: int
    part_count: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """A named group of data paths."""

    id: str
    creator: str
    create_time: datetime
    description: str = ""
    path_count: int = 0
    sample_count: int = 0


@dataclass(frozen=True, slots=True)
class DataPath:
    """A named listing of samples; `revision` grows with every change of the listing."""

    dataset: str
    id: str
    create_time: datetime
    update_time: datetime
    description: str = ""
    revision: int = 0
    code_counts: tuple[CodeCount, ...] = ()
    """In the order of the code."""
    mask_codes: tuple[str, ...] = ()
    """Value i of a mask is the i-th of these codes; empty: above 127 is the sample's own (D1)."""

    def declaring(self, mask_codes: tuple[str, ...]) -> "DataPath":
        """The path with its masks declared so; MaskCodesDiffer if those there would mean something else."""
        extended = bool(self.mask_codes) and mask_codes[: len(self.mask_codes)] == self.mask_codes
        if extended or not self.mask_count:
            return replace(self, mask_codes=mask_codes)
        name = f"datasets/{self.dataset}/paths/{self.id}"
        declared = f"declares {','.join(self.mask_codes)}" if self.mask_codes else "declares none (0 and 255)"
        raise MaskCodesDiffer(
            f"{name} has {self.mask_count} masks and {declared}; {','.join(mask_codes)} would change what "
            "they mean: keep the order and add new codes at the end, or import into another path",
            path=name,
        )

    @property
    def sample_count(self) -> int:
        """Samples of all codes."""
        return sum(count.sample_count for count in self.code_counts)

    @property
    def mask_count(self) -> int:
        """Samples with a mask."""
        return sum(count.mask_count for count in self.code_counts)

    @property
    def valid(self) -> bool:
        """Whether there is an image under it (W4)."""
        return self.sample_count > 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A data path's listing at one moment, pinned by its content (W12)."""

    dataset: str
    path: str
    sha256: str
    code_counts: tuple[CodeCount, ...]
    create_time: datetime


class DataPathEmpty(FailedPrecondition):
    """A path without images has nothing to pin."""

    reason = "DATA_PATH_EMPTY"


class MaskCodesDiffer(FailedPrecondition):
    """Masks cannot change their meaning once they are there."""

    reason = "MASK_CODES_DIFFER"


class DataPathPinned(FailedPrecondition):
    """A snapshot needs the path."""

    reason = "DATA_PATH_PINNED"


def planned_faults(sha256s: Sequence[str]) -> list[Violation]:
    """What is wrong with a list of hashes to plan uploads for."""
    if len(sha256s) > MAX_PLANNED:
        return [
            Violation(
                "sha256s",
                "TOO_MANY",
                f"{len(sha256s)} hashes; send at most {MAX_PLANNED} a call",
                f"哈希 {len(sha256s)} 个；每次最多 {MAX_PLANNED} 个",
            )
        ]
    return [
        fault for index, value in enumerate(sha256s) for fault in sha256_faults(value, f"sha256s[{index}]")
    ]


def count_parts_faults(paths: Sequence[object], codes: Sequence[str]) -> list[Violation]:
    """What is wrong with a wish to count parts."""
    return [
        Violation(
            at,
            "TOO_MANY",
            f"{len(named)} {at}; name at most {limit} a call",
            f"{at} 共 {len(named)} 个；每次最多 {limit} 个",
        )
        for at, named, limit in (
            ("data_paths", paths, MAX_COUNTED_PATHS),
            ("codes", codes, MAX_COUNTED_CODES),
        )
        if len(named) > limit
    ]


def mask_codes_faults(mask_codes: Sequence[str]) -> list[Violation]:
    """What is wrong with a declaration of indexed masks."""
    at = "data_path.mask_codes"
    faults = [fault for index, code in enumerate(mask_codes) for fault in code_faults(code, f"{at}[{index}]")]
    faults += [
        Violation(
            f"{at}[{index}]",
            "DUPLICATE",
            f"{shown(code)} is there already; each value of a mask means one code",
            f"{shown(code)} 重复；掩膜的每个值只对应一个 code",
        )
        for index, code in enumerate(mask_codes)
        if code in mask_codes[:index]
    ]
    if len(mask_codes) > MAX_MASK_CODES:
        faults.append(
            Violation(
                at,
                "TOO_MANY",
                f"{len(mask_codes)} codes; an 8-bit mask has room for {MAX_MASK_CODES}",
                f"{len(mask_codes)} 个 code；8 位掩膜最多 {MAX_MASK_CODES} 个",
            )
        )
    return faults
