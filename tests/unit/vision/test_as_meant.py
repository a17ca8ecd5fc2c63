"""Every picture and mask is taken as it is meant, by all parts alike, or refused by name (D5, D6).

The files are written byte by byte (`tests.support.written_pictures`), so what they mean is known; Pillow is
the second witness. H height, W width, N samples of a palette.
"""

import base64
import hashlib
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loupe.image_files import Reason, UnusableImage, decode, inspect, pixels_sha256
from PIL import Image, ImageOps

from services.evaluator.application.drawing import MaskMeaning, draw_overlay, overlay_order
from services.input_specification import InputSpecification
from services.vision.masks import decode_mask, read_mask
from services.vision.pack import PackCache
from services.vision.samples import Sample
from services.vision.thumbnails import thumbnail
from tests.support import written_pictures as written

UNUSUAL_BITS = (10, 12, 14, 32)
"""Of a TIFF's values; 12 are taken where Pillow knows the rest of the file."""
GREY_BITS = (1, 2, 4, 8, *UNUSUAL_BITS, 16)
MANY = max(400, settings.default.max_examples)
"""Where an example takes little time."""
TRUTH = (0, 200, 60)
"""The colour of the outline of what is true."""


@dataclass(frozen=True)
class Written:
    """A file, and what was written into it."""

    data: bytes
    kind: str
    bits: int
    values: np.ndarray
    """Indices or grey (H, W), or channels (H, W, C), as stored: of the file's own bits, not turned."""
    colours: np.ndarray
    """What is shown of each pixel (H, W, 3), not turned."""
    alpha: np.ndarray
    """Whether a pixel is opaque: (H, W)."""
    tag: int = 1
    is_indexed: bool = False
    is_inverted: bool = False

    @property
    def shown(self) -> np.ndarray:
        """Its colours as viewers turn them: Pillow says how."""
        image = Image.fromarray(self.colours)
        image.getexif()[written.ORIENTATION] = self.tag
        return np.asarray(ImageOps.exif_transpose(image))

    def __repr__(self) -> str:
        return f"{self.kind} {self.bits} bits {self.values.shape} tag {self.tag} {self.values.tolist()}"


def eight(values: np.ndarray, bits: int) -> np.ndarray:
    """Values of any depth as 8 bits: below 8 spread from black to white, above it the highest."""
    return (values * 255 // (2**bits - 1) if bits < 8 else values >> (bits - 8)).astype(np.uint8)


def rgb(grey_HW: np.ndarray) -> np.ndarray:
    return np.repeat(grey_HW[..., None], 3, 2)


@st.composite
def arrays(draw, bits: int, channels: int) -> np.ndarray:
    """Few values, often those that matter; a share of them lies in blocks, as what masks mark does."""
    top = 2**bits - 1
    ends = [end for end in (0, 1, 2, 127, 128, 254, 255, 256, 4095, 0xFF00, 65535, top) if end <= top]
    values = draw(st.lists(st.sampled_from(ends) | st.integers(0, top), min_size=1, max_size=3))
    if draw(st.booleans()):
        values = [0, top]
    block = draw(st.sampled_from([1, 4]))
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)), channels)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return np.kron(random.choice(np.array(values, np.int64), shape), np.ones((block, block, 1), np.int64))


@st.composite
def palettes(draw, size: int) -> np.ndarray:
    """Colours, most often grey, as masks have."""
    shades = draw(st.lists(st.sampled_from([0, 255]) | st.integers(0, 255), min_size=1, max_size=4))
    colours = rgb(np.resize(np.array(shades, np.uint8), (1, size)))[0]
    if draw(st.integers(0, 2)) == 0:
        colours[draw(st.integers(0, size - 1))] = draw(st.tuples(*[st.integers(0, 255)] * 3))
    return colours


tags = st.sampled_from([1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 255])
orders = st.sampled_from("<>")
tag_kinds = st.sampled_from([3, 4])


@st.composite
def pngs(draw) -> Written:
    colour_type = draw(st.sampled_from([0, 0, 3, 3, 2, 4, 6]))
    bits = draw(st.sampled_from({0: [1, 2, 4, 8, 16], 3: [1, 2, 4, 8]}.get(colour_type, [8, 16])))
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    values = draw(arrays(bits, channels))
    top, chunks = 2**bits - 1, {}
    opaque = np.ones(values.shape[:2], bool)
    if colour_type == 3:
        palette = draw(palettes(top + 1))
        chunks["PLTE"] = palette.tobytes()
        colours = palette[values[..., 0]]
        if draw(st.booleans()):
            alphas = np.full(256, 255, np.uint8)
            given_alphas = draw(st.lists(st.sampled_from([255, 0, 128]), min_size=1, max_size=top + 1))
            alphas[: len(given_alphas)] = given_alphas
            chunks["tRNS"] = bytes(given_alphas)
            opaque = alphas[values[..., 0]] == 255
    else:
        colours = eight(rgb(values[..., 0]) if channels < 3 else values[..., :3], bits)
        if channels in {2, 4}:
            opaque = eight(values[..., -1], bits) == 255
        elif draw(st.booleans()):
            clear = draw(st.sampled_from(values.reshape(-1, channels).tolist()) | st.just([0] * channels))
            chunks["tRNS"] = np.array(clear, ">u2").tobytes()
            opaque = (values != clear).any(2)
    tag = draw(tags)
    metadata = written.exif(tag, draw(orders), draw(tag_kinds)) if tag != 1 or draw(st.booleans()) else b""
    is_late = draw(st.booleans())
    if metadata and not is_late:
        chunks["eXIf"] = metadata
    data = written.png(values, bits, colour_type, chunks, late_exif=metadata if is_late else b"")
    return Written(
        data,
        "PNG",
        bits,
        values.squeeze(2) if channels == 1 else values,
        colours,
        opaque,
        tag,
        colour_type == 3,
    )


@st.composite
def bmps(draw) -> Written:
    bits = draw(st.sampled_from([1, 4, 8, 24, 32]))
    is_indexed = bits <= 8
    values = draw(arrays(min(bits, 8), 1 if is_indexed else 3))
    palette = draw(palettes(2**bits)) if is_indexed else None
    colours = values.astype(np.uint8) if palette is None else palette[values[..., 0]]
    data = written.bmp(values, bits, palette, top_down=draw(st.booleans()))
    opaque = np.ones(values.shape[:2], bool)
    return Written(
        data, "BMP", min(bits, 8), values.squeeze(2) if is_indexed else values, colours, opaque, 1, is_indexed
    )


@st.composite
def tiffs(draw) -> Written:
    photometric = draw(st.sampled_from([0, 1, 1, 2, 3]))
    is_grey = photometric < written.RGB
    bits = draw(
        st.sampled_from(GREY_BITS if is_grey else ([8, 16] if photometric == written.RGB else [1, 2, 4, 8]))
    )
    has_alpha = photometric in {1, 2} and bits == 8 and draw(st.booleans())
    channels = (3 if photometric == written.RGB else 1) + has_alpha
    values = draw(arrays(bits, channels))
    top = 2**bits - 1
    further: dict[int, tuple[int, list[int]]] = {}
    if photometric == written.PALETTE:
        palette = draw(palettes(top + 1))
        further[320] = (3, (palette.T.astype(np.int64) * 257).ravel().tolist())
        colours = palette[values[..., 0]]
    else:
        grey = values[..., 0] if photometric else top - values[..., 0]
        colours = eight(rgb(grey) if is_grey else values[..., :3], bits)
    opaque = np.ones(values.shape[:2], bool)
    if has_alpha:
        further[338] = (3, [2])
        opaque = values[..., -1] == top
    tag = draw(tags)
    if tag != 1 or draw(st.booleans()):
        further[written.ORIENTATION] = (draw(tag_kinds), [tag])
    data = written.tiff(
        values,
        bits,
        photometric,
        order=draw(orders),
        compression=draw(st.sampled_from([1, written.LZW, written.DEFLATE, written.PACK_BITS])),
        rows_per_strip=draw(st.integers(0, 5)),
        tile_px=draw(st.sampled_from([0, 0, 16])),
        tags=further,
    )
    kind = "TIFF with alpha" if has_alpha else "TIFF"
    is_indexed = photometric == written.PALETTE
    stored = values.squeeze(2) if channels == 1 else values
    return Written(data, kind, bits, stored, colours, opaque, tag, is_indexed, photometric == 0)


pictures = pngs() | bmps() | tiffs()


def taken(picture: Written) -> np.ndarray | UnusableImage:
    try:
        return decode(picture.data)
    except UnusableImage as refusal:
        return refusal


@settings(max_examples=MANY, deadline=None)
@given(pictures)
def test_a_picture_is_what_was_written_or_is_refused(picture):
    """D6: of every depth, order, packing and turn there is one meaning, and it is that of viewers."""
    found = taken(picture)
    if isinstance(found, UnusableImage):
        assert picture.kind == "TIFF"
        # Pillow knows deep grey of which 0 is white in one order of bytes only.
        assert picture.bits in UNUSUAL_BITS or (picture.bits == 16 and picture.is_inverted)
        assert found.reason is (Reason.NO_RANGE if picture.bits == 32 else Reason.UNSUPPORTED_KIND)
        return
    facts = inspect(picture.data, "a")
    assert facts.orientation == (picture.tag if 2 <= picture.tag <= 8 else 1)
    assert (facts.height, facts.width) == picture.shown.shape[:2]
    assert facts.pixels_sha256 == pixels_sha256(picture.shown)
    assert np.array_equal(found, picture.shown)
    with Image.open(io.BytesIO(picture.data)) as image:
        upright = ImageOps.exif_transpose(image)
        if not image.mode.startswith("I;16"):
            assert np.array_equal(found, np.asarray(upright.convert("RGB")))


class Objects(dict[str, bytes]):
    """An object store of a few objects."""

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self[f"samples/{sha256}"] = data
        return sha256

    def read(self, key: str) -> bytes:
        return self[key]


def plain(colours: np.ndarray) -> bytes:
    """A PNG that nobody reads in two ways."""
    file = io.BytesIO()
    Image.fromarray(colours).save(file, "PNG")
    return file.getvalue()


def overlay(data: bytes, *masks: bytes, codes: tuple[str, ...] = ()) -> np.ndarray | UnusableImage:
    """What a report draws, without its legend, whose size follows from the picture's."""
    order = overlay_order(MaskMeaning(codes) if masks else None, None)
    try:
        answer = draw_overlay(order, [data, *masks])
    except UnusableImage as refusal:
        return refusal
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["picture"]))))


def same(one: np.ndarray | UnusableImage, other: np.ndarray | UnusableImage) -> bool:
    if isinstance(one, UnusableImage) or isinstance(other, UnusableImage):
        return isinstance(one, UnusableImage) and isinstance(other, UnusableImage) and str(one) == str(other)
    return np.array_equal(one, other)


@settings(deadline=None)
@given(pictures)
def test_all_parts_see_the_picture_that_the_check_saw(picture):
    """D6: training, thumbnails and overlays show what a plain PNG of the same pixels would."""
    checked = taken(picture)
    objects = Objects()
    sample = Sample("C/a", "C", objects.put(picture.data))
    height, width = picture.shown.shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        cache = PackCache(Path(folder), threads=1)
        pack = cache.load([sample], InputSpecification(width=width, height=height), objects)
        if isinstance(checked, UnusableImage):
            assert pack.unreadable[sample.sha256].message == checked.message
            assert same(overlay(picture.data), checked)
            with pytest.raises(UnusableImage, match=r"."):
                thumbnail(picture.data)
            return
        assert np.array_equal(pack.sample(pack.rows([sample.sha256])[0]), picture.shown)
    assert thumbnail(picture.data) == thumbnail(plain(picture.shown))
    assert same(overlay(picture.data), overlay(plain(picture.shown)))


# --- masks --------------------------------------------------------------------------------------------------


def as_shown(mask: Written) -> np.ndarray | None:
    """Where it shows white; None where it does not show grey, or what depends on what lies behind it."""
    is_grey = (mask.colours == mask.colours[..., :1]).all() and (mask.bits < 16 or mask.values.ndim == 2)
    if 2 <= mask.tag <= 8 or not mask.alpha.all() or not is_grey:
        return None
    return (mask.colours[..., 0] > 127).astype(np.uint8)


def as_indices(mask: Written) -> np.ndarray | None:
    """Its indices; None where its values are colours, shades of few bits, or none of 256."""
    if 2 <= mask.tag <= 8:
        return None
    if mask.is_indexed:
        return mask.values
    values = mask.values[..., 0] if mask.values.ndim == 3 else mask.values
    is_grey = mask.values.ndim == 2 or (mask.values.shape[2] == 2 and mask.bits == 8)
    is_whole = mask.bits in {8, 12, 16} and not mask.is_inverted and mask.alpha.all()
    return values if is_grey and is_whole and values.max() <= 255 else None


def read(data: bytes, *, indexed: bool) -> np.ndarray | UnusableImage:
    try:
        return decode_mask(data, indexed=indexed)
    except UnusableImage as refusal:
        return refusal


@settings(max_examples=MANY, deadline=None)
@given(pictures)
def test_a_mask_is_what_was_written_or_is_refused(mask):
    """D5: in both meanings, and told the same by the check and by what reads it."""
    if isinstance(taken(mask), UnusableImage):
        for indexed in (False, True):
            assert same(read(mask.data, indexed=indexed), taken(mask))
        return
    readings = read_mask(mask.data)
    for indexed, meant, reading in (
        (False, as_shown(mask), readings.black_and_white),
        (True, as_indices(mask), readings.indexed),
    ):
        found = read(mask.data, indexed=indexed)
        if isinstance(found, UnusableImage):
            assert reading is not None
            assert (reading.message, reading.message_zh[:2]) == (found.message, "掩膜")
            assert not is_clear(mask, meant, indexed=indexed)
        else:
            assert reading is None
            assert meant is not None
            assert np.array_equal(found, meant)
            assert not indexed or readings.largest_index == meant.max()


def is_clear(mask: Written, meant: np.ndarray | None, *, indexed: bool) -> bool:
    """Whether nothing about it is unclear, so that it must be taken."""
    is_odd = mask.tag > 8 or mask.bits in UNUSUAL_BITS or (mask.kind == "BMP" and mask.bits < 8)
    if meant is None or is_odd:
        return False
    if mask.bits == 16 and not indexed:
        return not mask.is_inverted and bool(((mask.values == 0) | (mask.values >= 0xFF00)).all())
    return indexed or set(np.unique(mask.colours).tolist()) <= {0, 255}


def outlines(labels: np.ndarray, scale: int) -> np.ndarray:
    """The pixels of regions that touch another region, at their sides, or end of the picture."""
    large = np.kron(labels, np.ones((scale, scale), labels.dtype))
    around = np.pad(large, 1)
    neighbours = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    return (large > 0) & np.any([other != large for other in neighbours], axis=0)


@settings(deadline=None)
@given(pictures, st.booleans())
def test_training_and_overlays_read_the_mask_of_the_check(mask, indexed):
    """D5: another reading than the check's would learn, or show, another truth than was approved."""
    labels = read(mask.data, indexed=indexed)
    height, width = mask.colours.shape[:2]
    objects = Objects()
    picture = plain(np.full((height, width, 3), 90, np.uint8))
    codes = tuple(f"C{number}" for number in range(1, 255)) if indexed else ()
    sample = Sample("C1/a", "C1", objects.put(picture), mask_sha256=objects.put(mask.data), mask_codes=codes)
    specification = InputSpecification(width=width, height=height)
    with tempfile.TemporaryDirectory() as folder:
        cache = PackCache(Path(folder), threads=1)
        packed = cache.load_labels([sample], specification, objects)
        own = cache.load_masks([sample], specification, objects)
        drawn = overlay(picture, mask.data, codes=("",) * len(codes))
        if isinstance(labels, UnusableImage):
            assert packed.unreadable[sample.label_key].message == str(labels)
            assert own.unreadable[sample.mask_key].message == str(labels)
            assert same(drawn, labels)
            return
        assert np.array_equal(packed.sample(packed.rows([sample.label_key])[0])[..., 0], labels)
        assert np.array_equal(own.sample(own.rows([sample.mask_key])[0])[..., 0], 255 * (labels == 1))
    scale = drawn.shape[1] // width
    is_outline = (drawn[: height * scale, : width * scale] == TRUTH).all(2)
    if drawn.shape[1] == width * scale:
        assert np.array_equal(is_outline, outlines(np.where(labels == 255, 0, labels), scale))
