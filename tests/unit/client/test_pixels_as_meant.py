"""Pixels are those that viewers show and cameras meant, or the file is refused by name (D5, D6).

Pillow is the oracle: `ImageOps.exif_transpose` of turned pictures, its own values of deep ones.
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loupe.deep_pictures import ScaledPicture
from loupe.folders import ImportOptions, read_folder
from loupe.image_files import FEW_BITS, LEFT_OVER, Reason, UnusableImage, decode, inspect
from loupe.unusable import Unusable
from PIL import Image, ImageOps, TiffImagePlugin

from tests.support import written_pictures as written

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside this checkout")
ORIENTATION = 0x0112


def picture(height: int = 24, width: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(pixels: np.ndarray, kind: str, tag: int, **options) -> bytes:
    image = Image.fromarray(pixels)
    if kind == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[ORIENTATION] = tag
        return saved(image, kind, tiffinfo=tags, **options)
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    return saved(image, kind, exif=exif, **options)


def shown(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def refused(data: bytes, name: str = "a") -> UnusableImage:
    with pytest.raises(UnusableImage) as refusal:
        inspect(data, name)
    return refusal.value


# --- orientation --------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    tag=st.integers(0, 9),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    seed=st.integers(0, 99),
    is_grey=st.booleans(),
)
def test_a_jpeg_is_turned_as_viewers_show_it(tag, size, seed, is_grey):
    """Of PNG and TIFF, tests/unit/vision/test_as_meant.py says it."""
    pixels = picture(*size, seed)
    data = turned(pixels[..., 0] if is_grey else pixels, "JPEG", tag)
    decoded, expected = decode(data), shown(data)
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).max() <= 4  # two versions of libjpeg round differently
    facts = inspect(data, "a")
    assert (facts.height, facts.width) == expected.shape[:2]
    assert facts.orientation == (tag if 2 <= tag <= 8 else 1)


def test_an_orientation_in_xmp_or_behind_the_pixels_counts_too():
    """Viewers find it there; a PNG may say it after its pixels."""
    plain = saved(Image.fromarray(picture()), "PNG")
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    late = plain[:-12] + chunk + plain[-12:]
    jpeg = saved(Image.fromarray(picture()), "JPEG")
    xmp = b'http://ns.adobe.com/xap/1.0/\0<rdf:Description tiff:Orientation="6"/>'
    in_xmp = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + jpeg[2:]
    for data in (late, in_xmp):
        assert decode(data).shape == shown(data).shape == (40, 24, 3)
        assert inspect(data, "a").orientation == 6


def test_metadata_that_nobody_understands_is_passed_over():
    """As viewers do; the pixels are there."""
    exif = b"Exif\0\0no TIFF at all"
    jpeg = saved(Image.fromarray(picture()), "JPEG")
    data = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    assert decode(data).shape == (24, 40, 3)


@needs_cases
@pytest.mark.parametrize(
    "name",
    [
        *(f"28-folder-exif-masks/TTFBS/o{tag}.jpg" for tag in (3, 6)),
        *(f"29-folder-tiff-orientation/TTFBS/o{tag}.tif" for tag in (1, 2, 3, 4, 6)),
    ],
)
def test_turned_cases_are_as_viewers_show_them(name):
    """Those of 5 to 8 were refused with a riddle, and the JPEGs taken as stored."""
    data = (CASES / name).read_bytes()
    assert np.abs(decode(data).astype(int) - shown(data)).max() <= 4
    assert inspect(data, name).orientation == int(name[-5])


# --- depth --------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    bits=st.integers(1, 16),
    kind=st.sampled_from(["PNG", "TIFF", "TIFF packed"]),
    seed=st.integers(0, 99),
)
def test_the_scale_of_16_bits_does_not_depend_on_the_picture(bits, kind, seed):
    """A TIFF up to 255 was read as 8 bits, one above as 16: two shots of one part became light and black."""
    values = np.random.default_rng(seed).integers(0, 2**bits, (9, 13)).astype(np.uint16)
    options = {"compression": "tiff_lzw"} if kind == "TIFF packed" else {}
    data = saved(Image.fromarray(values), kind.partition(" ")[0], **options)
    assert np.array_equal(decode(data), np.repeat((values >> 8).astype(np.uint8)[..., None], 3, 2))
    doubt = inspect(data, "a").doubt
    assert doubt == (FEW_BITS if values.max() < 2**14 else "")


@settings(deadline=None)
@given(bits=st.sampled_from([10, 12, 14]), kind=st.sampled_from(["PNG", "TIFF"]), seed=st.integers(0, 99))
def test_declared_bits_fill_the_range_for_all_pictures_alike(tmp_path_factory, bits, kind, seed):
    """A dark picture and a bright one of one camera keep their proportion, and no value is lost."""
    limit = 2**bits
    root = tmp_path_factory.mktemp("deep")
    (root / "A").mkdir()
    rng = np.random.default_rng(seed)
    suffix = {"PNG": ".png", "TIFF": ".tif"}[kind]
    pictures = {f"{top}{suffix}": rng.integers(0, top, (9, 13)).astype(np.uint16) for top in (40, limit)}
    for name, values in pictures.items():
        (root / "A" / name).write_bytes(saved(Image.fromarray(values), kind))
    listing = read_folder(root, ImportOptions(bits=bits))
    assert listing.bits == bits
    for sample in listing.samples:
        assert isinstance(sample.image, ScaledPicture)
        data, values = sample.image.make(), pictures[sample.file.removeprefix("A/")]
        assert data == sample.image.make()
        assert np.array_equal(decode(data)[..., 0], (values >> (bits - 8)).astype(np.uint8))
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(np.asarray(image).astype(np.uint16) >> (16 - bits), values)
    assert len(listing.used) == listing.found


def test_what_declared_bits_do_not_fit_is_refused_by_name(tmp_path):
    """A value above the declared white, colours, and a turned picture; files of 8 bits stay as they are."""
    deep = np.full((9, 13), 5000, np.uint16)
    plain = saved(Image.fromarray(picture()), "PNG")
    for name, data, told in (
        (
            "large.png",
            saved(Image.fromarray(deep), "PNG"),
            "has the value 5000, and --bits 12 says that 4095",
        ),
        ("turned.tif", turned(deep, "TIFF", 3), "turned by its orientation tag"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(Unusable, match=told):
            ScaledPicture(tmp_path / name, 12).make()
    (tmp_path / "plain.png").write_bytes(plain)
    assert ScaledPicture(tmp_path / "plain.png", 12).make() == plain
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(Unusable, match=r"broken\.png cannot be scaled"):
        ScaledPicture(tmp_path / "broken.png", 12).make()


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_values_without_a_range_are_refused_for_what_they_are(kind):
    """32 bits wrapped around at 65,536."""
    refusal = refused(saved(Image.fromarray(np.full((9, 13), 70_000).astype(kind)), "TIFF"))
    assert refusal.reason is Reason.NO_RANGE
    assert "save it as grey of 8 or 16 bits" in refusal.message


@needs_cases
def test_deep_cases_have_one_scale_for_all():
    """bit8 had means of 127 as TIFF and 0 as PNG."""
    for path in sorted((CASES / "30-folder-16bit/TTFBS").iterdir()):
        data = path.read_bytes()
        if path.stem == "int32":
            assert refused(data, path.name).reason is Reason.NO_RANGE
            continue
        with Image.open(io.BytesIO(data)) as image:
            values = np.asarray(image).astype(np.uint16)
        assert np.array_equal(decode(data)[..., 0], values >> 8), path.name
        assert (inspect(data, path.name).doubt == FEW_BITS) == (values.max() < 2**14), path.name
        for bits in (10, 12):
            if path.stem.startswith(f"bit{bits}"):
                scaled = ScaledPicture(path, bits).make()
                assert np.array_equal(decode(scaled)[..., 0], values >> (bits - 8)), path.name
                assert inspect(scaled, path.name).doubt == ""


# --- several pictures, and parts of one ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
@pytest.mark.parametrize("count", [2, 3])
def test_several_pages_and_frames_are_refused(kind, count):
    """Only the first was taken, without a word."""
    first, *others = (Image.fromarray(picture(seed=seed)) for seed in range(count))
    refusal = refused(saved(first, kind, save_all=True, append_images=others))
    assert refusal.reason is Reason.SEVERAL_PICTURES
    assert f"{count} pages or frames" in refusal.message


def test_a_smaller_copy_of_a_picture_is_no_second_one():
    """Programs write it for previews, and mark it."""
    first, second = Image.fromarray(picture()), Image.fromarray(picture(12, 20))
    second.encoderinfo = {"tiffinfo": {254: 1}}
    assert decode(saved(first, "TIFF", save_all=True, append_images=[second])).shape == (24, 40, 3)
    first.encoderinfo = {}
    refusal = refused(saved(second, "TIFF", save_all=True, append_images=[first], tiffinfo={254: 1}))
    assert refusal.reason is Reason.SEVERAL_PICTURES


@needs_cases
@pytest.mark.parametrize("name", ["anim.png", "stack.tif"])
def test_cases_of_several_pages_are_refused(name):
    """Of both the first page was taken without a word."""
    data = (CASES / "31-folder-multipage/TTFBS" / name).read_bytes()
    assert refused(data, name).reason is Reason.SEVERAL_PICTURES


def scene() -> np.ndarray:
    """A noisy picture, as cameras make it, of about 20 KB as JPEG."""
    y, x = np.mgrid[:200, :240]
    noise = np.random.default_rng(1).normal(0, 6, y.shape)
    return (128 + 60 * np.sin(x / 30) + 40 * np.cos(y / 17) + noise).clip(0, 255).astype(np.uint8)


JPEGS = [
    {},
    {"progressive": True},
    {"optimize": True, "quality": 95},
    {"restart_marker_blocks": 8},
    {"subsampling": 0, "quality": 100},
]


@pytest.mark.parametrize("options", JPEGS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_cut_jpeg_with_an_end_mark_is_refused_and_a_whole_one_taken(mode, options):
    """Decoders paint the rest grey; programs that mend files put the mark there."""
    data = saved(Image.fromarray(scene()).convert(mode), "JPEG", **options)
    facts = inspect(data, "a.jpg")
    assert facts.doubt == ""
    begin = data.find(b"\xff\xda")
    for share in (0.3, 0.6, 0.9):
        cut = data[: begin + int((len(data) - begin) * share)].rstrip(b"\xff") + b"\xff\xd9"
        assert refused(cut, "a.jpg").reason is Reason.TRUNCATED


@pytest.mark.parametrize("options", JPEGS)
@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_flat_jpeg_is_taken_without_a_doubt(value, options):
    """Its data are few and regular, and most of what could stand there looks alike."""
    data = saved(Image.fromarray(np.full((200, 240), value, np.uint8)), "JPEG", **options)
    assert inspect(data, "a.jpg").doubt == ""


def test_a_jpeg_with_more_data_than_its_picture_is_doubtful():
    """A damaged part in the middle makes decoders lose their place, and end too early or too late."""
    data = saved(Image.fromarray(scene()), "JPEG")
    assert inspect(data[:-2] + bytes(range(1, 200)) + data[-2:], "a.jpg").doubt == LEFT_OVER


@needs_cases
@pytest.mark.parametrize(
    ("name", "is_whole"), [("half", False), ("hole", False), ("noeoi", False), ("ok", True)]
)
def test_damaged_cases_are_refused(name, is_whole):
    """Half and hole were taken, with half of the picture grey."""
    data = (CASES / f"44-truncated-with-eoi/TTFBS/{name}.jpg").read_bytes()
    if is_whole:
        assert inspect(data, "a.jpg").doubt == ""
    else:
        assert refused(data, "a.jpg").reason is Reason.TRUNCATED


def with_pixels(data: bytes, change) -> bytes:
    """A PNG whose compressed pixels are changed, with right checksums of its chunks."""
    begin = data.find(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", data, begin)
    body = change(data[begin + 8 : begin + 8 + length])
    chunk = struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", zlib.crc32(b"IDAT" + body))
    return data[:begin] + chunk + data[begin + 12 + length :]


@pytest.mark.parametrize("is_interlaced", [False, True])
def test_a_png_whose_pixels_do_not_inflate_to_all_rows_is_refused(is_interlaced):
    """Its chunks are whole; libpng finds that its pixels are not."""
    data = saved(Image.fromarray(scene()), "PNG")
    if is_interlaced:
        data = interlaced(scene())
    assert inspect(data, "a.png").width == 240
    for change in (
        lambda body: body[: len(body) // 2],
        lambda body: body[:900] + bytes(60) + body[960:],
        lambda body: body[:-4] + b"1234",
        lambda body: zlib.compress(zlib.decompress(body)[:-300]),
    ):
        assert refused(with_pixels(data, change), "a.png").reason is Reason.DECODE_FAILED


def interlaced(pixels_HW: np.ndarray) -> bytes:
    """A grey PNG in seven passes, which Pillow does not write."""
    passes = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    rows = b"".join(
        b"\0" + row.tobytes() for x, y, dx, dy in passes for row in pixels_HW[y::dy, x::dx] if row.size
    )
    header = struct.pack(">IIBBBBB", pixels_HW.shape[1], pixels_HW.shape[0], 8, 0, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@settings(deadline=None)
@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]),
)
def test_every_whole_png_is_taken(width, height, mode):
    """Of every kind of pixel, in one pass and in seven."""
    grey = np.random.default_rng(width).integers(0, 256, (height, width))
    image = Image.fromarray(grey.astype(np.uint16 if mode == "I;16" else np.uint8))
    data = saved(image if mode == "I;16" else image.convert(mode), "PNG")
    assert inspect(data, "a.png").height == height
    assert inspect(interlaced(grey.astype(np.uint8)), "a.png").height == height


@needs_cases
@pytest.mark.parametrize(
    ("name", "told"),
    [("big.tif", "BigTIFF"), ("float.tif", "floats"), ("floatrgb.tif", "floats")],
)
def test_tiffs_of_other_kinds_are_refused_for_what_they_are(name, told):
    """One said that it was no TIFF, another told the address of an object."""
    refusal = refused((CASES / "45-bigtiff-floattiff/TTFBS" / name).read_bytes(), name)
    assert told in refusal.message
    assert "0x" not in refusal.message


# --- kinds that decoders misread ----------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [written.UNCOMPRESSED, written.LZW, written.DEFLATE])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("tile_px", [0, 16])
@pytest.mark.parametrize("is_planar", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_a_tiff_is_what_was_written_however_it_lies(compression, bits, tile_px, is_planar, order):
    """Pillow scrambles planar TIFFs of 16 bits that are not compressed; OpenCV does not read all of them."""
    pixels = picture(37, 50).astype(np.uint16)
    stored = pixels if bits == 8 else pixels * 256 + picture(37, 50, 1)
    data = written.tiff(
        stored,
        bits,
        written.RGB,
        compression=compression,
        rows_per_strip=10,
        tile_px=tile_px,
        is_planar=is_planar,
        order=order,
    )
    if is_planar and bits == 16 and compression == written.UNCOMPRESSED:
        refusal = refused(data)
        assert refusal.reason is Reason.UNSUPPORTED_KIND
        assert "planar" in refusal.message
        assert "PNG" in refusal.message
    else:
        assert np.array_equal(decode(data), pixels)


@pytest.mark.parametrize("most", [255, 65535])
def test_a_tiff_whose_palette_has_8_bits_shows_its_colours(most):
    indices = picture()[..., 0]
    colours = np.random.default_rng(7).integers(0, 256, (3, 256))
    colours[0, 0] = 255
    tag = {320: (3, (colours * (most // 255)).ravel().tolist())}
    data = written.tiff(indices[..., None], 8, written.PALETTE, tags=tag)
    assert np.array_equal(decode(data), colours.T[indices].astype(np.uint8))


BYTES = {"bgrx": (16, 8, 0), "rgbx": (0, 8, 16), "xbgr": (24, 16, 8), "xrgb": (8, 16, 24)}
"""Where red, green and blue lie."""


@pytest.mark.parametrize("header_bytes", [40, 52, 56, 108, 124])
@pytest.mark.parametrize("shifts", BYTES.values(), ids=BYTES)
def test_channel_masks_of_a_bmp_count_or_are_refused(header_bytes, shifts):
    """OpenCV passes over those of the two short headers, so red was blue."""
    pixels = picture(7, 9).astype(np.uint32)
    stored = sum(pixels[..., channel] << shift for channel, shift in enumerate(shifts)).astype(np.uint32)
    data = written.masked_bmp(stored, [0xFF << shift for shift in shifts], header_bytes=header_bytes)
    if header_bytes >= 56 or shifts == BYTES["bgrx"]:
        assert np.array_equal(decode(data), pixels)
    else:
        refusal = refused(data)
        assert refusal.reason is Reason.UNSUPPORTED_KIND
        assert "channel masks" in refusal.message


@pytest.mark.parametrize("header_bytes", [40, 108])
@pytest.mark.parametrize(
    "bits",
    [
        ((10, 5), (5, 5), (0, 5)),
        ((11, 5), (5, 6), (0, 5)),
        ((0, 5), (5, 6), (11, 5)),
        ((8, 4), (4, 4), (0, 4)),
    ],
)
def test_a_bmp_of_16_bits_is_what_was_written_or_refused_with_a_remedy(header_bytes, bits):
    """Of a channel of 5 or 6 bits the lowest of the 8 are 0."""
    pixels = picture(7, 9)
    kept = np.dstack([pixels[..., c] >> (8 - count) << (8 - count) for c, (_, count) in enumerate(bits)])
    stored = sum(
        (kept[..., c].astype(np.uint16) >> (8 - count)) << shift for c, (shift, count) in enumerate(bits)
    )
    masks = [(2**count - 1) << shift for shift, count in bits]
    data = written.masked_bmp(stored.astype(np.uint16), masks, header_bytes=header_bytes)
    if header_bytes == 40 and masks[0] in {0x7C00, 0xF800}:
        assert np.array_equal(decode(data), kept)
    else:
        refusal = refused(data)
        assert refusal.reason is Reason.UNSUPPORTED_KIND
        assert "PNG" in refusal.message


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("width", [9, 10])
def test_a_bmp_of_run_lengths_is_taken_whole_or_refused(bits, absolute, width):
    """Decoders paint black what run lengths leave out."""
    values = picture(7, width)[..., 0] >> (8 - bits)
    rows = written.run_lengths(values, bits, absolute=absolute)
    shown = np.repeat((values * (255 // (2**bits - 1)))[..., None], 3, 2)
    for end in (b"", b"\0\1"):
        assert np.array_equal(decode(written.run_length_bmp(b"".join(rows) + end, width, 7, bits)), shown)
    short_row = b"\0\3" + bytes(4) if absolute else rows[3][:-4]
    for codes in (
        [*rows[:4], b"\0\1"],
        [*rows[:4]],
        [*rows[:3], short_row + b"\0\0", *rows[4:], b"\0\1"],
        [b"\0\2\0\1", *rows[1:], b"\0\1"],
        [b"\0\1"],
        [],
    ):
        refusal = refused(written.run_length_bmp(b"".join(codes), width, 7, bits))
        assert refusal.reason is Reason.TRUNCATED


def test_kinds_that_no_decoder_reads_are_to_be_saved_as_png():
    """Copying a sound file again does not help, and nobody is helped by the names of our modules."""
    grey = picture(8, 8)[..., :1]
    for data in (
        written.tiff(grey.astype(np.uint16) * 4, 10, written.BLACK_IS_ZERO),
        written.tiff(picture(8, 8), 8, 8),
        written.bmp(picture(8, 8), 24, None, top_down=False).replace(b"\x18\0\0\0\0\0", b"\x18\0\5\0\0\0", 1),
    ):
        refusal = refused(data)
        assert refusal.reason is Reason.UNSUPPORTED_KIND
        assert refusal.message.endswith("save it as PNG")


# --- several pictures in a JPEG -----------------------------------------------------------------------------


def many(**options) -> bytes:
    """A JPEG with a list of two pictures."""
    first, second = (Image.fromarray(picture(seed=seed)) for seed in (1, 2))
    return saved(first, "MPO", save_all=True, append_images=[second], **options)


def test_a_jpeg_of_several_pictures_is_refused():
    one, other = (saved(Image.fromarray(picture(seed=seed)), "JPEG") for seed in (1, 2))
    for data in (many(), one + other, one + bytes(100) + other, one + one):
        refusal = refused(data)
        assert refusal.reason is Reason.SEVERAL_PICTURES
        assert "2 pages or frames" in refusal.message


def test_a_jpeg_with_a_smaller_copy_or_notes_is_one_picture():
    one = saved(Image.fromarray(picture()), "JPEG")
    thumbnail = saved(Image.fromarray(picture()[::4, ::4]), "JPEG")
    exif = b"Exif\0\0" + thumbnail
    with_thumbnail = one[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + one[2:]
    for data in (with_thumbnail, one + bytes(1000), one + b"SEFH notes" + thumbnail, one + one[:20]):
        assert inspect(data, "a").width == 40


@pytest.mark.parametrize(
    ("kind", "marks", "count"),
    [(0, b"", 2), (0x020002, b"", 2), (0x010001, b"", 1), (0, b' hdrgm:Version="1.0"', 1)],
)
def test_a_list_of_pictures_counts_those_that_are_pictures(kind, marks, count):
    """Smaller copies are none, nor is the gain map of a telephone."""
    one = saved(Image.fromarray(picture()), "JPEG")
    entries = struct.pack("<IIIHH", 0x20030000, len(one), 0, 0, 0) + struct.pack("<IIIHH", kind, 9, 9, 0, 0)
    directory = struct.pack("<HHHI4sHHIII", 2, 0xB000, 7, 4, b"0100", 0xB002, 7, len(entries), 38, 0)
    body = b"MPF\0" + b"II*\0" + struct.pack("<I", 8) + directory + entries + marks
    data = one[:2] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + one[2:]
    if count == 1:
        assert inspect(data, "a").width == 40
    else:
        assert refused(data).reason is Reason.SEVERAL_PICTURES
