"""Reads image files from any source (D4): checks, facts, pixels. Needs no torch.

Import, training, evaluation and `loupe.artifact` decode by this module, so that all see the same pixels.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from io import BytesIO
from pathlib import PurePosixPath
from typing import TypeAlias

import cv2
import numpy as np
from loupe import bmp_files, image_damage
from loupe.text import fact_of
from numpy.typing import NDArray
from PIL import Image, ImagePalette, UnidentifiedImageError

Pixels: TypeAlias = NDArray[np.uint8]
FEW_BITS = "FEW_BITS"
"""A doubt: of more than 8 bits, the picture uses so few that it is dark; they may mean another range."""
LEFT_OVER = "LEFT_OVER"
"""A doubt: a JPEG holds more data than its picture, as one of which a part in the middle is damaged."""
UPRIGHT = 1
"""The orientation of a picture that is shown as it is stored."""


class Reason(StrEnum):
    """Why a file cannot be a sample."""

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
    BAD_MASK = "BAD_MASK"


class UnusableImage(ValueError):
    """The file is set aside; `reason` is stable, `message` is for a person."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True)
class ImageLimits:
    """What is refused from the header alone, before a pixel is decoded."""

    max_image_bytes: int = 256 * 2**20
    max_pixels: int = 80_000_000
    """Below the size at which Pillow itself begins to warn of decompression bombs."""
    max_side_px: int = 30_000
    """Line-scan pictures are long; 32,767 is where OpenCV's remapping ends."""


@dataclass(frozen=True)
class ImageProperties:
    """What a file is, measured from its bytes."""

    width: int
    height: int
    """As viewers show it: turned by its orientation tag."""
    channels: int
    """As stored: 1 grey, 3 colour or palette, 4 with alpha."""
    bit_depth: int
    """As the file declares it."""
    format: str
    """jpeg, png, bmp or tiff."""
    pixels_sha256: str
    """Of the decoded RGB pixels and their shape: equal for the same picture in two lossless files (D2)."""
    orientation: int = UPRIGHT
    """Of its tag, 1 to 8; above 1, pixels as stored are not those that are shown."""
    doubt: str = ""
    """FEW_BITS or LEFT_OVER, if a person should look at it."""


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    """As stored."""
    channels: int
    bit_depth: int
    pictures: int = 1
    """Pages or frames, without smaller copies of the first."""


DEFAULT_LIMITS = ImageLimits()
FORMAT_OF_SUFFIX = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".bmp": "bmp",
    ".tif": "tiff",
    ".tiff": "tiff",
}
_MAGIC = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
)
_OTHER_FORMATS = (
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyp", "HEIC or another ISO media file"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"8BPS", "PSD"),
)
"""Offset, first bytes and name: a file of these formats is refused by name."""
_MAX_CHANNELS = _MAX_BIT_DEPTH = 64
"""A header with more is damaged."""
_MAX_JPEG_SCANS = 100
"""Each costs a pass over all pixels; encoders write about ten."""
_MAX_JPEG_MARKERS = 10_000
"""The largest file that is taken has room for a thousand full segments."""
_MAX_PNG_CHUNKS = 100_000
"""A file of 64 MiB in chunks of 1 KiB has 65,536."""
_MAX_TIFF_PAGES = 10_000
_ORIENTATION_TAG = 0x0112
_ORIENTATION_HINTS = (b"Exif", b"eXIf", b"Raw profile type", b"adobe")
"""Without one of these a JPEG or PNG has no orientation; parsing a PNG for it decodes it."""
_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda stored_HWC: stored_HWC[:, ::-1],
    3: lambda stored_HWC: stored_HWC[::-1, ::-1],
    4: lambda stored_HWC: stored_HWC[::-1],
    5: lambda stored_HWC: stored_HWC.swapaxes(0, 1),
    6: lambda stored_HWC: stored_HWC[::-1].swapaxes(0, 1),
    7: lambda stored_HWC: stored_HWC[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored_HWC: stored_HWC[:, ::-1].swapaxes(0, 1),
}
"""From pixels as stored to those that are shown, by the orientation."""
_FIRST_ON_ITS_SIDE = 5
"""From this orientation on, width and height change places."""
_UNSIGNED, _WHITE_IS_ZERO = 1, 0
_DIM = 63
"""Of 255: so bright is the brightest pixel at most where 14 of 16 bits are used, or fewer."""
_PHOTOMETRIC_TAG, _COLOURS_TAG = 262, 320
_MOST_OF_8_BITS = 255
_BAND_PIXELS = 2**20
"""Decoded pixels are converted so many at a time, so that no second copy of a large picture is made."""


@contextmanager
def every_failure_refuses() -> Iterator[None]:
    """UnusableImage for every failure that no check foresees: only this file is set aside."""
    try:
        yield
    except UnusableImage:
        raise
    except MemoryError as error:
        raise UnusableImage(
            Reason.TOO_MUCH_MEMORY, "decoding the file takes more memory than there is for one file"
        ) from error
    except Exception as error:
        raise UnusableImage(Reason.DECODE_FAILED, f"the file does not decode: {fact_of(error)}") from error


@every_failure_refuses()
def inspect(data: bytes, name: str, limits: ImageLimits = DEFAULT_LIMITS) -> ImageProperties:
    """Facts of an image file, after decoding it whole. Raises UnusableImage."""
    if not data:
        raise UnusableImage(Reason.EMPTY, f"{name} is empty (0 bytes)")
    image_format = _sniff(data)
    suffix = PurePosixPath(name).suffix.lower()
    if image_format and suffix and FORMAT_OF_SUFFIX.get(suffix) != image_format:
        raise UnusableImage(
            Reason.TYPE_MISMATCH, f"{name} is named {suffix} but its content is {image_format}"
        )
    pixels_HWC, header = _decode(data, limits)
    return ImageProperties(
        width=pixels_HWC.shape[1],
        height=pixels_HWC.shape[0],
        channels=header.channels,
        bit_depth=header.bit_depth,
        format=image_format,
        pixels_sha256=pixels_sha256(pixels_HWC),
        orientation=orientation(data),
        doubt=_doubt(data, header, image_format, pixels_HWC),
    )


@every_failure_refuses()
def decode(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> Pixels:
    """RGB pixels, uint8 (H, W, 3), turned by the orientation tag as viewers do. Raises UnusableImage.

    Grey is repeated, and alpha dropped. Of more than 8 bits the highest 8 are kept: the range is that of the
    file's depth, whatever its values (docs/decisions/0078).
    """
    return _decode(data, limits)[0]


def orientation(data: bytes) -> int:
    """The orientation that EXIF, XMP or a TIFF's tag give, 1 (as stored) to 8; 1 where none is understood."""
    if _sniff(data) not in {"jpeg", "png", "tiff"}:
        return UPRIGHT
    if not data.startswith((b"II", b"MM")) and not any(hint in data for hint in _ORIENTATION_HINTS):
        return UPRIGHT
    try:
        with Image.open(BytesIO(data), formats=["JPEG", "PNG", "TIFF"]) as image:
            found = image.getexif().get(_ORIENTATION_TAG)
    except Exception:  # noqa: BLE001 -- viewers pass over metadata that they do not understand
        return UPRIGHT
    return found if isinstance(found, int) and found in _TURNS else UPRIGHT


def _doubt(data: bytes, header: _Header, image_format: str, pixels_HWC: Pixels) -> str:
    """What a person should look at; UnusableImage where pixels are missing, which libjpeg does not tell."""
    if header.bit_depth > 8 and int(pixels_HWC.max()) <= _DIM:
        return FEW_BITS
    if image_format == "jpeg":
        try:
            with suppress(struct.error):  # a last segment that is cut
                return LEFT_OVER if image_damage.check(data, _jpeg_markers(data), pixels_HWC) else ""
        except image_damage.Damaged as damaged:
            raise UnusableImage(Reason.TRUNCATED, str(damaged)) from damaged
    return ""


def pixels_sha256(pixels_HWC: Pixels) -> str:
    """Digest of pixels and shape, whatever file they came from."""
    digest = hashlib.sha256(repr(pixels_HWC.shape).encode())
    digest.update(np.ascontiguousarray(pixels_HWC).data)
    return digest.hexdigest()


def _sniff(data: bytes) -> str:
    """The format the first bytes promise, or nothing."""
    return next((image_format for magic, image_format in _MAGIC if data.startswith(magic)), "")


def _other_content(data: bytes) -> str:
    """What the content is, if it is not of a format that is taken."""
    for offset, magic, name in _OTHER_FORMATS:
        if data.startswith(magic, offset):
            return f"the content is {name}, which is not taken; save it as PNG"
    return "the content is not JPEG, PNG, BMP or TIFF"


def _decode(data: bytes, limits: ImageLimits) -> tuple[Pixels, _Header]:
    if not data:
        raise UnusableImage(Reason.EMPTY, "the file is empty (0 bytes)")
    if len(data) > limits.max_image_bytes:
        raise UnusableImage(
            Reason.TOO_LARGE, f"the file has {len(data):,} bytes; the limit is {limits.max_image_bytes:,}"
        )
    image_format = _sniff(data)
    if not image_format:
        raise UnusableImage(Reason.NOT_AN_IMAGE, _other_content(data))
    header_of, check_whole = _FORMATS[image_format]
    try:
        header = header_of(data)
        _refuse_oversize(header, limits)
        check_whole(data, header)
        _refuse_several(header.pictures, image_format)
    except (struct.error, IndexError) as error:
        raise UnusableImage(Reason.TRUNCATED, f"the {image_format} file ends inside its header") from error
    if image_format == "tiff":
        return _decode_tiff(data, header), header
    if image_format == "jpeg" and header.bit_depth != 8:
        raise _unsupported(f"a JPEG of {header.bit_depth} bits")
    pixels_HWC = _decode_with_opencv(data, image_format)
    _refuse_other_size(header, width=pixels_HWC.shape[1], height=pixels_HWC.shape[0])
    turn = _TURNS.get(orientation(data))
    return pixels_HWC if turn is None else np.ascontiguousarray(turn(pixels_HWC)), header


def _refuse_several(pictures: int, image_format: str) -> None:
    if pictures != 1:
        raise UnusableImage(
            Reason.SEVERAL_PICTURES,
            f"the {image_format} file holds {pictures} pages or frames, and a sample is one picture; "
            "save each that is meant as a file of its own",
        )


def _refuse_other_size(header: _Header, *, width: int, height: int) -> None:
    if (width, height) != (header.width, header.height):
        raise UnusableImage(
            Reason.DECODE_FAILED, f"the header says {header.width}×{header.height}, not {width}×{height}"
        )


def _refuse_oversize(header: _Header, limits: ImageLimits) -> None:
    if header.width < 1 or header.height < 1:
        raise UnusableImage(Reason.DECODE_FAILED, f"the header says {header.width}×{header.height} pixels")
    if (
        header.width * header.height > limits.max_pixels
        or max(header.width, header.height) > limits.max_side_px
    ):
        raise UnusableImage(
            Reason.TOO_LARGE,
            f"the header says {header.width}×{header.height} pixels; "
            f"the limits are {limits.max_pixels:,} pixels and {limits.max_side_px:,} a side",
        )
    if header.channels > _MAX_CHANNELS or header.bit_depth > _MAX_BIT_DEPTH:
        raise UnusableImage(
            Reason.DECODE_FAILED,
            f"the header says {header.channels} channels of {header.bit_depth} bits, which no picture has",
        )


def _decode_with_opencv(data: bytes, image_format: str) -> Pixels:
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise UnusableImage(Reason.DECODE_FAILED, f"the {image_format} file does not decode") from error
    if pixels is None:
        raise UnusableImage(Reason.DECODE_FAILED, f"the {image_format} file does not decode")
    return np.asarray(pixels, np.uint8)


def _decode_tiff(data: bytes, header: _Header) -> Pixels:
    """Pillow reports a short strip, OpenCV fills it: so Pillow decodes TIFF, and turns it as it loads it."""
    try:
        with Image.open(BytesIO(data), formats=["TIFF"]) as image:
            on_its_side = orientation(data) >= _FIRST_ON_ITS_SIDE
            shown = replace(header, width=header.height, height=header.width) if on_its_side else header
            # Before a pixel is decoded: only the size that our own parser found was held against the limits.
            # Some versions of Pillow say the size as shown here already.
            expected = shown if (image.width, image.height) == (shown.width, shown.height) else header
            _refuse_other_size(expected, width=image.width, height=image.height)
            if image.mode in {"F", "I"}:
                raise _no_range(f"a TIFF of the kind {image.mode}")  # noqa: TRY301
            read_short_palette(image)
            image.load()
            _refuse_other_size(shown, width=image.width, height=image.height)
            return _rgb(image, header.bit_depth, is_inverted=_photometric(image) == _WHITE_IS_ZERO)
    except Image.DecompressionBombError as error:
        raise UnusableImage(Reason.TOO_LARGE, fact_of(error)) from error
    except (UnusableImage, MemoryError):
        raise
    except UnidentifiedImageError as error:
        what = f"a TIFF of {header.channels} channel(s) of {header.bit_depth} bits as this one has them"
        raise _unsupported(what) from error
    except Exception as error:  # Pillow's decoders raise almost anything on hostile bytes
        reason = Reason.TRUNCATED if "truncated" in str(error).lower() else Reason.DECODE_FAILED
        raise UnusableImage(reason, f"the tiff file does not decode: {fact_of(error)}") from error


def read_short_palette(image: Image.Image) -> None:
    """Take the colours of a TIFF's palette for 8 bits where none needs more; before the image is loaded.

    They have 16 bits. Programs that write 8 are common, libtiff reads them so, and Pillow shows all black.
    """
    colours = image.tag_v2.get(_COLOURS_TAG, ()) if image.format == "TIFF" else ()  # type: ignore[attr-defined]
    if image.mode == "P" and colours and max(colours) <= _MOST_OF_8_BITS:
        image.palette = ImagePalette.raw("RGB;L", bytes(colours))


def _photometric(image: Image.Image) -> int | None:
    found: int | None = image.tag_v2.get(_PHOTOMETRIC_TAG)  # type: ignore[attr-defined]
    return found


def _unsupported(what: str) -> UnusableImage:
    return UnusableImage(Reason.UNSUPPORTED_KIND, f"{what} is not taken; save it as PNG")


def _no_range(what: str) -> UnusableImage:
    return UnusableImage(
        Reason.NO_RANGE,
        f"{what} does not say which of its values are black and white; save it as grey of 8 or 16 bits",
    )


def _rgb(image: Image.Image, bit_depth: int, *, is_inverted: bool) -> Pixels:
    """RGB of a loaded picture, in bands: as a whole, each step would hold the picture once more.

    Pillow scales grey of more than 8 bits not at all, and does not invert it.
    """
    pixels_HWC = np.empty((image.height, image.width, 3), np.uint8)
    for rows, band in _bands(image):
        if not image.mode.startswith("I;16"):
            pixels_HWC[rows] = np.asarray(band.convert("RGB"))
            continue
        grey_HW = (np.asarray(band).astype(np.uint16) >> (bit_depth - 8)).astype(np.uint8)
        pixels_HWC[rows] = (255 - grey_HW if is_inverted else grey_HW)[..., None]
    return pixels_HWC


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    height = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, height):
        bottom = min(top + height, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


# --- the header of each format, and how a truncated file is recognised --------------------------------------


def _png_header(data: bytes) -> _Header:
    width, height, bit_depth, colour_type = struct.unpack_from(">IIBB", data, 16)
    channels = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(colour_type, 0)
    return _Header(width, height, channels, bit_depth, _png_frames(data))


def _png_frames(data: bytes) -> int:
    """Of an animated PNG, which says so before its pixels; a plain one has one."""
    at = data.find(b"acTL", 0, max(data.find(b"IDAT"), 0))
    return max(1, int(struct.unpack_from(">I", data, at + 4)[0])) if at >= 0 else 1


def _check_png(data: bytes, _header: _Header) -> None:
    """Walk the chunks: libpng decodes a truncated file without an error."""
    offset = 8
    view = memoryview(data)
    for _ in range(_MAX_PNG_CHUNKS):
        if offset + 12 > len(data):
            raise _cut_png()
        (length,) = struct.unpack_from(">I", data, offset)
        end = offset + 12 + length
        if end > len(data):
            raise _cut_png()
        kind = data[offset + 4 : offset + 8]
        if zlib.crc32(view[offset + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise UnusableImage(Reason.DECODE_FAILED, f"the png file's {kind!r} chunk has a wrong checksum")
        if kind == b"IEND":
            return
        offset = end
    raise _too_many("png", "chunks", _MAX_PNG_CHUNKS)


def _cut_png() -> UnusableImage:
    return UnusableImage(Reason.TRUNCATED, "the png file ends before its last chunk")


def _too_many(image_format: str, parts: str, limit: int) -> UnusableImage:
    return UnusableImage(
        Reason.TOO_MANY_PARTS,
        f"the {image_format} file has more than {limit:,} {parts}, which no camera or program writes; "
        "open it and save it again",
    )


_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_END, _JPEG_SCAN, _JPEG_PICTURES = 0xD9, 0xDA, 0xE2
_MP_ENTRIES, _MP_KIND, _MP_SMALLER = 0xB002, 0xFFFFFF, frozenset({0x010001, 0x010002})
_MAX_LISTED = 1000
_GAIN_MAPS = (b"hdrgm:", b"hdrgainmap")
"""How telephones name a second picture that says how bright the first one is where."""


_JPEG_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
"""With fill bytes before it; in entropy-coded data FF is followed by 00 or is a restart marker."""


def _jpeg_markers(data: bytes, *, without_gaps: bool = False) -> Iterator[tuple[int, int]]:
    """Each marker and where its segment begins, to the end of the first picture, as libjpeg finds them."""
    offset = 2
    for _ in range(_MAX_JPEG_MARKERS):
        found = _JPEG_MARKER.search(data, offset)
        if without_gaps and (found is None or found.start() != offset):
            if offset >= len(data) - 1:
                raise IndexError("the file ends where a marker should be")
            raise UnusableImage(Reason.DECODE_FAILED, "the jpeg file has data where a marker should be")
        if found is None:
            return
        offset = found.end()
        marker = data[offset - 1]
        yield marker, offset
        if marker == _JPEG_END:
            return
        if marker not in _JPEG_BARE_MARKERS:
            offset += struct.unpack_from(">H", data, offset)[0]
    raise _too_many("jpeg", "markers", _MAX_JPEG_MARKERS)


def _jpeg_header(data: bytes) -> _Header:
    for marker, offset in _jpeg_markers(data, without_gaps=True):
        if marker in _JPEG_FRAMES:
            bit_depth, height, width, channels = struct.unpack_from(">BHHB", data, offset + 2)
            return _Header(width, height, channels, bit_depth)
        if marker in (_JPEG_END, _JPEG_SCAN):
            break
    raise UnusableImage(Reason.DECODE_FAILED, "the jpeg file has no frame header")


def _check_jpeg(data: bytes, _header: _Header) -> None:
    """A whole JPEG ends in FFD9; entropy-coded data cannot hold these bytes, an EXIF thumbnail can."""
    scans, end, listed = 0, len(data), 1
    with suppress(struct.error):  # libjpeg reads what it got of the last segment
        for marker, offset in _jpeg_markers(data):
            scans += marker == _JPEG_SCAN
            if scans > _MAX_JPEG_SCANS:
                raise _too_many("jpeg", "scans", _MAX_JPEG_SCANS)
            if marker == _JPEG_PICTURES and data.startswith(b"MPF\0", offset + 2):
                listed = max(listed, _listed_pictures(data, offset + 6))
            end = offset if marker == _JPEG_END else end
    if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise UnusableImage(Reason.TRUNCATED, "the jpeg file ends inside its pixels")
    _refuse_several(max(listed, 1 + _follows_another(data, end)), "jpeg")


def _listed_pictures(data: bytes, start: int) -> int:
    """How many full pictures a list of several (CIPA DC-007) has; smaller copies and gain maps are none."""
    order = _tiff_order(data[start : start + 2])
    with suppress(struct.error):  # a list that is damaged lists nothing
        (directory,) = struct.unpack_from(order + "I", data, start + 4)
        (count,) = struct.unpack_from(order + "H", data, start + directory)
        for entry in range(start + directory + 2, start + directory + 2 + 12 * count, 12):
            tag, _, size, at = struct.unpack_from(order + "HHII", data, entry)
            if tag == _MP_ENTRIES:
                places = range(start + at, start + at + min(size, 16 * _MAX_LISTED), 16)
                kinds = [struct.unpack_from(order + "I", data, place)[0] & _MP_KIND for place in places]
                pictures = sum(kind not in _MP_SMALLER for kind in kinds)
                return 1 if pictures == 2 and any(mark in data for mark in _GAIN_MAPS) else pictures
    return 1


def _follows_another(data: bytes, end: int) -> bool:
    """Whether a whole JPEG lies behind the end of the first one; cameras' notes of other kinds may."""
    begin = data.find(b"\xff\xd8\xff", end)
    if begin < 0 or data[end:begin].strip(b"\0"):
        return False
    behind = data[begin:]
    try:
        _jpeg_header(behind)
        return any(marker == _JPEG_END for marker, _ in _jpeg_markers(behind))
    except (UnusableImage, struct.error, IndexError):
        return False


def _bmp_header(data: bytes) -> _Header:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    if header_bytes == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    return _Header(width, abs(height), {1: 3, 4: 3, 8: 3, 32: 4}.get(bits, 3), 8)


def _check_bmp(data: bytes, header: _Header) -> None:
    try:
        bmp_files.check(data, header.width, header.height)
    except image_damage.Damaged as damaged:
        raise UnusableImage(Reason.TRUNCATED, str(damaged)) from damaged
    except bmp_files.Unsupported as unsupported:
        raise _unsupported(str(unsupported)) from unsupported
    except bmp_files.TooManyCodes as too_many:
        raise _too_many("bmp", "run lengths", bmp_files.MAX_CODES) from too_many


def _tiff_header(data: bytes) -> _Header:
    if data[2:4] in (b"+\0", b"\0+"):
        raise _unsupported("a BigTIFF (one with 64-bit offsets)")
    order = _tiff_order(data)
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)
    values: dict[int, int] = {}
    total_bytes = 0
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, items = struct.unpack_from(order + "HHI", data, entry)
        letter, item_bytes = _TIFF_KINDS.get(kind, ("", 0))
        total_bytes += items * item_bytes
        if tag in _TIFF_TAGS and letter:
            at = entry + 8
            if items * item_bytes > 4:
                (at,) = struct.unpack_from(order + "I", data, at)
            (values[tag],) = struct.unpack_from(order + letter, data, at)
    if total_bytes > len(data):
        raise UnusableImage(
            Reason.DECODE_FAILED,
            f"the tiff file's tags say that they hold {total_bytes:,} bytes, and it has {len(data):,}",
        )
    bits, sample_format = values.get(258, 1), values.get(339, _UNSIGNED)
    if sample_format in _TIFF_NUMBERS:
        raise _no_range(f"a TIFF of {_TIFF_NUMBERS[sample_format]}")
    if _MOST_BITS < bits <= _MAX_BIT_DEPTH:
        raise _no_range(f"a TIFF of whole numbers of {bits} bits")
    if values.get(262) in _TIFF_LAB:
        raise _unsupported("a TIFF whose colours are L*a*b*")
    if values.get(284) == _PLANAR and values.get(259, _RAW) == _RAW and bits != 8:
        # Pillow scrambles it.
        raise _unsupported(f"an uncompressed TIFF of {bits} bits that holds each channel by itself (planar)")
    return _Header(
        values.get(256, 0), values.get(257, 0), values.get(277, 1), bits, _tiff_pictures(data, order)
    )


_MOST_BITS = 16
_TIFF_NUMBERS = {
    2: "numbers that may be negative",
    3: "floats",
    5: "complex numbers",
    6: "complex floats",
}
"""By sample format, what is no grey."""
_TIFF_TAGS = frozenset({256, 257, 258, 259, 262, 277, 284, 339})
"""Width, height, bits, compression, photometric, samples, planar configuration, sample format."""
_TIFF_LAB = frozenset({8, 9, 10})
_PLANAR, _RAW = 2, 1
_SUBFILE_TAG, _SMALLER_COPY = 254, 1
_TIFF_KINDS = {
    1: ("B", 1),
    2: ("", 1),
    3: ("H", 2),
    4: ("I", 4),
    5: ("", 8),
    6: ("", 1),
    7: ("", 1),
    8: ("", 2),
    9: ("", 4),
    10: ("", 8),
    11: ("", 4),
    12: ("", 8),
    13: ("", 4),
    16: ("Q", 8),
    17: ("", 8),
    18: ("", 8),
}
"""How a type of value is read, where it can be a size, and the bytes of one."""


def _tiff_order(data: bytes) -> str:
    return "<" if data.startswith(b"II") else ">"


def _tiff_pictures(data: bytes, order: str) -> int:
    """How many of its pages are pictures, and not smaller copies of one.

    Programs write such copies for previews; where the first page is one, the picture lies behind it.
    """
    (directory,) = struct.unpack_from(order + "I", data, 4)
    copies: list[bool] = []
    with suppress(struct.error):  # a damaged chain ends; only the first page is decoded
        while directory:
            (count,) = struct.unpack_from(order + "H", data, directory)
            # Tags are in ascending order, and this is the lowest that there is.
            copies.append(_is_smaller_copy(data, order, directory, min(count, 4)))
            if len(copies) > _MAX_TIFF_PAGES:
                raise _too_many("tiff", "pages", _MAX_TIFF_PAGES)
            (directory,) = struct.unpack_from(order + "I", data, directory + 2 + 12 * count)
    return max(1, len(copies) if copies[:1] == [True] else copies.count(False))


def _is_smaller_copy(data: bytes, order: str, directory: int, count: int) -> bool:
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, _, _, value = struct.unpack_from(order + "HHII", data, entry)
        if tag == _SUBFILE_TAG:
            return bool(value & _SMALLER_COPY)
    return False


def _check_tiff(_data: bytes, _header: _Header) -> None:
    """Nothing: Pillow reports a short strip itself."""


_FORMATS: dict[str, tuple[Callable[[bytes], _Header], Callable[[bytes, _Header], None]]] = {
    "png": (_png_header, _check_png),
    "jpeg": (_jpeg_header, _check_jpeg),
    "bmp": (_bmp_header, _check_bmp),
    "tiff": (_tiff_header, _check_tiff),
}
