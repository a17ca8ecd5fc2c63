"""Finds what decoders paint over: JPEG files that lack pixels and still decode (D4, D6).

libjpeg fills what is missing with grey, and does not say so to its caller. So the decoder itself is asked:
bytes that are put behind a picture's data change nothing where the picture is whole, and become pixels where
something is missing; and where the last bytes can be replaced by any others, they are left over. libpng
refuses such files itself. Pillow decodes here, because OpenCV writes libjpeg's complaints to standard error.
"""

import hashlib
import re
import struct
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_FILLER = hashlib.sha512(b"behind the picture").digest().replace(b"\xff", b"\xfe")
"""64 bytes that are no marker, and decode to something else than zeros."""
_FILLERS = tuple(_FILLER[turn:] + _FILLER[:turn] for turn in (0, 13, 29, 47))
_SCAN = 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BASELINE, _HUFFMAN_CODED = frozenset({0xC0, 0xC1}), frozenset({0xC0, 0xC1, 0xC2})
"""Frames that are coded in one pass, and all whose end does not depend on what follows."""
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_MOST_PIXELS = 20_000_000
"""Larger pictures are not asked about: decoding one twice takes more memory than its own decoding may."""


class Damaged(ValueError):
    """Pixels are missing; the message says what was found."""


def check(data: bytes, markers: Iterable[tuple[int, int]], shown: NDArray[np.uint8]) -> bool:
    """Damaged if a JPEG's data end before its picture does; otherwise whether some of the data are left over.

    `markers` are those of the first picture, each with where its segment begins. Restart markers part the
    data: of each part it is found that it is too short, and only of the last that it is too long.

    `shown` are what another decoder made of the data. Where they are those of the data with bytes behind
    them, these change nothing, and the data need not be decoded here as well.
    """
    places = list(markers)
    frame = next((marker for marker, _ in places if marker in _FRAMES), None)
    if frame not in _HUFFMAN_CODED:
        return False
    scans = list(_scans(data, places))
    if not scans:
        return False
    filled = _decoded(_with_filler(data, scans))
    if filled is not None and _shows(filled, shown):
        picture = filled
    else:
        # The data are too short, or the decoders differ, as for CMYK and turned pictures.
        alone = _decoded(data)
        if alone is None:
            return False
        picture = alone
        if filled is not None and not np.array_equal(picture, filled):
            raise Damaged("the jpeg file's data end before its picture does; decoders paint the rest grey")
    return frame in _BASELINE and len(scans) == 1 and _is_left_over(data, scans[-1], picture)


def _scans(data: bytes, places: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Where the data of each scan begin and end; Damaged where restart markers are missing among them."""
    for (marker, offset), (_, following) in pairwise(places):
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


def _is_left_over(data: bytes, scan: tuple[int, int], picture: NDArray[np.uint8]) -> bool:
    """Whether the last bytes may be any others: a whole picture changes with them."""
    start, end = scan
    cut = end - len(_FILLER)
    # Half of what FF 00 stands for would become a marker.
    while cut > start and data[cut - 1] == 0xFF:
        cut -= 1
    # Of one shade, the tables may have one code, and any other is read as that.
    if cut <= start or picture.min() == picture.max() or _RESTART.search(data, cut, end):
        return False
    return all(_is_same(picture, data[:cut] + filler + data[end:]) for filler in _FILLERS)


def _shows(picture: NDArray[np.uint8], shown: NDArray[np.uint8]) -> bool:
    """Whether a picture, grey or RGB, has these pixels."""
    as_rgb = picture[..., None] if picture.ndim == 2 else picture
    return as_rgb.shape[:2] == shown.shape[:2] and as_rgb.shape[2] in {1, 3} and bool(np.all(as_rgb == shown))


def _is_same(picture: NDArray[np.uint8], data: bytes) -> bool:
    other = _decoded(data)
    return other is not None and np.array_equal(picture, other)


def _decoded(data: bytes) -> NDArray[np.uint8] | None:
    """The picture as stored, in its own channels; None if it is too large, or Pillow does not decode it."""
    try:
        with Image.open(BytesIO(data), formats=["JPEG"]) as image:
            return np.asarray(image) if image.width * image.height <= _MOST_PIXELS else None
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 -- Pillow's decoders raise almost anything on hostile bytes
        return None
