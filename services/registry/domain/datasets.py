"""Datasets, data paths and their snapshots (D1, D3, W4, W12)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loupe.camera_bits import CAMERA_BITS
from loupe.errors import FailedPrecondition, NotFound, PermissionDenied, Violation
from loupe.translation import sentence

from services.caller import Caller
from services.registry.domain.identifiers import sha256_faults, shown
from services.registry.domain.identity import User
from services.registry.domain.samples import CodeCount, code_faults

MAX_PLANNED = 1000
MAX_COUNTED_PATHS = 500
MAX_COUNTED_CODES = 1000
MAX_MASK_CODES = 254
"""The values of 8 bits without 0 (background) and 255 (void in other tools)."""


@dataclass(frozen=True, slots=True)
class CodeParts:
    """How many parts the samples of a code make (D3)."""

    code: str
    sample_count: int
    part_count: int
    tied_codes: frozenset[str] = frozenset()
    """Codes, this one among them, that no split can give both sides each (D9)."""


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
    owner: str = ""
    """The user who may change it, `users/{user}`; empty: every engineer (A4)."""
    bits: int | None = 0
    """Significant bits of its pictures of 16 bits; 0: all; None: not known, as of older paths."""
    question_banks: tuple[str, ...] = ()
    """Ids of the banks that are tested with it now, sorted: it is not trained with (P7)."""

    @property
    def name(self) -> str:
        """The resource name."""
        return f"datasets/{self.dataset}/paths/{self.id}"

    def require_owner(self, caller: Caller) -> None:
        """Raise NotDataPathOwner unless the caller may change the path (A4)."""
        if caller.may_act_for_all or self.owner in {"", caller.name}:
            return
        raise NotDataPathOwner(
            f"{self.name} is {self.owner}'s; ask its owner or an administrator to do this, to share it or "
            "to hand it over to you, or use a data path of your own",
            path=self.name,
            owner=self.owner,
        )

    def declaring(self, mask_codes: tuple[str, ...]) -> "DataPath":
        """The path with this declaration; MaskCodesDiffer if existing masks would change their meaning."""
        extended = bool(self.mask_codes) and mask_codes[: len(self.mask_codes)] == self.mask_codes
        if extended or not self.mask_count:
            return replace(self, mask_codes=mask_codes)
        declared = f"declares {','.join(self.mask_codes)}" if self.mask_codes else "declares none (0 and 255)"
        raise MaskCodesDiffer(
            f"{self.name} has {self.mask_count} masks and {declared}; {','.join(mask_codes)} would change "
            "what they mean: keep the order and add new codes at the end, or import into another path",
            path=self.name,
        )

    def with_bits(self, bits: int, *, has_deep: bool) -> "DataPath":
        """The path with these bits; BitsDiffer if its deep pictures were imported with others (D6)."""
        if self.bits is None or not has_deep or bits == self.bits:
            return replace(self, bits=bits)
        raise BitsDiffer(
            f"{self.name} has pictures of 16 bits that were imported with {_bits(self.bits)}, not "
            f"{_bits(bits)}; import with the same, or into another path",
            path=self.name,
            bits=str(self.bits),
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
class DeletedDataPath:
    """A data path in the bin (D8)."""

    path: DataPath
    """As it was."""
    number: int
    """Tells it from others of its name."""
    delete_time: datetime
    deleter: str
    keep: timedelta
    """How long the bin keeps it."""

    @property
    def name(self) -> str:
        """The resource name."""
        return f"datasets/{self.path.dataset}/deletedPaths/{self.path.id}.{self.number}"

    @property
    def purge_time(self) -> datetime:
        """From when on it is purged."""
        return self.delete_time + self.keep


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A data path's listing at one moment, pinned by its content (W12)."""

    dataset: str
    path: str
    sha256: str
    code_counts: tuple[CodeCount, ...]
    create_time: datetime


def owner_of(creator: Caller) -> str:
    """Who owns what the caller makes: a user. What services make is shared."""
    return creator.name if creator.name.startswith("users/") else ""


def owner_faults(user: User) -> list[Violation]:
    """What is wrong with a user as the owner of a data path."""
    if user.can_change_data:
        return []
    return [
        Violation(
            "owner",
            "CANNOT_OWN",
            sentence(
                "users/{user} is disabled or no engineer, and could not change the data path; name another",
                user=user.id,
            ),
        )
    ]


class NotDataPathOwner(PermissionDenied):
    """The path belongs to another user."""

    reason = "NOT_DATA_PATH_OWNER"


class DataPathDeleted(NotFound):
    """The path is in the bin."""

    reason = "DATA_PATH_DELETED"


class DataPathEmpty(FailedPrecondition):
    """A path without images cannot be pinned."""

    reason = "DATA_PATH_EMPTY"


class MaskCodesDiffer(FailedPrecondition):
    """The meaning of existing masks cannot change."""

    reason = "MASK_CODES_DIFFER"


class BitsDiffer(FailedPrecondition):
    """The pictures of one path have one scale."""

    reason = "BITS_DIFFER"


def _bits(bits: int) -> str:
    return f"--bits {bits}" if bits else "all their bits"


class DataPathPinned(FailedPrecondition):
    """A snapshot needs the path."""

    reason = "DATA_PATH_PINNED"


def planned_faults(sha256s: Sequence[str], sizes: Sequence[int]) -> list[Violation]:
    """What is wrong with a list of hashes to plan uploads for, and the sizes of their objects."""
    if len(sha256s) > MAX_PLANNED:
        return [
            Violation(
                "sha256s",
                "TOO_MANY",
                sentence(
                    "{count} hashes; send at most {limit} a call",
                    count=len(sha256s),
                    limit=MAX_PLANNED,
                ),
            )
        ]
    faults = [
        fault for index, value in enumerate(sha256s) for fault in sha256_faults(value, f"sha256s[{index}]")
    ]
    if sizes and len(sizes) != len(sha256s):
        faults.append(
            Violation(
                "size_bytes",
                "OTHER_NUMBER",
                sentence(
                    "{sizes} sizes of {hashes} hashes; send the size of each object, in the order of the "
                    "hashes",
                    sizes=len(sizes),
                    hashes=len(sha256s),
                ),
            )
        )
    faults += [
        Violation(
            f"size_bytes[{index}]",
            "NEGATIVE",
            sentence("an object has no {size} bytes; send its size, 0 or more", size=size),
        )
        for index, size in enumerate(sizes)
        if size < 0
    ]
    return faults


def count_parts_faults(paths: Sequence[object], codes: Sequence[str]) -> list[Violation]:
    """What is wrong with a request to count parts."""
    return [
        Violation(
            at,
            "TOO_MANY",
            sentence("{count} {field}; name at most {limit} a call", count=len(named), field=at, limit=limit),
        )
        for at, named, limit in (
            ("data_paths", paths, MAX_COUNTED_PATHS),
            ("codes", codes, MAX_COUNTED_CODES),
        )
        if len(named) > limit
    ]


def bits_faults(bits: int) -> list[Violation]:
    """What is wrong with a number of significant bits."""
    if bits in (0, *CAMERA_BITS):
        return []
    return [
        Violation(
            "data_path.bits",
            "OUT_OF_RANGE",
            sentence("{bits} significant bits; send 10, 12 or 14, or 0 for all 16", bits=bits),
        )
    ]


def mask_codes_faults(mask_codes: Sequence[str]) -> list[Violation]:
    """What is wrong with a declaration of indexed masks."""
    at = "data_path.mask_codes"
    faults = [fault for index, code in enumerate(mask_codes) for fault in code_faults(code, f"{at}[{index}]")]
    faults += [
        Violation(
            f"{at}[{index}]",
            "DUPLICATE",
            sentence("{code} is there already; each value of a mask means one code", code=shown(code)),
        )
        for index, code in enumerate(mask_codes)
        if code in mask_codes[:index]
    ]
    if len(mask_codes) > MAX_MASK_CODES:
        faults.append(
            Violation(
                at,
                "TOO_MANY",
                sentence(
                    "{count} codes; an 8-bit mask has room for {limit}",
                    count=len(mask_codes),
                    limit=MAX_MASK_CODES,
                ),
            )
        )
    return faults
