"""Datasets, data paths and the samples in them (D1 to D4, W4, W12)."""

import enum
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath

from loupe.errors import FailedPrecondition, Violation

from services.registry.domain.identifiers import sha256_faults, shown, text_faults

MAX_CANDIDATES = 500
MAX_PLANNED = 1000
MAX_COUNTED_PATHS = 500
MAX_COUNTED_CODES = 1000
MAX_FILE_BYTES = 255
MAX_MASK_CODES = 254
"""Of 8 bits, less background and the value 255 that other tools use for void."""

_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the order in which a name is shown: `a\u202egnp.exe` is read as `aexe.png`."""
_FORMAT_OF_SUFFIX = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


@dataclass(frozen=True, slots=True)
class CodeCount:
    """How many samples of a code there are, and how many of them have a mask."""

    code: str
    sample_count: int
    mask_count: int


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
class ImageObject:
    """Facts of an object whose bytes were read, hashed and decoded whole."""

    sha256: str
    size_bytes: int
    width: int
    height: int
    channels: int
    bit_depth: int
    format: str
    """JPEG, PNG, BMP or TIFF."""
    pixels_sha256: str
    """Equal for the same picture in two lossless files."""
    mask: "MaskFacts | None" = None
    """What it says as a mask; None where nobody asked."""


@dataclass(frozen=True, slots=True)
class MaskFault:
    """Why an image is no mask, in two languages."""

    message: str
    message_zh: str


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """Whether an image can be read as a mask in each of the two meanings (D1, D5)."""

    black_and_white: MaskFault | None = None
    """Why not; None where it can."""
    indexed: MaskFault | None = None
    largest_index: int = 0


class RejectReason(enum.StrEnum):
    """Why a candidate is set aside (D4)."""

    EMPTY = "EMPTY"
    NOT_AN_IMAGE = "NOT_AN_IMAGE"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    TRUNCATED = "TRUNCATED"
    TOO_LARGE = "TOO_LARGE"
    DECODE_FAILED = "DECODE_FAILED"
    HASH_MISMATCH = "HASH_MISMATCH"
    NOT_UPLOADED = "NOT_UPLOADED"
    BAD_CODE = "BAD_CODE"
    BAD_NAME = "BAD_NAME"
    BAD_MASK = "BAD_MASK"


_ZH = {
    RejectReason.EMPTY: "文件为空（0 字节）",
    RejectReason.NOT_AN_IMAGE: "内容不是 JPEG、PNG、BMP 或 TIFF 图片",
    RejectReason.TYPE_MISMATCH: "文件扩展名与实际类型不符",
    RejectReason.TRUNCATED: "文件不完整（被截断）",
    RejectReason.TOO_LARGE: "文件或像素尺寸超出上限",
    RejectReason.DECODE_FAILED: "图片无法解码",
    RejectReason.HASH_MISMATCH: "上传的内容与声明的 SHA-256 不符；请重新上传",
    RejectReason.NOT_UPLOADED: "对象存储中没有该内容；请先上传",
    RejectReason.BAD_CODE: "路径须为 {code}/{file}，缺陷 code 为 1 到 32 个字母、数字、'_'、'-'",
    RejectReason.BAD_NAME: "文件名含有控制字符或双向文字控制符，显示的名称会与实际不符；请重命名文件",
    RejectReason.BAD_MASK: "掩膜不可用",
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why something is set aside: a stable reason and a sentence."""

    reason: RejectReason
    message: str
    told_zh: str = ""
    """More than the reason says, in Chinese."""

    @property
    def message_zh(self) -> str:
        """The sentence in Chinese."""
        return self.told_zh or _ZH[self.reason]


@dataclass(frozen=True, slots=True)
class RejectedObject:
    """An object whose bytes can never be a sample, or were not what its name said."""

    sha256: str
    size_bytes: int
    rejection: Rejection

    read_whole: bool = True
    """Whether the finding is about bytes that were read; False for what is absent or too large to be read."""

    @property
    def replaceable(self) -> bool:
        """Whether another upload under its name may be sound: unless the bytes of that name were read."""
        return not self.read_whole or self.rejection.reason is RejectReason.HASH_MISMATCH


Verified = ImageObject | RejectedObject


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sample as an importer offers it."""

    file: str
    """`{code}/{file}`."""
    sha256: str
    mask_sha256: str | None = None
    group: str | None = None

    @property
    def code(self) -> str:
        """The defect code: the file's folder."""
        return self.file.partition("/")[0]

    @property
    def hashes(self) -> tuple[str, ...]:
        """Of all objects it names."""
        return (self.sha256,) if self.mask_sha256 is None else (self.sha256, self.mask_sha256)

    def layout_fault(self) -> Rejection | None:
        """Why its file does not fit D1's layout, if it does not."""
        code, _, name = self.file.partition("/")
        if not _CODE.fullmatch(code):
            return Rejection(
                RejectReason.BAD_CODE,
                f"{shown(code)} is not a defect code; use 1 to 32 letters, digits, '_' or '-'",
            )
        if (
            not name
            or "/" in name
            or name in (".", "..")
            or len(self.file.encode(errors="replace")) > MAX_FILE_BYTES
        ):
            return Rejection(
                RejectReason.BAD_CODE,
                f"{shown(self.file)} is not {{code}}/{{file}}; put the file right under its code, "
                f"with a name of at most {MAX_FILE_BYTES} bytes",
            )
        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in _FORMAT_OF_SUFFIX:
            known = ", ".join(sorted(_FORMAT_OF_SUFFIX))
            return Rejection(RejectReason.NOT_AN_IMAGE, f"the extension {shown(suffix)} is none of {known}")
        return None

    def name_fault(self) -> Rejection | None:
        """Why its name would be read as another one, if it would.

        This is the one rule of what names are taken. Spaces of any width and characters without one are
        taken: they are common in names that were typed or copied.
        """
        for character in self.file:
            if unicodedata.category(character) == "Cc" or character in _BIDI_CONTROLS:
                return Rejection(
                    RejectReason.BAD_NAME,
                    f"{shown(self.file)} holds U+{ord(character):04X}, a control character, which makes the "
                    "name look like another one; rename the file",
                )
        return None

    def fault(self) -> Rejection | None:
        """Why it cannot be taken, whatever its bytes are."""
        return self.layout_fault() or self.name_fault()


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with its code, and its mask where there is one."""

    file: str
    code: str
    image: ImageObject
    mask_sha256: str | None
    group: str | None
    create_time: datetime | None = None


class Outcome(enum.StrEnum):
    """What became of a candidate."""

    ADDED = "ADDED"
    UNCHANGED = "UNCHANGED"
    REPLACED = "REPLACED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """What became of one candidate, and who else shows the same pixels under another code (D2)."""

    file: str
    outcome: Outcome
    rejection: Rejection | None = None
    same_pixels_under_other_codes: tuple[str, ...] = ()


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


def candidate_faults(candidates: Sequence[Candidate]) -> list[Violation]:
    """What is wrong with a batch as a request; what is wrong with a file is its outcome instead."""
    if len(candidates) > MAX_CANDIDATES:
        return [
            Violation(
                "candidates",
                "TOO_MANY",
                f"{len(candidates)} candidates; send at most {MAX_CANDIDATES} a call",
                f"候选样本 {len(candidates)} 个；每次最多 {MAX_CANDIDATES} 个",
            )
        ]
    times = Counter(candidate.file for candidate in candidates)
    faults: list[Violation] = []
    for index, candidate in enumerate(candidates):
        at = f"candidates[{index}]"
        faults += sha256_faults(candidate.sha256, f"{at}.sha256")
        if candidate.mask_sha256 is not None:
            faults += sha256_faults(candidate.mask_sha256, f"{at}.mask_sha256")
        if candidate.group is not None:
            faults += text_faults(candidate.group, f"{at}.group", 128)
        if times[candidate.file] > 1:
            faults.append(
                Violation(
                    f"{at}.file",
                    "DUPLICATE",
                    f"{shown(candidate.file)} is offered {times[candidate.file]} times; offer it once a call",
                    f"{shown(candidate.file)} 重复 {times[candidate.file]} 次；每次调用中只能出现一次",
                )
            )
    return faults


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


def code_faults(code: str, at: str) -> list[Violation]:
    """What is wrong with the text of a defect code."""
    if _CODE.fullmatch(code):
        return []
    return [
        Violation(
            at,
            "BAD_CODE",
            f"{shown(code)} is not a defect code; use 1 to 32 letters, digits, '_' or '-'",
            f"{shown(code)} 不是缺陷 code；须为 1 到 32 个字母、数字、'_'、'-'",
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


def judge(
    candidate: Candidate, objects: Mapping[str, Verified], mask_codes: Sequence[str] = ()
) -> Sample | Rejection:
    """The sample that a candidate makes, or why it makes none.

    `objects` is what was found by hash, `mask_codes` what the path declares of its masks.
    """
    fault = candidate.fault()
    if fault is not None:
        return fault
    image = objects[candidate.sha256]
    if isinstance(image, RejectedObject):
        return image.rejection
    suffix = PurePosixPath(candidate.file).suffix.lower()
    if _FORMAT_OF_SUFFIX[suffix] != image.format:
        return Rejection(
            RejectReason.TYPE_MISMATCH,
            f"the file is named {suffix} but its content is {image.format}; rename it",
        )
    if candidate.mask_sha256 is not None:
        fault = _mask_fault(image, objects[candidate.mask_sha256], mask_codes)
        if fault is not None:
            return fault
    return Sample(candidate.file, candidate.code, image, candidate.mask_sha256, candidate.group)


def _mask_fault(image: ImageObject, mask: Verified, mask_codes: Sequence[str]) -> Rejection | None:
    if isinstance(mask, RejectedObject):
        if mask.rejection.reason in (RejectReason.NOT_UPLOADED, RejectReason.HASH_MISMATCH):
            # The importer's remedy is an upload, the same as for an image.
            return Rejection(mask.rejection.reason, f"the mask: {mask.rejection.message}")
        return Rejection(
            RejectReason.BAD_MASK,
            f"the mask is no readable image: {mask.rejection.reason}, {mask.rejection.message}",
        )
    if (mask.width, mask.height) != (image.width, image.height):
        return Rejection(
            RejectReason.BAD_MASK,
            f"the mask is {mask.width} by {mask.height} pixels, its image {image.width} by {image.height}; "
            "they must be equal",
            f"掩膜为 {mask.width}×{mask.height} 像素，图片为 {image.width}×{image.height}；两者必须相同",
        )
    assert mask.mask is not None, "an object that is offered as a mask is read as one"  # noqa: S101
    fault = _meaning_fault(mask.mask, mask_codes)
    return None if fault is None else Rejection(RejectReason.BAD_MASK, fault.message, fault.message_zh)


def _meaning_fault(mask: MaskFacts, mask_codes: Sequence[str]) -> MaskFault | None:
    """Why a mask cannot mean what its path says (D1)."""
    if not mask_codes:
        return mask.black_and_white
    if mask.indexed is None and mask.largest_index > len(mask_codes):
        declared = ", ".join(mask_codes)
        return MaskFault(
            f"the mask has the value {mask.largest_index}, and the path declares {len(mask_codes)} codes "
            f"({declared}); correct the mask, or extend the declaration",
            f"掩膜含有值 {mask.largest_index}，而数据路径只声明了 {len(mask_codes)} 个 code（{declared}）；"
            "请修正掩膜，或扩充声明",
        )
    return mask.indexed


def count_changes(added: Iterable[Sample], removed: Iterable[tuple[str, bool]]) -> tuple[CodeCount, ...]:
    """By how much the counts change: for samples that come, and for (code, had a mask) of those that go."""
    samples: Counter[str] = Counter()
    masks: Counter[str] = Counter()
    for sample in added:
        samples[sample.code] += 1
        masks[sample.code] += sample.mask_sha256 is not None
    for code, had_mask in removed:
        samples[code] -= 1
        masks[code] -= had_mask
    return tuple(
        CodeCount(code, samples[code], masks[code])
        for code in sorted(samples)
        if samples[code] or masks[code]
    )


def manifest_line(sample: Sample, mask_codes: Sequence[str] = ()) -> bytes:
    """A sample's line in a manifest. A contract: the same sample gives the same bytes for ever.

    `mask_codes` is what the path declares of its masks; a line says it only where there is a mask.
    """
    line: dict[str, object] = {
        "name": sample.file,
        "code": sample.code,
        "sha256": sample.image.sha256,
        "size_bytes": sample.image.size_bytes,
        "width": sample.image.width,
        "height": sample.image.height,
        "format": sample.image.format,
        "mask_sha256": sample.mask_sha256,
        "group": sample.group,
    }
    if mask_codes and sample.mask_sha256 is not None:
        line["mask_codes"] = list(mask_codes)
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
