"""What masks within annotations say: LabelMe's small pictures and Pascal VOC's segmentations (D1, D5).

They are judged as mask files are (services/vision/masks.py): what does not say clearly which pixels it marks
is refused by name. LabelMe's own masks hold 0 and 1, which a mask file may not, and no smoothed edges.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from loupe.annotations.shapes import EDGE_COST, MAX_PIXELS, Bounds, Canvas, Shape, opened_image
from loupe.text import fact_of
from loupe.translation import Sentence, sentence
from loupe.unusable import Unusable
from loupe.walking import read_file
from numpy.typing import NDArray
from PIL import Image

_ORIENTATION_TAG = 0x0112
_WHITE = {"1": 1, "L": 255, "I;16": 65535}
"""By Pillow's mode of grey, the largest value."""
_BITS_AT, _BITS_OF_INDICES = 24, 8
"""Where a PNG says its depth; Pillow spreads 1, 2 and 4 bits over 0 to 255."""


def marked(png: bytes, where: str) -> NDArray[np.bool_]:
    """The pixels that a black and white mask marks, (H, W); Unusable where it is not clear, or marks none."""
    with _loaded(png, where) as image:
        if image.mode in _WHITE and "transparency" not in image.info:
            values_HW = np.asarray(image)
            found = set(np.unique(values_HW).tolist())
            if found - {0, 1} and found - {0, _WHITE[image.mode]}:
                raise _unclear(where, sentence("shows more than black and white"))
            marked_HW = values_HW > 0
        else:
            marked_HW = _white(image, where)
    if not marked_HW.any():
        raise marks_nothing(where)
    return np.asarray(marked_HW, np.bool_)


def indices(png: bytes, where: str) -> NDArray[np.uint8]:
    """The values of an indexed mask, (H, W): of a palette its indices; Unusable."""
    with _loaded(png, where) as image:
        if image.mode not in ("P", "L"):
            fact = sentence(
                "{where} has mode {mode}; save it with a palette or as 8-bit grey",
                where=where,
                mode=image.mode,
            )
            raise Unusable("BAD_MASK", *fact)
        bits = png[_BITS_AT]
        if image.mode == "L" and bits != _BITS_OF_INDICES:
            fact = sentence(
                "{where} is grey of {bits} bits, whose values may be meant as they are or as they show; save "
                "it with a palette or as 8-bit grey",
                where=where,
                bits=bits,
            )
            raise Unusable("BAD_MASK", *fact)
        return np.asarray(image, np.uint8)


def marks_nothing(where: str) -> Unusable:
    """An annotation that marks no pixel, which nobody draws on purpose."""
    return Unusable("NO_SHAPE", *sentence("{where} marks nothing; draw it again or remove it", where=where))


@contextmanager
def _loaded(png: bytes, where: str) -> Iterator[Image.Image]:
    """A PNG of one frame and upright, with its pixels; Unusable."""
    try:
        with opened_image(io.BytesIO(png), "PNG") as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width}×{image.height} pixels, the limit is {MAX_PIXELS:,}")  # noqa: TRY301
            if (frames := getattr(image, "n_frames", 1)) > 1:
                fact = sentence(
                    "has {frames} pages or frames: save the one that is meant alone", frames=frames
                )
                raise _refused(where, fact)  # noqa: TRY301
            image.load()
            # Its tag may lie behind the pixels.
            if image.getexif().get(_ORIENTATION_TAG, 1) not in (0, 1):
                fact = sentence("is turned by its orientation tag: save it upright, without one")
                raise _refused(where, fact)  # noqa: TRY301
            yield image
    except Unusable:
        raise
    except Exception as error:  # Pillow's parsers raise almost anything on hostile bytes
        told = sentence(
            "{where} is no readable PNG ({fact}); export it again", where=where, fact=fact_of(error)
        )
        raise Unusable("BAD_MASK", *told) from error


def _white(image: Image.Image, where: str) -> NDArray[np.bool_]:
    """Where a picture with colours, a palette or alpha is white, if it is opaque, and black elsewhere."""
    shown_HWC = np.asarray(image.convert("RGBA"))
    if (shown_HWC[..., 3] < 255).any():
        raise _unclear(where, sentence("is transparent in part"))
    white_HW = (shown_HWC == 255).all(2)
    if (shown_HWC[..., :3][~white_HW] > 0).any():
        raise _unclear(where, sentence("shows more than black and white"))
    # Annotators take the values, and viewers show the colours.
    if image.mode == "P" and ((np.asarray(image) > 0) != white_HW).any():
        raise _unclear(where, sentence("has a palette that shows something else than its values say"))
    return np.asarray(white_HW, np.bool_)


def _unclear(where: str, fact: Sentence) -> Unusable:
    return _refused(where, sentence("{fact}; save it as 8-bit grey with 0 and 255", fact=fact))


def _refused(where: str, fact: Sentence) -> Unusable:
    return Unusable("BAD_MASK", *sentence("{where} {fact}", where=where, fact=fact))


@dataclass(frozen=True, slots=True)
class Stencil(Shape):
    """A small black-and-white picture laid on the large one, as LabelMe's masks are."""

    left: int
    top: int
    png: bytes
    width: int
    height: int
    where: str
    """Where the annotation says it."""

    @property
    def bounds(self) -> Bounds:
        """Where it is laid."""
        return (self.left, self.top, self.left + self.width, self.top + self.height)

    def cost(self, _width: int, _height: int) -> float:
        """All of it is decoded, wherever it is laid."""
        return self.width * self.height + EDGE_COST

    def check(self) -> None:
        """Decode it; Unusable where it does not say clearly what it marks."""
        marked(self.png, self.where)

    def paint(self, canvas: Canvas, value: int) -> None:
        """What it marks."""
        marked_HW = marked(self.png, self.where)
        height, width = canvas.shape
        first_x, last_x = max(self.left, 0), min(self.left + self.width, width)
        first_y, last_y = max(self.top, 0), min(self.top + self.height, height)
        if first_x < last_x and first_y < last_y:
            part = marked_HW[first_y - self.top : last_y - self.top, first_x - self.left : last_x - self.left]
            canvas[first_y:last_y, first_x:last_x][part] = value


@dataclass(frozen=True, slots=True)
class IndexedPixels(Shape):
    """The pixels of a PNG with certain values; of a palette PNG the indices, not the colours."""

    png: Path
    values: frozenset[int]
    width: int
    height: int

    @property
    def frame(self) -> tuple[int, int]:
        """The PNG's."""
        return (self.width, self.height)

    @property
    def bounds(self) -> Bounds:
        """The picture's."""
        return (0, 0, self.width, self.height)

    def paint(self, canvas: Canvas, value: int) -> None:
        """Read the PNG again: masks of ten thousand pictures are not kept."""
        canvas[np.isin(indices(read_file(self.png), self.png.name), list(self.values))] = value
