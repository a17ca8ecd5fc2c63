"""Picture files written by hand, byte by byte: all that programs write and Pillow does not.

No code of the product and no library of pictures takes part, so what a file means is known from what was
written. H height, W width, C channels; values are those of the file's own bits.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

ORIENTATION = 0x0112
UNCOMPRESSED, LZW, DEFLATE, PACK_BITS = 1, 5, 8, 32773
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = range(4)
_CLEAR, _END = 256, 257
_SHORT, _LONG = 3, 4


def packed(values_HWC: np.ndarray, bits: int, order: str = ">") -> list[bytes]:
    """The bytes of each row. Values that are no whole bytes follow each other, the highest bit first."""
    if bits in {8, 16, 32}:
        return [row.astype(f"{order}u{bits // 8}").tobytes() for row in values_HWC]
    shifts = np.arange(bits - 1, -1, -1)
    rows = values_HWC.reshape(len(values_HWC), -1, 1) >> shifts & 1
    return [np.packbits(row.ravel().astype(np.uint8)).tobytes() for row in rows]


def exif(tag: int, order: str = ">", kind: int = _SHORT) -> bytes:
    """EXIF that holds an orientation only."""
    value = struct.pack(order + ("Hxx" if kind == _SHORT else "I"), tag)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "IHHHI", 8, 1, ORIENTATION, kind, 1) + value + bytes(4)


def png(
    values_HWC: np.ndarray,
    bits: int,
    colour_type: int,
    chunks: Mapping[str, bytes],
    *,
    late_exif: bytes = b"",
) -> bytes:
    """A PNG; `chunks` lie before the pixels, and `late_exif` behind them."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = values_HWC.shape[:2]
    rows = b"".join(b"\0" + row for row in packed(values_HWC, bits))
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)),
            *(chunk(kind.encode(), body) for kind, body in chunks.items()),
            chunk(b"IDAT", zlib.compress(rows)),
            *([chunk(b"eXIf", late_exif)] if late_exif else []),
            chunk(b"IEND", b""),
        )
    )


def bmp(values_HWC: np.ndarray, bits: int, palette_N3: np.ndarray | None, *, top_down: bool) -> bytes:
    """A BMP of indices of 1, 4 or 8 bits, or of red, green and blue of 24 or 32 bits a pixel."""
    height, width = values_HWC.shape[:2]
    if palette_N3 is None:
        stored = np.zeros((height, width, bits // 8), np.uint8)
        stored[..., :3] = values_HWC[..., ::-1]
        rows, colours = packed(stored, 8), b""
    else:
        rows = packed(values_HWC, bits)
        colours = b"".join(bytes([*colour[::-1], 0]) for colour in palette_N3.tolist())
    rows = [row + bytes(-len(row) % 4) for row in rows]
    pixels = b"".join(rows if top_down else rows[::-1])
    begin = 54 + len(colours)
    count = 0 if palette_N3 is None else len(palette_N3)
    header = struct.pack(
        "<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits, 0, len(pixels), 0, 0, count, 0
    )
    return b"BM" + struct.pack("<IHHI", begin + len(pixels), 0, 0, begin) + header + colours + pixels


def masked_bmp(pixels_HW: np.ndarray, masks: Sequence[int], *, header_bytes: int = 40) -> bytes:
    """A BMP whose pixels of 16 or 32 bits have their channels where `masks` say (BI_BITFIELDS)."""
    height, width = pixels_HW.shape
    rows = [row.tobytes() for row in pixels_HW.astype(pixels_HW.dtype.newbyteorder("<"))[::-1]]
    pixels = b"".join(row + bytes(-len(row) % 4) for row in rows)
    bits, told = 8 * pixels_HW.itemsize, struct.pack(f"<{len(masks)}I", *masks)
    header = struct.pack("<IiiHHIIiiII", header_bytes, width, height, 1, bits, 3, len(pixels), 0, 0, 0, 0)
    header = (header + told).ljust(header_bytes, b"\0")
    begin = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", begin + len(pixels), 0, 0, begin) + header + pixels


def run_length_bmp(codes: bytes, width: int, height: int, bits: int) -> bytes:
    """A grey BMP of 4 or 8 bits whose pixels are run lengths, as they are given."""
    greys = b"".join(bytes([255 * value // (2**bits - 1)] * 3 + [0]) for value in range(2**bits))
    begin = 54 + len(greys)
    compression = {8: 1, 4: 2}[bits]
    header = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(codes), 0, 0, 2**bits, 0
    )
    return b"BM" + struct.pack("<IHHI", begin + len(codes), 0, 0, begin) + header + greys + codes


def run_lengths(values_HW: np.ndarray, bits: int, *, absolute: bool) -> list[bytes]:
    """The codes of each row, from the lowest up, with its end: of each pixel, or of the row as it is."""
    per_byte = 8 // bits
    rows = []
    for row in values_HW[::-1].tolist():
        if absolute:
            body = packed(np.array([row])[..., None], bits)[0]
            code = bytes([0, len(row)]) + body + bytes(-len(body) % 2)
        else:
            code = b"".join(bytes([1, value << (8 - bits) if per_byte == 2 else value]) for value in row)
        rows.append(code + b"\0\0")
    return rows


def tiff(
    values_HWC: np.ndarray,
    bits: int,
    photometric: int,
    *,
    order: str = "<",
    compression: int = UNCOMPRESSED,
    rows_per_strip: int = 0,
    tile_px: int = 0,
    is_planar: bool = False,
    tags: Mapping[int, tuple[int, Sequence[int]]] | None = None,
) -> bytes:
    """A TIFF in strips, or in tiles of `tile_px` a side; `tags` gives type and values of further ones.

    Of one that is planar, all parts of a channel lie before those of the next.
    """
    height, width, channels = values_HWC.shape
    if tile_px:
        padded = np.pad(values_HWC, ((0, -height % tile_px), (0, -width % tile_px), (0, 0)))
        parts = [
            padded[top : top + tile_px, left : left + tile_px]
            for top in range(0, height, tile_px)
            for left in range(0, width, tile_px)
        ]
    else:
        rows_per_strip = rows_per_strip or height
        parts = [values_HWC[top : top + rows_per_strip] for top in range(0, height, rows_per_strip)]
    if is_planar:
        parts = [part[..., [channel]] for channel in range(channels) for part in parts]
    bodies = [_compressed(packed(part, bits, order), compression) for part in parts]
    offsets = [8 + sum(map(len, bodies[:number])) for number in range(len(bodies))]
    entries: dict[int, tuple[int, Sequence[int]]] = {
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [bits] * channels),
        259: (_SHORT, [compression]),
        262: (_SHORT, [photometric]),
        277: (_SHORT, [channels]),
        284: (_SHORT, [2 if is_planar else 1]),
        **(
            {322: (_LONG, [tile_px]), 323: (_LONG, [tile_px])}
            if tile_px
            else {278: (_LONG, [rows_per_strip])}
        ),
        324 if tile_px else 273: (_LONG, offsets),
        325 if tile_px else 279: (_LONG, [len(body) for body in bodies]),
        **(tags or {}),
    }
    return _with_directory(b"".join(bodies), entries, order)


def _with_directory(pixels: bytes, entries: Mapping[int, tuple[int, Sequence[int]]], order: str) -> bytes:
    at = 8 + len(pixels)
    behind = at + 2 + 12 * len(entries) + 4
    directory, values = struct.pack(order + "H", len(entries)), b""
    for tag, (kind, items) in sorted(entries.items()):
        body = struct.pack(f"{order}{len(items)}{'H' if kind == _SHORT else 'I'}", *items)
        if len(body) > 4:
            body, values = struct.pack(order + "I", behind + len(values)), values + body
        directory += struct.pack(order + "HHI", tag, kind, len(items)) + body.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "I", at) + pixels + directory + bytes(4) + values


def _compressed(rows: list[bytes], compression: int) -> bytes:
    if compression == DEFLATE:
        return zlib.compress(b"".join(rows))
    if compression == LZW:
        return _lzw(b"".join(rows))
    if compression == PACK_BITS:
        return b"".join(
            bytes([len(row[at : at + 128]) - 1]) + row[at : at + 128]
            for row in rows
            for at in range(0, len(row), 128)
        )
    return b"".join(rows)


def _lzw(data: bytes) -> bytes:
    """Of 9 bits a code: the table is cleared before it needs more."""
    codes: list[int] = []
    for at in range(0, len(data), 250):
        codes += [_CLEAR, *data[at : at + 250]]
    codes.append(_END)
    bits = "".join(f"{code:09b}" for code in codes)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
