"""Objects as they were read: images, masks, and why some are neither (D1, D4, D5)."""

import enum
from dataclasses import dataclass


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
    detail_zh: str = ""
    """More than the reason says, in Chinese."""

    @property
    def message_zh(self) -> str:
        """The sentence in Chinese."""
        return self.detail_zh or _ZH[self.reason]


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
