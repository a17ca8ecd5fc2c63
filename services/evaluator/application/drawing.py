"""Draws the outlines of masks over a picture (P4). No torch, no I/O.

H, W: height and width of the original; h, w: of the drawn picture; C: 3 channels, RGB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from loupe.image_files import Pixels, decode
from numpy.typing import NDArray

from services.kit.confined_child import Answer
from services.vision.decoding import picture
from services.vision.masks import decode_mask
from services.vision.thumbnails import LIMITS, encoded, fitted

OVERLAY_PX = 1200
_MIN_OVERLAY_PX = 480
"""Smaller originals are magnified: an outline would hide the defect that it surrounds."""
_TRUTH, _PREDICTION = (0, 200, 60), (235, 40, 220)
_PAPER, _INK = (250, 250, 250), (60, 60, 60)
_LINE_PX, _SWATCH_PX, _FONT, _TEXT = 24, 28, cv2.FONT_HERSHEY_SIMPLEX, 0.45


@dataclass(frozen=True, slots=True)
class MaskMeaning:
    """Value i of a mask is the i-th of `codes`; without codes, white is `sample_code`."""

    codes: Sequence[str]
    sample_code: str = ""

    def regions(self, data: bytes) -> list[tuple[str, NDArray[np.uint8]]]:
        """A region (H, W) of 0 and 1 for each code that occurs in a mask file. Raises UnusableImage."""
        labels_HW = decode_mask(data, indexed=bool(self.codes), limits=LIMITS)
        codes = self.codes or (self.sample_code,)
        # Skip 255 and other values without a code: tools use them for void pixels.
        return [
            (codes[label - 1], (labels_HW == label).astype(np.uint8))
            for label in np.unique(labels_HW).tolist()
            if 0 < label <= len(codes)
        ]


def overlay_order(truth: MaskMeaning | None, prediction: MaskMeaning | None) -> dict[str, Any]:
    """The order to `draw_overlay`: which masks there are beside the picture, and what they mean."""
    return {
        name: None if mask is None else asdict(mask)
        for name, mask in (("truth", truth), ("prediction", prediction))
    }


def draw_overlay(order: Mapping[str, Any], pieces: Sequence[bytes]) -> Answer:
    """A decoder's handler. The outlines of both masks as PNG, at most OVERLAY_PX a side, with a legend.

    The pieces are the picture and those masks that the order has. Raises UnusableImage.
    """
    data, *masks = pieces
    picture_hwC = fitted(decode(data, LIMITS), OVERLAY_PX, at_least=_MIN_OVERLAY_PX)
    legend: list[tuple[str, tuple[int, int, int]]] = []
    for name, colour in (("truth", _TRUTH), ("prediction", _PREDICTION)):
        if order[name] is None:
            continue
        regions = MaskMeaning(**order[name]).regions(masks.pop(0))
        for code, region_HW in regions:
            _outline(picture_hwC, region_HW, code, colour, below=name == "prediction")
        legend.append((f"{name}: {', '.join(code for code, _ in regions) or 'nothing'}", colour))
    return picture(encoded(np.vstack([picture_hwC, _legend(legend, picture_hwC.shape[1])]), ".png"))


def _outline(
    picture_hwC: Pixels, region_HW: NDArray[np.uint8], code: str, colour: tuple[int, int, int], *, below: bool
) -> None:
    """Draw the outline of a region, and the code above its largest part or `below` it."""
    height, width = picture_hwC.shape[:2]
    region_hw = cv2.resize(region_HW, (width, height), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(region_hw, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return  # the region is too thin to be seen at the size of the picture
    cv2.drawContours(picture_hwC, contours, -1, colour, 1, cv2.LINE_8)
    left, top, _, region_height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    (text_width, text_height), _ = cv2.getTextSize(code, _FONT, _TEXT, 1)
    line = top + region_height + text_height + 4 if below else top - 4
    origin = (
        max(0, min(left, width - text_width)),
        max(text_height, min(line, height - 3)),
    )
    # A dark outline keeps the text readable on any background.
    cv2.putText(picture_hwC, code, origin, _FONT, _TEXT, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture_hwC, code, origin, _FONT, _TEXT, colour, 1, cv2.LINE_AA)


def _legend(lines: Sequence[tuple[str, tuple[int, int, int]]], width: int) -> Pixels:
    legend_hwC = np.full((_LINE_PX * len(lines) + 4, width, 3), _PAPER, np.uint8)
    for number, (text, colour) in enumerate(lines):
        middle = number * _LINE_PX + _LINE_PX // 2 + 2
        cv2.line(legend_hwC, (6, middle), (_SWATCH_PX - 6, middle), colour, 2)
        cv2.putText(legend_hwC, text, (_SWATCH_PX, middle + 5), _FONT, _TEXT, _INK, 1, cv2.LINE_AA)
    return legend_hwC
