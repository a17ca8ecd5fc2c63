"""What a mask says (D1, D5): one decoding for the import's check, training, reports, overlays. No torch.

A mask becomes labels (H, W) uint8: 0 is background, i the i-th of the codes that its values mean. What does
not say clearly which pixels it marks is refused by name; nothing is guessed.

Black and white masks, on paths that declare no `mask_codes`, mean what they show: up to 127 background, above
it label 1, the code of the sample's folder.

- Grey of 1 to 8 bits, 16 bits (where 65535 is white), palettes (their colours) and RGB with equal channels
  are read. Colours are refused: nothing says which of them is the defect.
- Alpha is ignored where every pixel is opaque, and refused elsewhere. Colour, or grey with alpha, of 16 bits
  is refused.
- Something must show white, unless all is black; and something black, unless all is white. So 0 and 1, 0 and
  127, and 16-bit files that use 8 of their bits are refused.
- Shades between black and white are taken along edges, as smoothing makes them: within `_EDGE_PX` of both,
  changing from pixel to pixel, between areas of black and of white. Noise that holds both is no edge.
  Elsewhere they are taken as specks: fewer than `_SPECK_PX`, or at most `_SPECK_SHARE` of what is marked and
  of many shades. More of them, one shade only, or very dark ones only
  look like a further class, a photo, or a map of probabilities, and are refused. JPEG rings, so there what is
  within `_NEAR` of black or white counts as that.

Indexed masks, on paths that declare `mask_codes`, mean their values: the index of a palette, whatever its
colour and alpha (as Pascal VOC does), or the value of 8-bit or 16-bit grey. RGB and JPEG are refused, and so
is grey of 1, 2 or 4 bits, which may mean its values or the shades that they show.

Both: several pages or frames, and an orientation tag, are refused.
"""

import colorsys
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from loupe.image_files import (
    DEFAULT_LIMITS,
    ImageLimits,
    Reason,
    UnusableImage,
    decode,
    every_failure_refuses,
    read_short_palette,
)
from loupe.translation import Sentence, sentence
from numpy.typing import NDArray
from PIL import Image

MOST_INDEX = 255
_BACKGROUND_UP_TO = 127
_NEAR = 32
"""Of 255: so far does JPEG ring around black and white."""
_EDGE_PX = 8
"""Smoothing and enlarging spread an edge over so many pixels, and JPEG over its blocks."""
_AROUND_PX = 16
"""So far around an edge it is looked for what is quite black or white, of which there is more in a mask."""
_PURE_SHARE = 0.25
"""Of those pixels, so many are black or white at least; around edges enlarged eight times, half are."""
_TORN_SHARE = 0.2
"""Of the pixels within `_EDGE_PX`, so many are unlike most of their neighbours at most; in noise 36 % are."""
_SPECK_PX = 9
"""3 by 3 pixels."""
_SPECK_SHARE = 0.05
_ONE_SHADE = 2 / 3
"""Of specks, when most of them have the same shade, they are meant as something."""
_ORIENTATION_TAG = 0x0112
_BITS_TAG = 258
_PHOTOMETRIC_TAG = 262
_GREY = frozenset({"1", "L"})
_GREY_16 = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_WITH_ALPHA = {"LA": "LA", "La": "LA", "RGBA": "RGBA", "RGBa": "RGBA"}
_SAVE = sentence("save it as 8-bit grey with 0 and 255")
_DECLARE = sentence("declare the path's mask_codes (--mask-codes) if its values are indices")


class UnusableMask(UnusableImage):
    """The file is an image, and not clearly a mask."""

    def __init__(self, fact: str, fact_zh: str) -> None:
        message, self.message_zh = sentence("the mask {fact}", fact=Sentence(fact, fact_zh))
        super().__init__(Reason.BAD_MASK, message)


@dataclass(frozen=True)
class MaskReadings:
    """Whether a file can be read as a mask, in each of the two meanings."""

    black_and_white: UnusableMask | None
    """Why not; None where it can."""
    indexed: UnusableMask | None
    largest_index: int = 0


def decode_mask(data: bytes, *, indexed: bool, limits: ImageLimits = DEFAULT_LIMITS) -> NDArray[np.uint8]:
    """Labels of a mask, uint8 (H, W). Raises UnusableImage, UnusableMask where the file is an image."""
    decode(data, limits)  # refuses what is damaged or too large, in the words used for images
    with _opened(data) as image:
        return _indices(image, data) if indexed else _shown(image, data)


def read_mask(data: bytes) -> MaskReadings:
    """What the bytes of an image, which were decoded before, say as a mask. Raises UnusableImage."""
    try:
        with _opened(data) as image:
            faults: list[UnusableMask | None] = [None, None]
            largest = 0
            try:
                _shown(image, data)
            except UnusableMask as fault:
                # Its traceback would keep the picture's arrays until the next garbage collection.
                faults[0] = fault.with_traceback(None)
            try:
                largest = int(_indices(image, data).max())
            except UnusableMask as fault:
                faults[1] = fault.with_traceback(None)
            return MaskReadings(faults[0], faults[1], largest)
    except UnusableMask as fault:
        return MaskReadings(fault, fault)


def encode_labels(labels_HW: NDArray[np.uint8]) -> bytes:
    """An indexed PNG of labels; equal labels are equal bytes. Its colours are for who opens it by hand."""
    image = Image.fromarray(labels_HW, "P")
    # The golden angle keeps neighbouring codes apart, however many there are.
    hues = (colorsys.hsv_to_rgb(index * 0.381966 % 1, 0.9, 1.0) for index in range(1, 256))
    image.putpalette([0, 0, 0, *(round(255 * value) for colour in hues for value in colour)])
    encoded = BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """The image, of one page and upright; whatever is raised becomes UnusableImage."""
    with (
        every_failure_refuses(),
        Image.open(BytesIO(data), formats=["PNG", "JPEG", "BMP", "TIFF"]) as image,
    ):
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            raise UnusableMask(
                *sentence("has {frames} pages or frames: save the one that is meant alone", frames=frames),
            )
        # Before Pillow loads it: a TIFF is turned then, and its tag is gone.
        if image.getexif().get(_ORIENTATION_TAG, 1) not in (0, 1):
            raise UnusableMask(
                *sentence("is turned by its orientation tag: save it upright, without one"),
            )
        read_short_palette(image)
        yield image


# --- black and white: what it shows -------------------------------------------------------------------------


def _shown(image: Image.Image, data: bytes) -> NDArray[np.uint8]:
    lossy = _is_lossy(image)
    if image.mode in _GREY_16:
        return _marked(_grey_16(image), 65535, lossy=lossy)
    if image.mode == "P":
        return _marked(_palette_shades(image), 255, lossy=lossy)
    return _marked(_shades(_without_alpha(image, data)), 255, lossy=lossy)


def _palette_shades(image: Image.Image) -> NDArray[np.uint8]:
    index_HW = np.asarray(image)
    used = np.flatnonzero(np.bincount(index_HW.ravel(), minlength=256))
    if image.palette is not None and used[-1] >= (count := len(image.getpalette() or ()) // 3):
        # Decoders show such pixels black, or not at all.
        raise UnusableMask(
            *sentence(
                "has the index {index}, and its palette only {count} colours: {save}, or {declare}",
                index=int(used[-1]),
                count=count,
                save=_SAVE,
                declare=_DECLARE,
            ),
        )
    each = image.crop((0, 0, 16, 16))
    each.putdata(range(256))
    colours = np.asarray(each.convert("RGBA")).reshape(256, 4)
    if (colours[used, 3] < 255).any():
        raise _transparent()
    coloured = used[(colours[used, :3] != colours[used, :1]).any(1)]
    if coloured.size:
        raise _coloured(colours[coloured[0], :3])
    shade_256 = np.zeros(256, np.uint8)
    shade_256[used] = colours[used, 0]
    return np.asarray(shade_256[index_HW], np.uint8)


def _shades(image: Image.Image) -> NDArray[np.uint8]:
    """Of grey, or of RGB with equal channels."""
    if image.mode in _GREY:
        return np.asarray(image.convert("L"), np.uint8)
    red_HW, green_HW, blue_HW = (np.asarray(image.getchannel(name), np.uint8) for name in "RGB")
    coloured_HW = (red_HW != green_HW) | (red_HW != blue_HW)
    if coloured_HW.any():
        at = np.unravel_index(int(coloured_HW.argmax()), coloured_HW.shape)
        raise _coloured(np.array([red_HW[at], green_HW[at], blue_HW[at]]))
    return red_HW


def _marked(values_HW: NDArray[np.integer], white: int, *, lossy: bool) -> NDArray[np.uint8]:
    """1 where it shows more white than black, if it is clear what it marks."""
    smallest, largest = int(values_HW.min()), int(values_HW.max())
    middle = white // 2
    if 0 < largest <= middle:
        raise UnusableMask(
            *sentence(
                "shows nothing white: its largest value is {largest} of {white}, and only "
                "above {middle} is a defect: {save}, or {declare}",
                largest=largest,
                white=white,
                middle=middle,
                save=_SAVE,
                declare=_DECLARE,
            ),
        )
    if middle < smallest < _whitest(white):
        raise UnusableMask(
            *sentence(
                "shows nothing black: its smallest value is {smallest} of {white}, so all of "
                "it would be a defect: {save}",
                smallest=smallest,
                white=white,
                save=_SAVE,
            ),
        )
    _refuse_shades(values_HW, white, lossy=lossy)
    return np.asarray(values_HW > middle, np.uint8)


def _whitest(white: int) -> int:
    """From here on a value is white: bright 16-bit values that came from 8 bits end in 00 or in FF."""
    return white - (white + 1) // 256 + 1


def _refuse_shades(values_HW: NDArray[np.integer], white: int, *, lossy: bool) -> None:
    """Shades between black and white may be there along edges only."""
    unit = (white + 1) // 256
    tolerance = _NEAR * unit if lossy else 0
    black_HW = values_HW <= tolerance
    white_HW = values_HW >= _whitest(white) - tolerance
    between_HW = ~(black_HW | white_HW)
    if not between_HW.any():
        return
    shades = np.unique(values_HW[between_HW])
    if not lossy and (len(shades) == 1 or shades[-1] <= _NEAR * unit):
        raise _shaded(values_HW, between_HW, white)
    reach, spot = (np.ones((2 * px + 1, 2 * px + 1), np.uint8) for px in (_EDGE_PX, 1))
    # A thin defect that was smoothed is nowhere quite white. Nearly black may be an index: only black counts.
    white_HW = values_HW >= white - _NEAR * unit
    black_HW, white_HW = (
        cv2.dilate(shade_HW.astype(np.uint8), reach) > 0 for shade_HW in (black_HW, white_HW)
    )
    specks_HW = between_HW & ~(black_HW & white_HW & _is_edge(values_HW, between_HW, white))
    if not lossy:
        values_HW = values_HW.astype(np.uint16)
        flat_HW = between_HW & (cv2.erode(values_HW, spot) == cv2.dilate(values_HW, spot))
        specks_HW |= cv2.dilate(flat_HW.astype(np.uint8), spot) > 0
    count = int(specks_HW.sum())
    if count >= _SPECK_PX:
        _, counts = np.unique(values_HW[specks_HW], return_counts=True)
        marked = int((values_HW > white // 2).sum())
        if count > _SPECK_SHARE * marked or counts.max() > _ONE_SHADE * count:
            raise _shaded(values_HW, specks_HW, white)


def _is_edge(values_HW: NDArray[np.integer], between_HW: NDArray[np.bool_], white: int) -> NDArray[np.bool_]:
    """Where the pixels around are black areas and white ones, and not noise that holds both."""
    pure_HW = np.where(between_HW, 0, 255).astype(np.uint8)
    marked_HW = np.where(values_HW > white // 2, 255, 0).astype(np.uint8)
    torn_HW = cv2.bitwise_xor(marked_HW, cv2.medianBlur(marked_HW, 3))
    pure_around_HW, torn_around_HW = (
        cv2.blur(share_HW, (2 * px + 1, 2 * px + 1), borderType=cv2.BORDER_REFLECT)
        for share_HW, px in ((pure_HW, _AROUND_PX), (torn_HW, _EDGE_PX))
    )
    is_pure_HW = pure_around_HW >= round(255 * _PURE_SHARE)
    return np.asarray(is_pure_HW & (torn_around_HW <= round(255 * _TORN_SHARE)), np.bool_)


def _shaded(values_HW: NDArray[np.integer], doubtful_HW: NDArray[np.bool_], white: int) -> UnusableMask:
    count = int(doubtful_HW.sum())
    some = ", ".join(str(shade) for shade in np.unique(values_HW[doubtful_HW])[:3].tolist())
    share = 100 * count / values_HW.size
    return UnusableMask(
        *sentence(
            "shows more than black and white: {count:,} pixel(s) ({share:.3g} %) lie "
            "between, such as {values} of {white}, and are no smooth edge: {save}, or "
            "{declare}",
            count=count,
            share=share,
            values=some,
            white=white,
            save=_SAVE,
            declare=_DECLARE,
        ),
    )


# --- indexed: its values ------------------------------------------------------------------------------------


def _indices(image: Image.Image, data: bytes) -> NDArray[np.uint8]:
    if _is_lossy(image):
        raise _not_indexed(*sentence("is compressed as JPEG, which changes values"))
    if image.mode == "P":
        return np.array(image, np.uint8)
    if image.mode in _GREY_16:
        values_HW = _grey_16(image)
        if (largest := int(values_HW.max())) > MOST_INDEX:
            raise _not_indexed(
                *sentence(
                    "has the value {largest}, and an index is at most {limit}",
                    largest=largest,
                    limit=MOST_INDEX,
                ),
            )
        return values_HW.astype(np.uint8)
    grey = _without_alpha(image, data)
    if grey.mode in {"RGB", "RGBA"}:
        raise _not_indexed(*sentence("is in colour"))
    if _photometric(image) == 0:
        raise _not_indexed(*sentence("is a TIFF whose value 0 is white (WhiteIsZero)"))
    if (bits := _bits_of_channels(image, data)) != 8:
        raise _not_indexed(
            *sentence(
                "is grey of {bits} bit(s), whose values may be meant as they are or as they show", bits=bits
            ),
        )
    return np.array(grey, np.uint8)


def _bits_of_channels(image: Image.Image, data: bytes) -> int:
    """As stored: Pillow spreads 2 and 4 bits over 0 to 255, and of more than 8 keeps the highest."""
    if image.mode == "1":
        return 1
    match image.format:
        case "PNG":
            return data[24]
        case "TIFF":
            return int(image.tag_v2[_BITS_TAG][0])  # type: ignore[attr-defined]
        case _:
            return 8


def _bits_of_bmp(data: bytes) -> int:
    at = 24 if data[14] == 12 else 28
    return int.from_bytes(data[at : at + 2], "little")


def _not_indexed(fact: str, fact_zh: str) -> UnusableMask:
    return UnusableMask(
        *sentence(
            "{fact}, and the path declares indexed masks: save it with a palette or as "
            "8-bit grey, each value an index",
            fact=Sentence(fact, fact_zh),
        ),
    )


# --- both ---------------------------------------------------------------------------------------------------


def _is_lossy(image: Image.Image) -> bool:
    return image.format == "JPEG" or image.info.get("compression") in {"jpeg", "tiff_jpeg"}


def _photometric(image: Image.Image) -> int | None:
    """Of a TIFF, what its values mean; 0: that 0 is white."""
    return image.tag_v2.get(_PHOTOMETRIC_TAG) if image.format == "TIFF" else None  # type: ignore[attr-defined]


def _grey_16(image: Image.Image) -> NDArray[np.uint16]:
    values_HW = np.asarray(image).astype(np.uint16)
    if _photometric(image) == 0:
        raise UnusableMask(*sentence("has 16 bits of which 0 is white (WhiteIsZero): {save}", save=_SAVE))
    if (transparent := image.info.get("transparency")) is not None and (values_HW == transparent).any():
        raise _transparent()
    return values_HW


def _without_alpha(image: Image.Image, data: bytes) -> Image.Image:
    """Grey or RGB; refused where a pixel is not opaque, or where it is neither."""
    if (bits := _bits_of_channels(image, data)) > 8:
        # Pillow keeps the highest 8: what shows 0 and 1, or 0 and 255 of 65535, would mark nothing.
        raise UnusableMask(
            *sentence(
                "has {bits} bits a channel, which is read of grey without alpha: {save}",
                bits=bits,
                save=_SAVE,
            )
        )
    if image.mode in _WITH_ALPHA:
        straight = image.convert(_WITH_ALPHA[image.mode])
        if straight.getchannel("A").getextrema() != (255, 255):
            raise _transparent()
        return straight.getchannel("L") if straight.mode == "LA" else straight
    if image.mode not in {*_GREY, "RGB"}:
        raise UnusableMask(
            *sentence(
                "is of the kind {mode}, which no mask is read from: {save}",
                mode=image.mode,
                save=_SAVE,
            ),
        )
    if (
        image.format == "BMP"
        and image.mode in _GREY
        and _bits_of_bmp(data) != (1 if image.mode == "1" else 8)
    ):
        # Pillow reads these as if they had 1 or 8 bits a pixel.
        raise UnusableMask(
            *sentence(
                "is a BMP of {bits} bits with a grey palette of few colours: {save}, as PNG",
                bits=_bits_of_bmp(data),
                save=_SAVE,
            ),
        )
    transparent = image.info.get("transparency")
    if transparent is not None and _occurs(transparent, image, data[24]):
        raise _transparent()
    return image


def _occurs(transparent: int | tuple[int, ...], image: Image.Image, bits: int) -> bool:
    """Whether a pixel has the value that a PNG calls transparent, which is told in the file's own bits.

    Of 1 bit, Pillow tells it as 0 or 255.
    """
    if isinstance(transparent, int):
        shade = transparent if image.mode == "1" else transparent * 255 // (2**bits - 1)
        return bool((np.asarray(image.convert("L")) == shade).any())
    same = [
        np.asarray(image.getchannel(name)) == value >> (bits - 8)
        for name, value in zip("RGB", transparent, strict=True)
    ]
    return bool((same[0] & same[1] & same[2]).any())


def _coloured(colour: NDArray[np.uint8]) -> UnusableMask:
    rgb = ", ".join(str(value) for value in colour.tolist())
    return UnusableMask(
        *sentence(
            "shows colours, such as RGB ({rgb}), and black and white is expected: {save}, or {declare}",
            rgb=rgb,
            save=_SAVE,
            declare=_DECLARE,
        ),
    )


def _transparent() -> UnusableMask:
    return UnusableMask(
        *sentence(
            "is transparent in part, so what it shows depends on what lies behind: {save}, without alpha",
            save=_SAVE,
        ),
    )
