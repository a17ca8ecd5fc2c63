"""Masks that strangers made (D1, D5): each is read as it shows, or as its indices, or refused by name."""

import hashlib
import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loupe.image_files import Reason, UnusableImage
from PIL import Image

from services.input_specification import InputSpecification
from services.vision import masks
from services.vision.masks import UnusableMask, decode_mask, read_mask
from services.vision.pack import PackCache
from services.vision.samples import Sample
from tests.support import written_pictures as written

H, W = 24, 32
GREY_PALETTE = [value for value in range(256) for _ in range(3)]


def spot(value: int = 255, background: int = 0, kind: type = np.uint8) -> np.ndarray:
    """A rectangle on a background."""
    mask_HW = np.full((H, W), background, kind)
    mask_HW[6:14, 5:20] = value
    return mask_HW


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    data = BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def palette(indices_HW: np.ndarray, colours: list[int], kind: str = "PNG", **options) -> bytes:
    image = Image.fromarray(indices_HW, "P")
    image.putpalette(colours)
    return encoded(image, kind, **options)


def raw_png(values_HW: np.ndarray, bits: int, colour_type: int = 0, **chunks: bytes) -> bytes:
    """A PNG of 1, 2, 4, 8 or 16 bits a pixel, which Pillow does not write itself."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b""
    for row in values_HW:
        bitstring = "".join(f"{int(value):0{bits}b}" for value in row.ravel())
        rows += b"\0" + int(bitstring, 2).to_bytes(len(bitstring) // 8, "big")
    header = struct.pack(">IIBBBBB", values_HW.shape[1], values_HW.shape[0], bits, colour_type, 0, 0, 0)
    between = b"".join(chunk(kind.encode(), body) for kind, body in chunks.items())
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + between
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def rgba(*colours: tuple[int, ...]) -> Image.Image:
    """Background and spot in two colours."""
    return Image.fromarray(np.array(colours, np.uint8)[spot(1)])


BLACK_AND_WHITE = {
    "JPEG": encoded(Image.fromarray(spot()), "JPEG", quality=60),
    "JPEG in colour": encoded(Image.fromarray(spot()).convert("RGB"), "JPEG", quality=80),
    "BMP, 1 bit": encoded(Image.fromarray(spot()).convert("1"), "BMP"),
    "BMP palette": palette(spot(1), [0, 0, 0, 255, 255, 255, 9, 9, 9], "BMP"),
    "TIFF, 1 bit, 0 is white": encoded(Image.fromarray(spot()).convert("1"), "TIFF", compression="group4"),
    "smoothed": encoded(Image.fromarray(cv2.GaussianBlur(spot(), (0, 0), 0.8))),
}
"""What is not written by `test_as_meant`."""

REFUSED_AS_BLACK_AND_WHITE = {
    "a palette whose spot is red": (
        palette(spot(1), [0, 0, 0, 200, 0, 0]),
        "colours, such as RGB (200, 0, 0)",
    ),
    "red": (encoded(rgba((0, 0, 0), (255, 0, 0))), "colours, such as RGB (255, 0, 0)"),
    "blue": (encoded(rgba((0, 0, 0), (0, 0, 255))), "colours, such as RGB (0, 0, 255)"),
    "red BMP": (encoded(rgba((0, 0, 0), (255, 0, 0)), "BMP"), "colours"),
    "red JPEG": (encoded(rgba((0, 0, 0), (255, 0, 0)), "JPEG"), "colours"),
    "white with alpha": (encoded(rgba((255, 255, 255, 0), (255, 255, 255, 255))), "transparent in part"),
    "red with alpha": (encoded(rgba((0, 0, 0, 0), (255, 0, 0, 255))), "transparent in part"),
    "grey with alpha": (
        encoded(rgba((0, 0, 0, 0), (255, 255, 255, 255)).convert("LA")),
        "transparent in part",
    ),
    "TIFF with alpha": (encoded(rgba((0, 0, 0, 0), (255, 255, 255, 255)), "TIFF"), "transparent in part"),
    "a transparent index": (
        palette(spot(1), [0, 0, 0, 255, 255, 255], transparency=0),
        "transparent in part",
    ),
    "a transparent shade": (raw_png(spot(), 8, tRNS=struct.pack(">H", 0)), "transparent in part"),
    "a transparent shade of 1 bit": (raw_png(spot(1), 1, tRNS=struct.pack(">H", 1)), "transparent in part"),
    "a transparent shade of 16 bits": (
        raw_png(spot(65535, kind=np.uint16), 16, tRNS=struct.pack(">H", 65535)),
        "transparent in part",
    ),
    "a transparent colour": (
        raw_png(np.repeat(spot()[..., None], 3, 2), 8, 2, tRNS=struct.pack(">HHH", 255, 255, 255)),
        "transparent in part",
    ),
    "0 and 1": (encoded(Image.fromarray(spot(1))), "largest value is 1 of 255"),
    "0 and 127": (encoded(Image.fromarray(spot(127))), "largest value is 127 of 255"),
    "an index without a colour": (
        raw_png(spot(5), 8, 3, PLTE=bytes([0, 0, 0, 255, 255, 255])),
        "the index 5, and its palette only 2 colours",
    ),
    "a palette of two blacks": (palette(spot(1), [0, 0, 0, 9, 9, 9]), "largest value is 9 of 255"),
    "16 bits, 0 and 255": (raw_png(spot(255, kind=np.uint16), 16), "largest value is 255 of 65535"),
    "16 bits, 12 in use": (raw_png(spot(4095, kind=np.uint16), 16), "largest value is 4095 of 65535"),
    "RGB, 16 bits, 0 and 255": (
        raw_png(np.repeat(spot(255, kind=np.uint16)[..., None], 3, 2), 16, 2),
        "16 bits a channel",
    ),
    "TIFF, 16 bits, 0 and 255": (encoded(Image.fromarray(spot(255, kind=np.uint16)), "TIFF"), "255 of 65535"),
    "nothing black": (encoded(Image.fromarray(spot(255, 254))), "smallest value is 254 of 255"),
    "three classes of grey": (
        encoded(Image.fromarray(np.hstack([spot(255), spot(128), spot(64)]))),
        "lie between",
    ),
    "indices with a void border": (
        encoded(Image.fromarray(np.maximum(spot(1), cv2.Canny(spot(), 50, 100)))),
        "lie between",
    ),
    # Pillow reads its 8 bits a pixel as 1 bit.
    "a BMP of two colours and 8 bits": (palette(spot(1), [0, 0, 0, 255, 255, 255], "BMP"), "BMP of 8 bits"),
    "32-bit floats": (encoded(Image.fromarray(spot().astype(np.float32)), "TIFF"), "floats"),
    "32 bits": (encoded(Image.fromarray(spot().astype(np.int32)), "TIFF"), "may be negative"),
    "two pages": (
        encoded(
            Image.fromarray(spot()), "TIFF", save_all=True, append_images=[Image.fromarray(spot(0, 255))]
        ),
        "2 pages",
    ),
    "turned": (encoded(Image.fromarray(spot()), "TIFF", tiffinfo={0x0112: 3}), "orientation tag"),
}


def refusal(data: bytes, *, indexed: bool) -> str:
    with pytest.raises(ValueError, match=r".") as refused:
        decode_mask(data, indexed=indexed)
    if isinstance(refused.value, UnusableMask):
        # What the registry stores of it is the same.
        readings = read_mask(data)
        stored = readings.indexed if indexed else readings.black_and_white
        assert (stored.message, stored.message_zh) == (refused.value.message, refused.value.message_zh)
        assert stored.message_zh.startswith("掩膜")
    return str(refused.value)


@pytest.mark.parametrize("kind", BLACK_AND_WHITE)
def test_a_black_and_white_mask_is_read_as_it_shows(kind):
    """D5: whichever way a tool stores black and white, the author meant black and white."""
    data = BLACK_AND_WHITE[kind]
    assert (decode_mask(data, indexed=False) == (spot() > 127)).all()
    assert read_mask(data).black_and_white is None


@pytest.mark.parametrize("kind", REFUSED_AS_BLACK_AND_WHITE)
def test_a_mask_that_does_not_clearly_mark_is_refused_with_the_fact(kind):
    """D5: read by one of its channels, each of these marks nothing or everything without a word."""
    data, told = REFUSED_AS_BLACK_AND_WHITE[kind]
    assert told in refusal(data, indexed=False)


REFUSED_AS_INDEXED = {
    "RGB": (encoded(Image.fromarray(spot(2, 1)).convert("RGB")), "in colour"),
    "RGBA": (encoded(Image.fromarray(spot(2, 1)).convert("RGBA")), "in colour"),
    "JPEG": (encoded(Image.fromarray(spot(2, 1)), "JPEG"), "compressed as JPEG"),
    "1 bit": (raw_png(spot(1), 1), "grey of 1 bit"),
    "2 bits": (raw_png(spot(2, 1), 2), "grey of 2 bit"),
    "4 bits": (raw_png(spot(2, 1), 4), "grey of 4 bit"),
    "16 bits, beyond an index": (raw_png(spot(256, 1, np.uint16), 16), "value 256"),
    "grey with alpha": (encoded(rgba((1, 1, 1, 0), (2, 2, 2, 255)).convert("LA")), "transparent in part"),
    "0 is white": (encoded(Image.fromarray(spot(2, 1)), "TIFF", tiffinfo={262: 0}), "WhiteIsZero"),
}


@pytest.mark.parametrize("kind", REFUSED_AS_INDEXED)
def test_what_is_no_index_is_refused_with_the_fact(kind):
    """D5: colours and shades have no order that anybody agreed on."""
    data, told = REFUSED_AS_INDEXED[kind]
    assert told in refusal(data, indexed=True)


@pytest.mark.parametrize("most", [255, 65535])
def test_a_tiff_mask_whose_palette_has_8_bits_marks_what_it_shows(most):
    """Pillow takes all colours of such a palette for black."""
    marked = spot(1)
    tag = {320: (3, ([0, most] + [0] * 254) * 3)}
    data = written.tiff(marked[..., None], 8, written.PALETTE, tags=tag)
    assert np.array_equal(decode_mask(data, indexed=False), marked)


def test_a_photo_is_no_mask():
    """D5: `a.png` beside `a.jpg` may be another photo; thresholded, it is a wrong truth of many pixels."""
    rows, columns = np.mgrid[:96, :96]
    photo_HW = (120 + 100 * np.sin(rows / 9) * np.cos(columns / 7)).astype(np.uint8)
    for pixels in (photo_HW, np.stack([photo_HW] * 3, 2), photo_HW.astype(np.uint16) << 8):
        assert "lie between" in refusal(cv2.imencode(".png", pixels)[1].tobytes(), indexed=False)


@given(
    spread=st.integers(40, 1000),
    seed=st.integers(0, 99),
    quality=st.sampled_from([None, 30, 60, 95]),
    white=st.sampled_from([255, 65535]),
)
@settings(max_examples=60, deadline=None)
def test_noise_that_holds_black_and_white_everywhere_is_no_mask(spread, seed, quality, white):
    """Each of its greys lies within 8 px of black and white, as those of an edge do."""
    noise_HW = np.random.default_rng(seed).normal(0.5, spread / 255, (120, 160)).clip(0, 1)
    if quality is None:
        data = encoded(
            Image.fromarray(np.rint(noise_HW * white).astype(np.uint8 if white == 255 else np.uint16))
        )
    else:
        data = encoded(Image.fromarray(np.rint(noise_HW * 255).astype(np.uint8)), "JPEG", quality=quality)
    assert "lie between" in refusal(data, indexed=False)


@given(
    blur=st.floats(0.4, 1.0),
    scale=st.sampled_from([1, 2, 4]),
    quality=st.sampled_from([None, 50, 90]),
    at=st.tuples(st.integers(20, 60), st.integers(20, 80)),
    radius=st.integers(8, 18),
)
@settings(max_examples=60, deadline=None)
def test_a_smoothed_or_enlarged_mask_is_still_one(blur, scale, quality, at, radius):
    """What programs make of a black and white mask when they turn, scale or compress it."""
    mask_HW = np.zeros((96 * scale, 128 * scale), np.uint8)
    small_HW = cv2.circle(np.zeros((96, 128), np.uint8), at[::-1], radius, 255, -1)
    mask_HW = cv2.resize(small_HW, mask_HW.shape[::-1], interpolation=cv2.INTER_LINEAR)
    mask_HW = cv2.GaussianBlur(mask_HW, (0, 0), blur)
    options = {} if quality is None else {"quality": quality}
    data = encoded(Image.fromarray(mask_HW), "PNG" if quality is None else "JPEG", **options)
    with Image.open(BytesIO(data)) as image:
        shown_HW = np.asarray(image) > 127
    assert np.array_equal(decode_mask(data, indexed=False) > 0, shown_HW)


@given(
    values=st.lists(st.integers(0, 255), min_size=1, max_size=3),
    scale=st.sampled_from([1, 4]),
    quality=st.integers(40, 95),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_jpeg_masks_are_within_their_ringing_or_refused(values, scale, quality, seed):
    """D5: JPEG changes each pixel a little; what it made of black and white is still black and white."""
    blocks_HW = np.random.default_rng(seed).choice(np.array(values, np.uint8), (8, 8))
    drawn_HW = np.kron(blocks_HW, np.ones((16 * scale, 16 * scale), np.uint8))
    data = encoded(Image.fromarray(drawn_HW), "JPEG", quality=quality)
    if set(np.unique(drawn_HW)) == {0, 255}:
        assert (decode_mask(data, indexed=False) == (drawn_HW > 127)).all()
        return
    try:
        labels_HW = decode_mask(data, indexed=False)
    except UnusableMask:
        return
    assert (labels_HW == (np.asarray(Image.open(BytesIO(data))) > 127)).all()


class _Objects(dict[str, bytes]):
    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self[f"samples/{sha256}"] = data
        return sha256

    def read(self, key: str) -> bytes:
        return self[key]


@pytest.mark.parametrize("tag", range(1, 9))
def test_training_sets_aside_the_mask_of_a_turned_picture(tmp_path, tag):
    """D5: earlier imports took such pairs, and the picture is decoded as it is shown now."""
    exif = Image.Exif()
    exif[0x0112] = tag
    objects = _Objects()
    turned = objects.put(encoded(Image.fromarray(spot(200)), "JPEG", exif=exif))
    marked, empty = (
        Sample(f"C1/{name}.jpg", "C1", turned, mask_sha256=objects.put(encoded(Image.fromarray(mask_HW))))
        for name, mask_HW in (("marked", spot()), ("empty", spot(0)))
    )
    specification = InputSpecification(width=W, height=H)
    labels = PackCache(tmp_path).load_labels([marked, empty], specification, objects)
    assert (marked.label_key in labels.slots) == (tag == 1)
    assert empty.label_key in labels.slots
    if tag > 1:
        assert "orientation tag" in labels.unreadable[marked.label_key].message


def test_a_mask_that_pillow_does_not_open_is_told_the_same_every_time():
    """The registry keeps the sentence: it must not name an address of the process that read the file."""
    data = encoded(Image.fromarray(spot()), icc_profile=bytes(range(200)))
    name_ends = data.index(b"iCCP") + 4 + data[data.index(b"iCCP") + 4 :].index(0)
    broken = bytearray(data)
    broken[name_ends + 1 : name_ends + 2] = b"\x07"  # a compression that there is not
    told = []
    for _ in range(2):
        with pytest.raises(UnusableImage) as refused:
            read_mask(bytes(broken))
        told.append(refused.value.message)
    assert told[0] == told[1]
    assert "0x" not in told[0]


def test_a_mask_that_takes_too_much_memory_is_refused_as_that(monkeypatch):
    """D4: with other limits it may be read, so it must not be told as damaged, which is remembered."""

    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(masks, "_shown", exhausted)
    with pytest.raises(UnusableImage) as refused:
        read_mask(encoded(Image.fromarray(spot())))
    assert refused.value.reason is Reason.TOO_MUCH_MEMORY
