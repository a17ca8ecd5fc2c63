"""Files that strangers made (D4)."""

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.vision.images import ImageLimits, Reason, UnusableImage, decode, inspect

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


def test_orientation_in_exif_is_ignored():
    """A mask has no EXIF: turning the image alone would part them."""
    data = BytesIO()
    image = Image.fromarray(picture())
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(data, "jpeg", exif=exif)
    assert decode(data.getvalue()).shape == (48, 64, 3)


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


def test_the_decoder_agrees_with_opencv_on_a_plain_jpeg():
    """RGB, not BGR: a swap of channels would show only in accuracy."""
    data = encoded("jpeg")
    assert (decode(data) == cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]).all()
