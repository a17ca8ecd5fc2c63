"""What a BMP's header and run lengths say: pixels that lack, and kinds that decoders misread (D5, D6).

Source: Microsoft's `BITMAPINFOHEADER` to `BITMAPV5HEADER`, and the run lengths of `Bitmap Compression`.
Decoders paint black what run lengths leave out, and OpenCV passes over the channel masks of short headers.
"""

import struct
from dataclasses import dataclass

from loupe.image_damage import Damaged

_CORE, _INFO, _WITH_MASKS = 12, 40, 56
"""Bytes of the header: OS/2's, Windows', and the first of which OpenCV reads the channel masks."""
_HEADERS = frozenset({_CORE, _INFO, 52, _WITH_MASKS, 108, 124})
_RAW, _RLE8, _RLE4, _BITFIELDS = 0, 1, 2, 3
_BITS = {_RAW: {1, 4, 8, 16, 24, 32}, _RLE8: {8}, _RLE4: {4}, _BITFIELDS: {16, 32}}
"""By compression, the bits a pixel can have."""
_BGR_32 = (0xFF0000, 0xFF00, 0xFF)
_BGR_16 = frozenset({(0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)})
"""Red, green and blue of 5, 5 and 5 bits, and of 5, 6 and 5."""
_END_OF_LINE, _END_OF_PICTURE, _DELTA = 0, 1, 2
MAX_CODES = 20_000_000
"""A file of the largest size that is taken has room for 33 million; a second each two million."""


class Unsupported(ValueError):
    """The file is sound, and decoders misread its kind; the message says which that is."""


class TooManyCodes(ValueError):
    """Its run lengths are so many that following them takes too long."""


@dataclass(frozen=True, slots=True)
class _Kind:
    header_bytes: int
    bits: int
    compression: int


def check(data: bytes, width: int, height: int) -> None:
    """Damaged where pixels lack; Unsupported; TooManyCodes; struct.error where the header is cut."""
    (first_pixel, header_bytes) = struct.unpack_from("<II", data, 10)
    bits = struct.unpack_from("<H", data, 24 if header_bytes == _CORE else 28)[0]
    compression = _RAW if header_bytes == _CORE else struct.unpack_from("<I", data, 30)[0]
    _refuse_unsupported(_Kind(header_bytes, bits, compression), data)
    if compression in (_RLE8, _RLE4):
        _follow_runs(data, first_pixel, width, height, pixels_per_byte=8 // bits)
    elif first_pixel + (width * bits + 31) // 32 * 4 * height > len(data):
        raise Damaged("the bmp file ends inside its pixels")


def _refuse_unsupported(kind: _Kind, data: bytes) -> None:
    if kind.header_bytes not in _HEADERS:
        raise Unsupported(f"a BMP with a header of {kind.header_bytes} bytes")
    if kind.bits not in _BITS.get(kind.compression, ()):
        raise Unsupported(f"a BMP of {kind.bits} bits a pixel with compression {kind.compression}")
    if kind.compression != _BITFIELDS:
        return
    masks = struct.unpack_from("<III", data, 54)
    if kind.bits == 16:
        # With a longer header OpenCV does not decode it.
        is_read = kind.header_bytes == _INFO and masks in _BGR_16
    else:
        is_read = masks == _BGR_32 or (kind.header_bytes >= _WITH_MASKS and all(map(_is_byte, masks)))
    if not is_read:
        shown = ", ".join(f"{mask:08x}" for mask in masks)
        raise Unsupported(f"a BMP of {kind.bits} bits with the channel masks {shown}")


def _is_byte(mask: int) -> bool:
    """Whether a channel is one of the pixel's four bytes."""
    return mask in {0xFF << shift for shift in (0, 8, 16, 24)}


def _follow_runs(data: bytes, at: int, width: int, height: int, *, pixels_per_byte: int) -> None:
    """Damaged unless every row has all its pixels: each is a pair of bytes, or a count and its pixels."""
    x = y = 0
    for _ in range(MAX_CODES):
        if y == height or (y == height - 1 and x == width):
            return
        if at + 1 >= len(data):
            raise Damaged("the bmp file ends inside its pixels")
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            x += count
        elif value > _DELTA:
            x += value
            at += (-(-value // pixels_per_byte) + 1) // 2 * 2
        elif value == _END_OF_LINE and x == width:
            x, y = 0, y + 1
        else:
            raise Damaged(
                f"the bmp file's run lengths leave out pixels from row {y} and column {x} on, which decoders "
                "paint black"
            )
        if x > width or at > len(data):
            raise Damaged("the bmp file's run lengths do not fit its rows")
    raise TooManyCodes
