"""Finds what decoders paint over: JPEG and PNG files that lack pixels and still decode (D4, D6).

libjpeg fills what is missing with grey, libpng with black, and neither says so to its caller. For PNG the
compressed pixels are inflated and counted. For JPEG the decoder itself is asked: bytes that are put behind a
picture's data change nothing where the picture is whole, and become pixels where something is missing; and
where the last bytes can be replaced by any others, they are left over.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

_FILLER = hashlib.sha512(b"behind the picture").digest().replace(b"\xff", b"\xfe")
"""64 bytes that are no marker, and decode to something else than zeros."""
_FILLERS = tuple(_FILLER[turn:] + _FILLER[:turn] for turn in (0, 13, 29, 47))
_SCAN = 0xDA
_BASELINE, _HUFFMAN_CODED = frozenset({0xC0, 0xC1}), frozenset({0xC0, 0xC1, 0xC2})
"""Frames that are coded in one pass, and all whose end does not depend on what follows."""
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_INTERLACED = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip
"""First column and row, and the steps to the next ones, of each pass of a PNG."""
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By a PNG's colour type: values a pixel."""
_INFLATED_AT_ONCE = 2**20


class Damaged(ValueError):
    """Pixels are missing; the message says what was found."""


def check_png(data: bytes) -> None:
    """Damaged if the pixels of a PNG, whose chunks are whole, do not inflate to all of its rows."""
    pixels = zlib.decompressobj()
    inflated = 0
    for part in _png_parts(data):
        inflated += _inflated(pixels, part)
    expected = _png_bytes(data)
    if not pixels.eof or inflated < expected:
        raise Damaged(f"the png file's pixels end after {inflated:,} of {expected:,} bytes")


def check_jpeg(data: bytes, markers: Iterable[tuple[int, int]]) -> bool:
    """Damaged if a JPEG's data end before its picture does; otherwise whether some of the data are left over.

    `markers` are those of the first picture, each with where its segment begins. Restart markers part the
    data: of each part it is found that it is too short, and only of the last that it is too long.
    """
    places = list(markers)
    frame = next((marker for marker, _ in places if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}), 0)
    if frame not in _HUFFMAN_CODED:
        return False
    scans = list(_scans(data, places))
    picture = _decoded(data)
    if picture is None or not scans:
        return False
    if not np.array_equal(picture, _decoded(_with_filler(data, scans))):
        raise Damaged("the jpeg file's data end before its picture does; decoders paint the rest grey")
    return frame in _BASELINE and len(scans) == 1 and _is_left_over(data, scans[-1], picture)


def _scans(data: bytes, places: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Where the data of each scan begin and end; Damaged where restart markers are missing among them."""
    for (marker, offset), (_, following) in zip(places, places[1:], strict=False):
        if marker != _SCAN:
            continue
        start = offset + struct.unpack_from(">H", data, offset)[0]
        end = following - 2
        while end > start and data[end - 1] == 0xFF:  # fill bytes belong to the marker
            end -= 1
        numbers = [found[1][0] & 7 for found in _RESTART.finditer(data, start, end)]
        if any(number != place % 8 for place, number in enumerate(numbers)):
            raise Damaged("the jpeg file lacks parts of its data: its restart markers are not in order")
        yield start, end


def _with_filler(data: bytes, scans: list[tuple[int, int]]) -> bytes:
    """The file with bytes behind all of its entropy-coded data."""
    parts: list[bytes] = []
    copied = 0
    for start, end in scans:
        cuts = [found.start() for found in _RESTART.finditer(data, start, end)]
        for cut in (*cuts, end):
            parts += [data[copied:cut], _FILLER]
            copied = cut
    return b"".join([*parts, data[copied:]])


def _is_left_over(data: bytes, scan: tuple[int, int], picture: cv2.typing.MatLike) -> bool:
    """Whether the last bytes may be any others: a whole picture changes with them."""
    start, end = scan
    cut = end - len(_FILLER)
    # Half of what FF 00 stands for would become a marker.
    while cut > start and data[cut - 1] == 0xFF:
        cut -= 1
    if cut <= start or _RESTART.search(data, cut, end):
        return False
    others = (_decoded(data[:cut] + filler + data[end:]) for filler in _FILLERS)
    return all(np.array_equal(picture, other) for other in others)


def _decoded(data: bytes) -> cv2.typing.MatLike | None:
    try:
        return cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        return None


def _png_parts(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    offset = 8
    while offset + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, offset)
        kind = data[offset + 4 : offset + 8]
        if kind == b"IDAT":
            yield view[offset + 8 : offset + 8 + length]
        if kind == b"IEND":
            return
        offset += 12 + length


def _inflated(pixels: "zlib._Decompress", part: memoryview) -> int:
    """How many bytes a part of the pixels inflates to; few at a time are held."""
    count = 0
    rest: bytes | memoryview = part
    try:
        while not pixels.eof:
            count += (got := len(pixels.decompress(rest, _INFLATED_AT_ONCE)))
            rest = pixels.unconsumed_tail
            if not rest and got < _INFLATED_AT_ONCE:
                break
    except zlib.error as error:
        raise Damaged(f"the png file's pixels do not inflate ({error})") from error
    return count


def _png_bytes(data: bytes) -> int:
    """How many bytes the rows of a PNG are, each with the byte of its filter in front."""
    width, height, depth, colour_type, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    bits = depth * _SAMPLES.get(colour_type, 0)
    total = 0
    for first_x, first_y, step_x, step_y in _INTERLACED if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((first_x - width) // step_x), -((first_y - height) // step_y)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total
