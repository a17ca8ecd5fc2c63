"""Image files, read as by the registry, in its confined decoders, and drawn if taken."""

import asyncio
import base64
import struct
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from random import Random
from typing import Any, Self

import numpy as np
from loupe.image_files import DEFAULT_LIMITS, FORMAT_OF_SUFFIX, Reason
from PIL import Image, ImageDraw

from services.kit.confined_pool import ConfinedPool, WorkFailed
from services.kit.retry import retry_transient
from services.registry.application.examining import found
from services.vision.decoders import MIB, DecoderSettings
from services.vision.thumbnails import THUMBNAIL_PX
from tests.fuzz.mutation import INTEGERS, changed
from tests.fuzz.target import Broken, Result, Target, check_told

_SETTINGS = DecoderSettings()


class Images(Target):
    """What the registry makes of mutated image files."""

    cpu_s = 20.0
    """Of each file; the product allows more, for the largest files that it takes."""
    batch = 64

    def __init__(self) -> None:
        self._corpus = corpus()
        self._loop = asyncio.new_event_loop()
        self._pool = ConfinedPool(
            "tests.fuzz.decoder", children=2, memory_bytes=_SETTINGS.memory_mib * MIB, cpu_s=int(self.cpu_s)
        )

    def __enter__(self) -> Self:
        """Start a decoder."""
        self._loop.run_until_complete(self._examined([]))
        return self

    def __exit__(self, *_: object) -> None:
        """End the decoders."""
        self._loop.run_until_complete(self._pool.__aexit__())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def make(self, random: Random) -> bytes:
        """A file of the corpus, changed as its format is built, as bytes, or both."""
        kind, data = random.choice(self._corpus)
        if random.randrange(3):
            try:
                data = _CHANGES[kind](random, data)
            except (struct.error, IndexError, zlib.error, ValueError):
                data = changed(random, data)
        if random.randrange(2):
            data = changed(random, data)
        return data

    def run_batch(self, inputs: Sequence[bytes]) -> list[Result]:
        """Have them examined as an import does, and drawn if they are taken."""
        try:
            answers = self._loop.run_until_complete(self._examined(inputs))
        except WorkFailed as error:
            if len(inputs) == 1:
                return [Result(Broken(f"{type(error).__name__}: {error}"), self.cpu_s)]
            return [result for data in inputs for result in self.run_batch([data])]
        return [_result(data, answer) for data, answer in zip(inputs, answers, strict=True)]

    async def _examined(self, inputs: Sequence[bytes]) -> list[dict[str, Any]]:
        async def read() -> Sequence[bytes]:
            return inputs

        # A decoder that does not start in time on a busy machine is no finding.
        answer = await retry_transient(
            lambda: self._pool.work("", {"work": "examine"}, read), what="starting a decoder"
        )
        answers: list[dict[str, Any]] = answer["answers"]
        return answers


def _result(data: bytes, answer: dict[str, Any]) -> Result:
    cpu_s = answer.pop("cpu_s")
    try:
        return Result(_verdict(data, answer), cpu_s)
    except Exception as error:  # noqa: BLE001 -- all that it raises is a finding
        return Result(error, cpu_s)


def _verdict(data: bytes, answer: dict[str, Any]) -> str:
    if unusable := answer.get("unusable"):
        check_told(unusable["message"])
        return f"refused: {Reason(unusable['reason'])}"
    if message := answer.get("contradiction"):
        raise Broken(f"it is taken, and then refused when it is drawn: {message}")
    image = found("0" * 64, len(data), answer)
    if image.mask is None or image.format.lower() not in FORMAT_OF_SUFFIX.values():
        raise Broken(f"the facts are {image}")
    for fault in (image.mask.black_and_white, image.mask.indexed):
        if fault is not None:
            check_told(fault.message)
            check_told(fault.message_zh)
    if not (
        0 < image.width * image.height <= DEFAULT_LIMITS.max_pixels
        and max(image.width, image.height) <= DEFAULT_LIMITS.max_side_px
    ):
        raise Broken(f"a picture of {image.width}×{image.height} is taken")
    with Image.open(BytesIO(base64.b64decode(answer["picture"])), formats=["JPEG"]) as thumbnail:
        if max(thumbnail.size) > THUMBNAIL_PX:
            raise Broken(f"its thumbnail has {thumbnail.size}")
    return f"taken: {image.format}"


# --- the corpus ---------------------------------------------------------------------------------------------


def corpus() -> list[tuple[str, bytes]]:
    """Small files of every format and kind that is read, and some that are refused; always the same."""
    grey = _picture()
    colour = Image.merge("RGB", (grey, grey.rotate(90), grey.rotate(180)))
    mask = Image.new("L", grey.size)
    ImageDraw.Draw(mask).ellipse((8, 6, 20, 18), fill=255)
    indexed = mask.point(lambda value: value // 128).convert("P")
    indexed.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    wide = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    alpha = colour.convert("RGBA")
    alpha.putalpha(grey)
    exif = Image.Exif()
    exif[0x0112] = 6
    one_bit = mask.convert("1")
    made: list[tuple[str, bytes]] = []

    def add(kind: str, image: Image.Image, **options: Any) -> None:  # noqa: ANN401 -- Pillow's
        file = BytesIO()
        image.save(file, kind, **options)
        made.append((kind, file.getvalue()))

    for image in (grey, colour, mask, indexed, wide, alpha, alpha.convert("LA"), one_bit):
        add("PNG", image)
    add("PNG", colour.quantize(12), transparency=3)
    add("PNG", mask, transparency=0, exif=exif)
    add("PNG", grey, save_all=True, append_images=[mask])
    add("PNG", colour, icc_profile=bytes(range(200)), dpi=(300, 300))
    for image in (grey, colour, colour.convert("CMYK"), mask):
        add("JPEG", image)
        add("JPEG", image, progressive=True, restart_marker_blocks=2)
    add("JPEG", colour, exif=exif, subsampling=0, icc_profile=bytes(range(200)))
    for image in (grey, colour, mask, indexed, one_bit, alpha):
        add("BMP", image)
    made += [("BMP", _bmp_of_os2(grey)), ("BMP", _bmp_of_runs(grey))]
    for image in (
        grey,
        colour,
        mask,
        indexed,
        wide,
        alpha,
        one_bit,
        colour.convert("CMYK"),
        grey.convert("F"),
    ):
        add("TIFF", image)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        add("TIFF", colour, compression=compression)
        add("TIFF", mask, compression=compression)
    add("TIFF", one_bit, compression="group4")
    add("TIFF", one_bit, compression="group3")
    add("TIFF", colour, compression="jpeg")
    add("TIFF", wide, compression="tiff_lzw", tiffinfo={317: 2})
    add("TIFF", grey, save_all=True, append_images=[mask])
    made += [("TIFF", _big_endian_tiff(grey)), ("TIFF", b"II+\0" + made[-1][1][4:])]
    return made


def _picture() -> Image.Image:
    values = np.random.default_rng(7).integers(0, 256, (24, 32), np.uint8)
    values[6:18, 8:24] //= 4
    return Image.fromarray(values)


def _bmp_of_os2(grey: Image.Image) -> bytes:
    """A BMP with the short header, 8 bits."""
    width, height = grey.size
    palette = b"".join(bytes((one, one, one)) for one in range(256))
    offset = 14 + 12 + len(palette)
    header = struct.pack("<IHHHH", 12, width, height, 1, 8)
    return (
        struct.pack("<2sIII", b"BM", offset + width * height, 0, offset) + header + palette + grey.tobytes()
    )


def _bmp_of_runs(grey: Image.Image) -> bytes:
    """A BMP of run lengths."""
    width, height = grey.size
    palette = b"".join(bytes((one, one, one, 0)) for one in range(256))
    rows = b"".join(bytes((width, row * 9 % 256, 0, 0)) for row in range(height)) + b"\0\1"
    offset = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return struct.pack("<2sIII", b"BM", offset + len(rows), 0, offset) + header + palette + rows


def _big_endian_tiff(grey: Image.Image) -> bytes:
    entries: tuple[tuple[int, int, int], ...] = (
        (256, 3, grey.width),
        (257, 3, grey.height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
    )
    entries += ((273, 4, 0), (277, 3, 1), (278, 3, grey.height), (279, 4, grey.width * grey.height))
    begin = 8 + 2 + 12 * len(entries) + 4
    directory = struct.pack(">H", len(entries))
    for tag, kind, value in entries:
        number = begin if tag == 273 else value
        directory += struct.pack(">HHI", tag, kind, 1)
        directory += struct.pack(">HH", number, 0) if kind == 3 else struct.pack(">I", number)
    return b"MM\0*" + struct.pack(">I", 8) + directory + bytes(4) + grey.tobytes()


# --- changes that know the format ---------------------------------------------------------------------------


def _change_png(random: Random, data: bytes) -> bytes:
    """Change chunks, and give each its right checksum: otherwise no decoder is reached."""
    chunks: list[tuple[bytes, bytes]] = []
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    for _ in range(random.randint(1, 3)):
        index = random.randrange(len(chunks))
        name, body = chunks[index]
        match random.randrange(8):
            case 0:
                chunks.insert(random.randrange(len(chunks)), chunks[index])
            case 1:
                del chunks[index]
            case 2:
                chunks.insert(
                    index, (random.choice(_PNG_CHUNKS), random.randbytes(random.choice((0, 1, 4, 26))))
                )
            case 3:
                chunks[index] = (random.choice(_PNG_CHUNKS), body)
            case 4 if name == b"IDAT":
                chunks[index] = (name, zlib.compress(changed(random, zlib.decompress(body))))
            case 5 if name == b"IHDR":
                chunks[index] = (name, _changed_header(random, body))
            case _:
                chunks[index] = (name, changed(random, body))
        if not chunks:
            break
    return data[:8] + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


_PNG_CHUNKS = (
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"iCCP", b"sBIT", b"sRGB", b"eXIf",
    b"tEXt", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"fdAT", b"bKGD", b"pHYs", b"hIST",
)  # fmt: skip


def _changed_header(random: Random, body: bytes) -> bytes:
    width, height, bits, colour, *others = struct.unpack(">IIBBBBB", body)
    match random.randrange(5):
        case 0:
            width = random.choice(INTEGERS)
        case 1:
            height = random.choice(INTEGERS)
        case 2:
            bits = random.choice((1, 2, 4, 8, 16, 3, 0))
        case 3:
            colour = random.choice((0, 2, 3, 4, 6, 1))
        case _:
            others[random.randrange(3)] = random.choice((0, 1, 2))
    return struct.pack(">IIBBBBB", width, height, bits, colour, *others)


def _change_jpeg(random: Random, data: bytes) -> bytes:
    """Change, double, drop or move segments; a scan's data belong to it."""
    pieces: list[bytes] = []
    at = 2
    while at < len(data):
        (size,) = struct.unpack_from(">H", data, at + 2) if data[at + 1] != 0xD9 else (0,)
        end = at + 2 + size
        if data[at + 1] == 0xDA:
            end = next((one for one in range(end, len(data) - 1) if _ends_scan(data, one)), len(data))
        pieces.append(data[at:end])
        at = end
    for _ in range(random.randint(1, 3)):
        index = random.randrange(len(pieces))
        piece = pieces[index]
        match random.randrange(5):
            case 0:
                pieces.insert(random.randrange(len(pieces)), piece)
            case 1 if len(pieces) > 1:
                del pieces[index]
            case 2:
                pieces[index] = bytes((0xFF, random.randrange(0xC0, 0x100))) + piece[2:]
            case _:
                pieces[index] = piece[:4] + changed(random, piece[4:])
    return data[:2] + b"".join(pieces)


def _ends_scan(data: bytes, at: int) -> bool:
    return data[at] == 0xFF and data[at + 1] not in {0, 0xFF, *range(0xD0, 0xD8)}


def _change_bmp(random: Random, data: bytes) -> bytes:
    """Write unlikely numbers into the header."""
    made = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at, size = random.choice(
            ((2, 4), (10, 4), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2), (30, 4), (34, 4), (46, 4))
        )
        number = random.choice((*INTEGERS, 4, 12, 24, 40, 52, 56, 64, 108, 124, 2**32 - 24))
        made[at : at + size] = (number % 256**size).to_bytes(size, "little")
    return bytes(made)


def _change_tiff(random: Random, data: bytes) -> bytes:
    """Write unlikely tags, types, counts and values into the first directory."""
    order = "<" if data.startswith(b"II") else ">"
    made = bytearray(data)
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)
    for _ in range(random.randint(1, 3)):
        at = directory + 2 + 12 * random.randrange(count)
        match random.randrange(5):
            case 0:
                struct.pack_into(order + "H", made, at, random.choice(_TIFF_TAGS))
            case 1:
                struct.pack_into(order + "H", made, at + 2, random.randrange(20))
            case 2:
                struct.pack_into(order + "I", made, at + 4, random.choice(INTEGERS))
            case 3:
                struct.pack_into(
                    order + "I", made, directory + 2 + 12 * count, random.choice((8, directory, 2**31))
                )
            case _:
                struct.pack_into(order + "I", made, at + 8, random.choice((*INTEGERS, 4, 5, 6, 34712, 50000)))
    return bytes(made)


_TIFF_TAGS = (
    254, 256, 257, 258, 259, 262, 266, 269, 273, 274, 277, 278, 279, 284, 292, 317, 320, 322, 323, 324, 325,
    330, 338, 339, 347, 512, 513, 529, 530, 532, 700, 33723, 34377, 34665, 34675, 34853, 42113,
)  # fmt: skip
_CHANGES: dict[str, Callable[[Random, bytes], bytes]] = {
    "PNG": _change_png,
    "JPEG": _change_jpeg,
    "BMP": _change_bmp,
    "TIFF": _change_tiff,
}
