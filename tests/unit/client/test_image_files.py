"""Files that strangers made (D4)."""

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loupe.image_files import ImageLimits, Reason, UnusableImage, decode, inspect
from PIL import Image

SUFFIXES = {"jpeg": ".jpg", "png": ".png", "bmp": ".bmp", "tiff": ".tif"}


def picture(height: int = 48, width: int = 64) -> np.ndarray:
    """A smooth picture, so that JPEG keeps it."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 4 % 256, columns * 3 % 256, (rows + columns) * 2 % 256], 2).astype(np.uint8)


def encoded(image_format: str, pixels: np.ndarray | None = None) -> bytes:
    data = BytesIO()
    Image.fromarray(picture() if pixels is None else pixels).save(data, image_format)
    return data.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and has no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("image_format", SUFFIXES)
def test_every_format_tells_its_facts_and_gives_rgb(image_format):
    """The size in a manifest decides whether a sample conforms, so it must be the picture's."""
    data = encoded(image_format)
    facts = inspect(data, "TPFIP/a" + SUFFIXES[image_format])
    assert (facts.width, facts.height, facts.channels, facts.bit_depth) == (64, 48, 3, 8)
    assert facts.format == image_format
    assert np.abs(decode(data).astype(int) - picture()).mean() < 8


def test_lossless_copies_have_the_same_pixel_hash():
    """D2 finds the same picture under two labels by its pixels, whatever file holds them."""
    hashes = {inspect(encoded(kind), "a" + SUFFIXES[kind]).pixels_sha256 for kind in ("png", "bmp", "tiff")}
    assert len(hashes) == 1
    assert inspect(encoded("png", picture(64, 48)), "a.png").pixels_sha256 not in hashes


@pytest.mark.parametrize(
    ("pixels", "value"),
    [
        (np.full((40, 40), 200, np.uint8), 200),
        (np.full((40, 40), 200 * 256, np.uint16), 200),
        (np.full((40, 40, 4), 200, np.uint8), 200),
    ],
)
@pytest.mark.parametrize("image_format", ["png", "tiff"])
def test_grey_deep_and_transparent_pictures_become_three_channels(image_format, pixels, value):
    """Cameras write grey and 16 bits; the networks take RGB."""
    decoded = decode(encoded(image_format, pixels))
    assert decoded.shape == (40, 40, 3)
    assert decoded.dtype == np.uint8
    assert (decoded == value).all()


def test_a_picture_is_turned_as_viewers_show_it():
    """Engineers label what they see, and the networks and the console must see the same."""
    data = BytesIO()
    image = Image.fromarray(picture())
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(data, "jpeg", exif=exif)
    assert decode(data.getvalue()).shape == (64, 48, 3)


def reason_of(data: bytes, name: str = "a.png", limits: ImageLimits | None = None) -> Reason:
    with pytest.raises(UnusableImage) as refused:
        inspect(data, name, limits or ImageLimits())
    assert refused.value.message
    return refused.value.reason


def test_an_empty_file_and_text_are_named():
    assert reason_of(b"") is Reason.EMPTY
    assert reason_of(b"hello, this is no picture") is Reason.NOT_AN_IMAGE


def test_a_file_that_lies_about_its_type_is_named():
    """Some tools believe the name: the same file would decode here and fail there."""
    assert reason_of(encoded("jpeg"), "a.png") is Reason.TYPE_MISMATCH
    assert reason_of(encoded("png"), "a.txt") is Reason.TYPE_MISMATCH


@pytest.mark.parametrize("image_format", SUFFIXES)
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9, 0.99])
def test_a_cut_file_is_never_taken_for_whole(image_format, kept):
    """Libjpeg and libpng paint the missing half grey and say nothing: a network would learn the grey."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    data = encoded(image_format, noise)
    reason = reason_of(data[: int(len(data) * kept)], "a" + SUFFIXES[image_format])
    assert reason in {Reason.TRUNCATED, Reason.DECODE_FAILED}


def test_a_cut_jpeg_with_a_thumbnail_is_not_taken_for_whole():
    """The thumbnail in EXIF ends with the same marker as the picture."""
    thumbnail = encoded("jpeg")
    whole = encoded("jpeg", np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8))
    embedded = whole[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + whole[2:]
    assert inspect(embedded, "a.jpg").width == 64
    assert reason_of(embedded[:-40], "a.jpg") is Reason.TRUNCATED


def test_a_bomb_is_refused_from_its_header():
    """30,000 by 30,000 pixels would take 2.7 GB: it must not be decoded to find that out."""
    assert reason_of(png_header(30_000, 30_000)) is Reason.TOO_LARGE
    assert reason_of(encoded("bmp"), "a.bmp", ImageLimits(max_pixels=100)) is Reason.TOO_LARGE
    assert reason_of(encoded("tiff"), "a.tif", ImageLimits(max_side_px=50)) is Reason.TOO_LARGE
    assert reason_of(encoded("jpeg"), "a.jpg", ImageLimits(max_image_bytes=50)) is Reason.TOO_LARGE


def test_a_real_bomb_of_30000_by_30000_grey_pixels_is_refused():
    """The same with pixels: it compresses to under a megabyte."""
    rows = zlib.compressobj()
    body = b"".join(rows.compress(b"\0" * 30_001) for _ in range(30_000)) + rows.flush()

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    assert reason_of(data) is Reason.TOO_LARGE


def progressive(scans: int, image: Image.Image | None = None, *, sound: bool = False) -> bytes:
    """A progressive JPEG whose last scan is there again and again, which libjpeg bears.

    The last one refines, and has too few bits for what was refined already; a sound file repeats the first.
    """
    data = BytesIO()
    (image or Image.fromarray(picture())).save(data, "JPEG", progressive=True)
    whole = data.getvalue()
    begin = whole.find(b"\xff\xda") if sound else whole.rfind(b"\xff\xda")
    end = whole.find(b"\xff\xc4", begin) if sound else len(whole) - 2
    return whole[:end] + whole[begin:end] * (scans - whole.count(b"\xff\xda")) + whole[end:]


def png_chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def long8_tiff(width: int, height: int) -> bytes:
    """8-bit grey whose sizes are of a type of 8 bytes, which a classic TIFF puts elsewhere."""
    pixels = zlib.compress(bytes(width * height))
    begin = 8 + len(pixels)
    sizes = begin + 2 + 12 * 9 + 4
    tags = ((256, 16, sizes), (257, 16, sizes + 8), (258, 3, 8), (259, 3, 8), (262, 3, 1), (273, 4, 8))
    tags += ((277, 3, 1), (278, 4, height), (279, 4, len(pixels)))
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", t, k, 1, v) for t, k, v in tags)
    end = directory + bytes(4) + struct.pack("<QQ", width, height)
    return struct.pack("<2sHI", b"II", 42, begin) + pixels + end


def many_pages(count: int) -> bytes:
    """A TIFF with empty pages behind its picture."""
    data = long8_tiff(8, 8)
    pages = b"".join(bytes(2) + struct.pack("<I", len(data) + 6 * page) for page in range(1, count))
    link = len(data) - 16 - 4
    return data[:link] + struct.pack("<I", len(data)) + data[link + 4 :] + pages + bytes(6)


def test_a_file_of_very_many_parts_is_refused_before_it_is_decoded():
    """D4: a scan costs a pass over all pixels, a chunk and a marker cost time under the interpreter's lock.

    1,000 scans took 7 s and were accepted; 5.6 million chunks, which fit into 64 MiB, took 23 s.
    """
    png, jpeg = encoded("png"), encoded("jpeg")
    bombs = {
        "scans": progressive(1000),
        "chunks": png[:33] + png_chunk(b"zzZz") * 200_000 + png[33:],
        "markers": jpeg[:2] + b"\xff\xfe\0\2" * 20_000 + jpeg[2:],
        "pages": many_pages(20_000),
    }
    for parts, data in bombs.items():
        with pytest.raises(UnusableImage, match=parts) as refused:
            inspect(data, "a")
        assert refused.value.reason is Reason.TOO_MANY_PARTS


def test_a_file_of_many_parts_is_taken():
    """Ten times what encoders write: ten scans, chunks of 8 KiB, a colour profile in 255 segments."""
    png, jpeg = encoded("png"), encoded("jpeg")
    sound = {
        "scans": progressive(99, sound=True),
        "chunks": png[:33] + png_chunk(b"zzZz") * 80_000 + png[33:],
        "markers": jpeg[:2] + b"\xff\xfe\0\2" * 2_550 + jpeg[2:],
        "fill bytes": jpeg[:2] + b"\xff" * 100_000 + jpeg[2:],
    }
    for data in sound.values():
        assert inspect(data, "a").width in {8, 64}


def test_an_album_is_refused_for_its_pages():
    """D6: of several pictures only the first would be seen."""
    assert reason_of(many_pages(2_000), "a.tif") is Reason.SEVERAL_PICTURES


def test_the_size_that_counts_is_the_decoders():
    """D4: a TIFF whose sizes our parser did not see had none that was too large, and took 2.4 GB."""
    assert inspect(long8_tiff(40, 30), "a").height == 30
    assert reason_of(long8_tiff(2, 40_000), "a.tif") is Reason.TOO_LARGE
    assert reason_of(long8_tiff(40, 30), "a.tif", ImageLimits(max_pixels=1_000)) is Reason.TOO_LARGE


def test_tags_that_share_their_bytes_are_refused():
    """Pillow copies the bytes of each tag: sixty thousand that mean the same megabytes fill any memory."""
    data = bytearray(encoded("tiff"))
    (directory,) = struct.unpack_from("<I", data, 4)
    struct.pack_into("<HHII", data, directory + 2 + 12, 700, 7, len(data) + 1, 0)
    with pytest.raises(UnusableImage, match="bytes"):
        inspect(bytes(data), "a")


@settings(max_examples=150, deadline=None)
@given(
    image_format=st.sampled_from(sorted(SUFFIXES)),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.floats(0.0, 1.0),
)
def test_damaged_bytes_give_pixels_or_a_reason_and_nothing_else(image_format, flips, cut):
    """An exception of another kind would fail a task over one bad file."""
    data = bytearray(encoded(image_format))
    for where, value in flips:
        data[int(where * (len(data) - 1))] = value
    try:
        facts = inspect(bytes(data[: int(cut * len(data)) or 1]), "a" + SUFFIXES[image_format])
    except UnusableImage:
        return
    assert facts.width > 0


def saved(kind: str, mode: str = "RGB", **options: object) -> bytes:
    data = BytesIO()
    Image.fromarray(picture(12, 16)).convert(mode).save(data, kind, **options)
    return data.getvalue()


def big_endian_tiff() -> bytes:
    """8-bit grey, one strip; Pillow writes the byte order of the machine only."""
    pixels = bytes(range(12 * 16))
    tags = ((256, 4, 16), (257, 4, 12), (258, 3, 8 << 16), (259, 3, 1 << 16), (262, 3, 1 << 16), (273, 4, 8))
    tags += ((277, 3, 1 << 16), (278, 4, 12), (279, 4, len(pixels)))
    directory = struct.pack(">H", len(tags)) + b"".join(struct.pack(">HHII", t, k, 1, v) for t, k, v in tags)
    return struct.pack(">2sHI", b"MM", 42, 8 + len(pixels)) + pixels + directory + bytes(4)


def core_bmp() -> bytes:
    """With the header of OS/2, which is shorter."""
    rows = bytes(48) * 12
    return struct.pack("<2sIIIIHHHH", b"BM", 26 + len(rows), 0, 26, 12, 16, 12, 1, 24) + rows


def run_length_bmp() -> bytes:
    """With a palette and run lengths, whose end no size tells."""
    rows = b"\x10\x05\0\0" * 12 + b"\0\1"
    header = struct.pack("<IiiHHIIiiII", 40, 16, 12, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return struct.pack("<2sIII", b"BM", 1078 + len(rows), 0, 1078) + header + bytes(1024) + rows


def multi_picture() -> bytes:
    second = Image.fromarray(picture(12, 16))
    return saved("MPO", save_all=True, append_images=[second])


KINDS: dict[str, bytes] = {
    "jpeg": saved("jpeg"),
    "jpeg, grey and progressive": saved("jpeg", "L", progressive=True),
    "jpeg, CMYK": saved("jpeg", "CMYK"),
    "MPO": multi_picture(),
    "png": saved("png"),
    "png with palette": saved("png", "P"),
    "png with alpha": saved("png", "LA"),
    "png of 1 bit": saved("png", "1"),
    "bmp": saved("bmp"),
    "bmp with palette": saved("bmp", "P"),
    "bmp of OS/2": core_bmp(),
    "bmp of run lengths": run_length_bmp(),
    "tiff": saved("tiff"),
    "tiff, LZW": saved("tiff", "L", compression="tiff_lzw"),
    "tiff, JPEG": saved("tiff", compression="jpeg"),
    "tiff, big endian": big_endian_tiff(),
}
of_pillow = pytest.mark.filterwarnings("ignore::UserWarning")
"""It warns of what it bears."""
SMALL = ImageLimits(max_pixels=100_000)
"""What is larger by a mutated header is refused and not decoded."""


def judged(data: bytes) -> str:
    """A verdict; any other exception fails the test."""
    verdict, message = "sound", "none"
    try:
        facts = inspect(data, "a", SMALL)
    except UnusableImage as refused:
        verdict, message = refused.reason, refused.message
    else:
        # They are kept as 16-bit numbers.
        assert max(facts.channels, facts.bit_depth) < 2**15
    # A row in PostgreSQL and a line in a terminal.
    assert message.isprintable()
    assert " object at 0x" not in message
    return verdict


@of_pillow
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_gives_a_verdict(kind):
    """D4, D7: a header may end in any of its fields; a BMP cut after 30 bytes ended the whole batch."""
    data = KINDS[kind]
    assert judged(data) == (Reason.SEVERAL_PICTURES if kind == "MPO" else "sound")
    for end in [*range(min(len(data), 700)), *range(700, len(data), 97)]:
        assert judged(data[:end]) != "sound" or end > len(data) - 16


@of_pillow
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_a_changed_byte_gives_a_verdict(kind):
    """D4, D7: every field of a header with the values at which sizes, offsets and counts break."""
    data = KINDS[kind]
    for place in [*range(min(len(data), 160)), *range(max(len(data) - 160, 160), len(data))]:
        for value in (0x00, 0x01, 0x7F, 0x80, 0xFF):
            judged(data[:place] + bytes([value]) + data[place + 1 :])


@of_pillow
@settings(max_examples=400, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4)), max_size=6),
    cut=st.floats(0, 1) | st.just(1.0),
)
def test_a_mutated_file_gives_a_verdict(kind, changes, cut):
    """Bytes changed, put in and taken out, all at once."""
    data = KINDS[kind]
    for where, new, gone in changes:
        place = int(where * len(data))
        data = data[:place] + new + data[place + gone :]
    judged(data[: int(cut * len(data))])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0", "BigTIFF"),
        (b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10", "BigTIFF"),
        (saved("tiff", "F"), "floats"),
        (saved("gif"), "GIF"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "WebP"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
    ],
)
def test_a_kind_that_is_not_taken_is_named(data, told):
    """Who has a BigTIFF is not helped by hearing that it is none of JPEG, PNG, BMP and TIFF."""
    with pytest.raises(UnusableImage, match=told):
        inspect(data, "a")


def test_the_decoder_agrees_with_opencv_on_a_plain_jpeg():
    """RGB, not BGR: a swap of channels would show only in accuracy."""
    data = encoded("jpeg")
    assert (decode(data) == cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]).all()
