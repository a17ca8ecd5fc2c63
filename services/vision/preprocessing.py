"""The one rule from a decoded picture to what a network sees. Training, evaluation and export go through it.

Resize: bilinear, half-pixel centres, edges held, no antialias, result rounded to uint8. OpenCV's
INTER_LINEAR_EXACT computes it in fixed point with weights of 8 bits: the same bits on every processor, within
1.5 grey levels of real arithmetic. Pillow's and torchvision's antialiased resize are another rule and skew
scores.

Normalisation, in float32 on pixels scaled to 0..1: "fixed" is x = (pixel - mean) / std with constants per
channel; "per_image" is x = (pixel - m) / (s + 4/255) with mean m and standard deviation s (of the whole
population) over all pixels and channels of the resized image. The latter forgets exposure, which between two
pictures of one part differs more than a defect from its surroundings.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from loupe.image_files import Pixels
from loupe.translation import Sentence, joined, sentence
from numpy.typing import NDArray

from services.input_specification import InputSpecification
from services.vision.faults import BadOrder

PER_IMAGE_FLOOR = 4 / 255
"""Added to an image's standard deviation, so that an empty one does not become noise."""
RULE = "bilinear-half-pixel-uint8-1"
"""Changes when the rule does: packs of another rule are then not found, and weights of another rule
refused."""
_DECODING = 2
"""Changes when files are decoded otherwise (docs/decisions/0077): what was packed before is not found."""
_PER_IMAGE: Mapping[str | None, bool] = {"per_image": True, "fixed": False, None: False}


class ResolutionReason(StrEnum):
    """Why a sample's resolution does not conform."""

    RESOLUTION_TOO_LOW = "RESOLUTION_TOO_LOW"
    ASPECT_RATIO = "ASPECT_RATIO"
    RESOLUTION_OFF_NOMINAL = "RESOLUTION_OFF_NOMINAL"


@dataclass(frozen=True)
class ResolutionRule:
    """Which samples conform to an image version's input (M1).

    `width` and `height` are set together or not at all.
    """

    width: int | None = None
    height: int | None = None
    """The resolution the samples should have; None accepts any that is not too small or too long."""
    tolerance: float = 0.1
    """How far width and height may be off, as a share; used with a nominal resolution."""
    min_side_px: int = InputSpecification.min_side
    max_aspect_ratio: float = InputSpecification.max_aspect_ratio

    @classmethod
    def of(cls, specification: InputSpecification) -> "ResolutionRule":
        """The rule of a specification, which has no nominal resolution."""
        return cls(min_side_px=specification.min_side, max_aspect_ratio=specification.max_aspect_ratio)

    def fault(self, width: int, height: int) -> tuple[ResolutionReason, Sentence] | None:
        """(reason, sentence) for a sample that does not conform, None for one that does."""
        if min(width, height) < self.min_side_px:
            return (
                ResolutionReason.RESOLUTION_TOO_LOW,
                sentence(
                    "{width}×{height}: the shorter side is under {least} px",
                    width=width,
                    height=height,
                    least=self.min_side_px,
                ),
            )
        if max(width, height) > self.max_aspect_ratio * min(width, height):
            return (
                ResolutionReason.ASPECT_RATIO,
                sentence(
                    "{width}×{height}: longer than {most:g} times its width",
                    width=width,
                    height=height,
                    most=self.max_aspect_ratio,
                ),
            )
        if self.width and self.height:
            off = max(abs(width - self.width) / self.width, abs(height - self.height) / self.height)
            if off > self.tolerance:
                return (
                    ResolutionReason.RESOLUTION_OFF_NOMINAL,
                    sentence(
                        "{width}×{height} is {off:.0%} off {nominal} (±{tolerance:.0%})",
                        width=width,
                        height=height,
                        off=off,
                        nominal=f"{self.width}×{self.height}",
                        tolerance=self.tolerance,
                    ),
                )
        return None


def to_certificate(specification: InputSpecification) -> dict[str, Any]:
    """The form in a weights' certificate, which is older than the contract's."""
    return {
        "width": specification.width,
        "height": specification.height,
        "channels": specification.channels,
        "mean": specification.mean,
        "std": specification.std,
        "normalisation": "per_image" if specification.per_image_normalisation else "fixed",
        "resolution": asdict(ResolutionRule.of(specification)),
        "detail": specification.detail,
    }


def from_certificate(value: Mapping[str, Any]) -> InputSpecification:
    """Of the form of `to_certificate`; only width and height are needed.

    Raises KeyError, TypeError or ValueError where it is none.
    """
    rule = value.get("resolution") or {}
    specification = InputSpecification.from_json(
        {
            **value,
            "min_side": rule.get("min_side_px"),
            "max_aspect_ratio": rule.get("max_aspect_ratio"),
            "per_image_normalisation": _PER_IMAGE[value.get("normalisation")],
        }
    )
    if faults := specification.faults("input"):
        raise ValueError("; ".join(f"{fault.field}: {fault.message}" for fault in faults))
    return specification


def checked(specification: InputSpecification) -> InputSpecification:
    """The specification itself. Raises BadOrder with all its faults."""
    if faults := specification.faults("input"):
        raise BadOrder(
            joined(
                Sentence(f"{fault.field}: {fault.message}", f"{fault.field}：{fault.message_zh}")
                for fault in faults
            )
        )
    return specification


def magnified(specification: InputSpecification) -> InputSpecification:
    """What an image is resized to before windows are cut from it. Raises BadOrder where that is too large."""
    width, height = specification.width * specification.detail, specification.height * specification.detail
    return checked(replace(specification, width=width, height=height, detail=1))


def pack_recipe(specification: InputSpecification) -> str:
    """Names everything that decides a packed pixel; mean and std do not."""
    width, height = specification.width, specification.height
    recipe = {
        "rule": RULE,
        "decoding": _DECODING,
        "width": width,
        "height": height,
        "channels": specification.channels,
    }
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    return f"{width}x{height}-{digest[:16]}"


def cover(marked_HW: NDArray[np.bool_], specification: InputSpecification) -> Pixels:
    """How much of each pixel of the network's input the marks cover, 0 to 255, uint8 (height, width)."""
    size = (specification.width, specification.height)
    marks = marked_HW.astype(np.uint8) * np.uint8(255)
    return np.asarray(cv2.resize(marks, size, interpolation=cv2.INTER_AREA), np.uint8)


def cover_labels(mask_HW: Pixels, specification: InputSpecification) -> Pixels:
    """An indexed mask at the network's input, uint8 (height, width).

    Of each pixel the value that covers most of it.
    """
    best_HW = most_HW = np.zeros((specification.height, specification.width), np.uint8)
    for value in np.unique(mask_HW).tolist():
        covered_HW = cover(mask_HW == value, specification)
        # From 1 on, so that the first value wins where it is anywhere at all.
        wins_HW = covered_HW > most_HW
        best_HW = np.where(wins_HW, np.uint8(value), best_HW)
        most_HW = np.maximum(most_HW, covered_HW)
    return best_HW


def resize(pixels_HWC: Pixels, specification: InputSpecification) -> Pixels:
    """Pixels at the network's input size, uint8 (height, width, 3)."""
    size = (specification.width, specification.height)
    return np.asarray(cv2.resize(pixels_HWC, size, interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)
