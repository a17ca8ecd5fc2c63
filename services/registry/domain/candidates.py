"""Candidates: samples as an importer offers them, and what becomes of each (D1, D2, D4)."""

import enum
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from loupe.errors import Violation
from loupe.translation import sentence

from services.registry.domain.identifiers import sha256_faults, shown, text_faults
from services.registry.domain.objects import (
    Doubt,
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
"""They change the displayed order of a name: `a\u202egnp.exe` looks like `aexe.png`."""
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
        """The hashes of its image and its mask."""
        return (self.sha256,) if self.mask_sha256 is None else (self.sha256, self.mask_sha256)

    def layout_fault(self) -> Rejection | None:
        """Why its file does not have the layout of D1; None if it has."""
        code, _, name = self.file.partition("/")
        if not is_code(code):
            return Rejection(
                RejectReason.BAD_CODE,
                f"{shown(code)} is not a defect code; use 1 to 32 letters, digits, '_' or '-'",
            )
        if not name or "/" in name or name in (".", ".."):
            return Rejection(
                RejectReason.BAD_CODE,
                f"{shown(self.file)} is not {{code}}/{{file}}; put the file right under its code",
            )
        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in _FORMAT_OF_SUFFIX:
            known = ", ".join(sorted(_FORMAT_OF_SUFFIX))
            return Rejection(RejectReason.NOT_AN_IMAGE, f"the extension {shown(suffix)} is none of {known}")
        return None

    def name_fault(self) -> Rejection | None:
        """Why its name is too long or looks like another one; None if it does not.

        This is the only rule for names. Spaces of any width and characters without width are allowed: they
        are common in names that were typed or copied.
        """
        size = len(self.file.encode(errors="replace"))
        if size > MAX_FILE_BYTES:
            code = f"{self.code}/"
            told = sentence(
                "with {code} before it the file name has {size} bytes, {limit} are allowed; shorten the name "
                "to {room} bytes (in UTF-8 a Chinese character has 3)",
                code=code,
                size=size,
                limit=MAX_FILE_BYTES,
                room=MAX_FILE_BYTES - len(code),
            )
            return Rejection(RejectReason.BAD_NAME, told.english, told.chinese)
        for character in self.file:
            if unicodedata.category(character) == "Cc" or character in _BIDI_CONTROLS:
                return Rejection(
                    RejectReason.BAD_NAME,
                    f"{shown(self.file)} holds U+{ord(character):04X}, a control character, which makes the "
                    "name look like another one; rename the file",
                )
        return None

    def fault(self) -> Rejection | None:
        """Why it cannot be listed, whatever its bytes are."""
        return self.layout_fault() or self.name_fault()


class CandidateOutcome(enum.StrEnum):
    """What became of a candidate."""

    ADDED = "ADDED"
    UNCHANGED = "UNCHANGED"
    REPLACED = "REPLACED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class SamePixels:
    """Samples with the pixels of one (D2)."""

    under_other_codes: tuple[str, ...] = ()
    """Of the dataset."""
    in_other_paths: tuple[str, ...] = ()
    """Of any dataset."""
    under_same_code: tuple[str, ...] = ()
    """Of the path: the split takes them for one (D3)."""


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """The result for one candidate, and which other samples have its pixels."""

    file: str
    outcome: CandidateOutcome
    rejection: Rejection | None = None
    doubt: Doubt | None = None
    """Why a person should look at a picture that is taken."""
    same_pixels: SamePixels = SamePixels()


def candidate_faults(candidates: Sequence[Candidate]) -> list[Violation]:
    """What is wrong with a batch as a request; what is wrong with a file is its outcome instead."""
    if len(candidates) > MAX_CANDIDATES:
        return [
            Violation(
                "candidates",
                "TOO_MANY",
                sentence(
                    "{count} candidates; send at most {limit} a call",
                    count=len(candidates),
                    limit=MAX_CANDIDATES,
                ),
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
                    sentence(
                        "{file} is offered {times} times; offer it once a call",
                        file=shown(candidate.file),
                        times=times[candidate.file],
                    ),
                )
            )
    return faults


def judge(
    candidate: Candidate,
    objects: Mapping[str, Verified],
    mask_codes: Sequence[str] = (),
    *,
    same_bits: bool = True,
) -> Sample | Rejection:
    """The sample of a candidate, or why there is none.

    `objects` are the inspected objects by hash, `mask_codes` the declaration of the path for its masks.
    `same_bits`: the importer scales by what the path says.
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
    if not same_bits and image.is_deep:
        return Rejection(
            RejectReason.OTHER_BITS,
            "the file has 16 bits, and the path says how many of them are significant; import it with loupe "
            "data import, which scales it",
        )
    if candidate.mask_sha256 is not None:
        fault = _mask_fault(image, objects[candidate.mask_sha256], mask_codes)
        if fault is not None:
            return fault
    return Sample(candidate.file, candidate.code, image, candidate.mask_sha256, candidate.group)


def _mask_fault(image: ImageObject, mask: Verified, mask_codes: Sequence[str]) -> Rejection | None:
    if isinstance(mask, RejectedObject):
        if mask.rejection.reason in (RejectReason.NOT_UPLOADED, RejectReason.HASH_MISMATCH):
            # The remedy is an upload, as for an image.
            return Rejection(mask.rejection.reason, f"the mask: {mask.rejection.message}")
        return Rejection(
            RejectReason.BAD_MASK,
            f"the mask is no readable image: {mask.rejection.reason}, {mask.rejection.message}",
        )
    assert mask.mask is not None, "an object that is offered as a mask is read as one"  # noqa: S101
    marks_nothing = mask.mask.indexed is None and mask.mask.largest_index == 0
    if image.orientation != 1 and not marks_nothing:
        return Rejection(
            RejectReason.BAD_MASK,
            *sentence(
                "its image is turned by its orientation tag ({orientation}), and nothing says whether the "
                "mask is for the image as stored or as shown: save the image upright without the tag, and "
                "the mask as that is shown",
                orientation=image.orientation,
            ),
        )
    if (mask.width, mask.height) != (image.width, image.height):
        return Rejection(
            RejectReason.BAD_MASK,
            *sentence(
                "the mask is {width} by {height} pixels, its image {image_width} by "
                "{image_height}; they must be equal",
                width=mask.width,
                height=mask.height,
                image_width=image.width,
                image_height=image.height,
            ),
        )
    fault = _meaning_fault(mask.mask, mask_codes)
    return None if fault is None else Rejection(RejectReason.BAD_MASK, fault.message, fault.message_zh)


def _meaning_fault(mask: MaskFacts, mask_codes: Sequence[str]) -> MaskFault | None:
    """Why a mask does not fit the declaration of its path (D1)."""
    if not mask_codes:
        return mask.black_and_white
    if mask.indexed is None and mask.largest_index > len(mask_codes):
        declared = ", ".join(mask_codes)
        return MaskFault(
            *sentence(
                "the mask has the value {largest_index}, and the path declares "
                "{code_count} codes ({codes}); correct the mask, or extend the "
                "declaration",
                largest_index=mask.largest_index,
                code_count=len(mask_codes),
                codes=declared,
            ),
        )
    return mask.indexed
