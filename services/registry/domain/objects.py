"""Objects as they were read: images, masks, and why some are neither (D1, D4, D5)."""

import enum
from dataclasses import dataclass

from loupe.translation import Sentence, sentence

RULES = 1
"""Of decoding (docs/decisions/0077). What was read by earlier ones is read again at its next import."""

DEEP_BITS = 16


@dataclass(frozen=True, slots=True)
class ImageObject:
    """Facts of an object whose bytes were read, hashed and decoded whole."""

    sha256: str
    size_bytes: int
    width: int
    height: int
    """As viewers show it: turned by its orientation tag."""
    channels: int
    bit_depth: int
    format: str
    """JPEG, PNG, BMP or TIFF."""
    pixels_sha256: str
    """Equal for the same picture in two lossless files."""
    mask: "MaskFacts | None" = None
    """Its facts as a mask; None if it was not read as one."""
    damaged: bool = False
    """Whether a check read other bytes at its address, until an upload heals it."""
    orientation: int = 1
    """Of its tag; above 1, its pixels are shown otherwise than they are stored."""
    doubt: str = ""
    """What `loupe.image_files` finds doubtful: FEW_BITS, LEFT_OVER."""
    rules: int = RULES
    """By which it was read."""

    @property
    def is_deep(self) -> bool:
        """Whether its values may have fewer significant bits than their file (D6)."""
        return self.bit_depth == DEEP_BITS

    @property
    def is_outdated(self) -> bool:
        """Whether it was read by earlier rules, which found less and decoded otherwise."""
        return self.rules < RULES


@dataclass(frozen=True, slots=True)
class MaskFault:
    """Why an image cannot be a mask, in two languages."""

    message: str
    message_zh: str


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """Whether an image can be read as a mask in each of the two meanings (D1, D5)."""

    black_and_white: MaskFault | None = None
    """Why it cannot; None if it can."""
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
    TOO_MANY_PARTS = "TOO_MANY_PARTS"
    SEVERAL_PICTURES = "SEVERAL_PICTURES"
    NO_RANGE = "NO_RANGE"
    UNSUPPORTED_KIND = "UNSUPPORTED_KIND"
    TOO_MUCH_MEMORY = "TOO_MUCH_MEMORY"
    TOO_SLOW = "TOO_SLOW"
    HASH_MISMATCH = "HASH_MISMATCH"
    NOT_UPLOADED = "NOT_UPLOADED"
    BAD_CODE = "BAD_CODE"
    BAD_NAME = "BAD_NAME"
    BAD_MASK = "BAD_MASK"
    OTHER_BITS = "OTHER_BITS"


# The English message of a rejection says more than its reason does; Chinese says the reason.
_BY_REASON = {
    RejectReason.EMPTY: sentence("the file is empty (0 bytes)"),
    RejectReason.NOT_AN_IMAGE: sentence("the content is no JPEG, PNG, BMP or TIFF image"),
    RejectReason.TYPE_MISMATCH: sentence("the extension of the file does not match its type"),
    RejectReason.TRUNCATED: sentence("the file is incomplete (truncated)"),
    RejectReason.TOO_LARGE: sentence("the file or its size in pixels is above the limit"),
    RejectReason.DECODE_FAILED: sentence("the image cannot be decoded"),
    RejectReason.TOO_MANY_PARTS: sentence(
        "the file has more scans, chunks, markers or pages than any camera writes; open it and save it again"
    ),
    RejectReason.SEVERAL_PICTURES: sentence(
        "the file holds several pages or frames, and a sample is one picture; save each as a file of its own"
    ),
    RejectReason.NO_RANGE: sentence(
        "the file's numbers do not say which are black and white (floats, 32 bits, negative ones); save it "
        "as grey of 8 or 16 bits"
    ),
    RejectReason.UNSUPPORTED_KIND: sentence(
        "the file may be sound, and its kind of JPEG, BMP or TIFF is not taken; save it as PNG"
    ),
    RejectReason.TOO_MUCH_MEMORY: sentence(
        "decoding the image takes more memory than one file may; open it and save it again"
    ),
    RejectReason.TOO_SLOW: sentence(
        "decoding the image takes longer than one file may; open it and save it again"
    ),
    RejectReason.HASH_MISMATCH: sentence(
        "the uploaded content does not have the declared SHA-256; upload it again"
    ),
    RejectReason.NOT_UPLOADED: sentence("the object store does not have the content; upload it first"),
    RejectReason.BAD_CODE: sentence(
        "the path must be {{code}}/{{file}}, a defect code has 1 to 32 letters, digits, '_' or '-'"
    ),
    RejectReason.BAD_NAME: sentence(
        "the file name holds control characters or bidirectional controls, so that it is shown as another; "
        "rename the file"
    ),
    RejectReason.BAD_MASK: sentence("the mask cannot be used"),
    RejectReason.OTHER_BITS: sentence(
        "the file has 16 bits, and the path says how many of them are significant; import it with loupe data "
        "import, which scales it"
    ),
}

# Of the reasons whose sentences hold none.
_REMEDIES = {
    RejectReason.EMPTY: sentence("copy it from its source again"),
    RejectReason.TRUNCATED: sentence("copy it from its source again"),
    RejectReason.DECODE_FAILED: sentence(
        "copy it from its source again; if it is damaged there too, leave it out"
    ),
    RejectReason.NOT_AN_IMAGE: sentence("save it as JPEG, PNG, BMP or TIFF, or leave it out"),
}


class Doubt(enum.StrEnum):
    """Why a person should look at a picture that is taken (D6)."""

    FEW_BITS = "FEW_BITS"
    LEFT_OVER = "LEFT_OVER"

    @property
    def told(self) -> Sentence:
        """What is doubtful, and the remedy."""
        return _DOUBTS[self]


_DOUBTS = {
    Doubt.FEW_BITS: sentence(
        "it is dark: of its 16 bits it uses 14 or fewer, and black to white is taken to be all 16; if its "
        "camera has fewer, import it with --bits 10, 12 or 14"
    ),
    Doubt.LEFT_OVER: sentence(
        "the jpeg file holds more data than its picture, as one of which a part is damaged; look at it"
    ),
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an object is set aside: a stable reason and a sentence."""

    reason: RejectReason
    message: str
    detail_zh: str = ""
    """The sentence in Chinese, if it says more than the reason's."""

    @property
    def told(self) -> Sentence:
        """What is wrong, and the remedy."""
        fact = Sentence(self.message, self.detail_zh or _BY_REASON[self.reason].chinese)
        remedy = _REMEDIES.get(self.reason)
        if remedy is None:
            return fact
        return Sentence(f"{fact.english}; {remedy.english}", f"{fact.chinese}；{remedy.chinese}")


@dataclass(frozen=True, slots=True)
class RejectedObject:
    """An object whose bytes can never be a sample, or do not have the declared hash."""

    sha256: str
    size_bytes: int
    rejection: Rejection

    final: bool = True
    """Whether the bytes decided alone; False for objects that are missing, too large or other than declared,
    and for those that the limits of this installation did not let be decoded.
    """

    @property
    def replaceable(self) -> bool:
        """Whether another upload may be valid: not if bytes with the declared hash decided.

        Earlier versions also stored that an upload had other bytes than declared.
        """
        return not self.final or self.rejection.reason is RejectReason.HASH_MISMATCH


Verified = ImageObject | RejectedObject
