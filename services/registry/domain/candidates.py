"""Candidates: samples as an importer offers them, and what becomes of each (D1, D2, D4)."""

import enum
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from services.kit.errors import Violation
from services.registry.domain.identifiers import sha256_faults, shown, text_faults
from services.registry.domain.objects import (
    ImageObject,
    MaskFacts,
    MaskFault,
    RejectedObject,
    Rejection,
    RejectReason,
    Verified,
)
from services.registry.domain.samples import Sample, is_code

MAX_CANDIDATES = 500
MAX_FILE_BYTES = 255
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
        if not is_code(code):
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
