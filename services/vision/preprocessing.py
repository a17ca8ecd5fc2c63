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
from typing import Any, Literal, get_args

import cv2
import numpy as np
from loupe.image_files import Pixels
from numpy.typing import NDArray

from services.vision.faults import BadOrder

Normalisation = Literal["fixed", "per_image"]
PER_IMAGE_FLOOR = 4 / 255
"""Added to an image's standard deviation, so that an empty one does not become noise."""
RULE = "bilinear-half-pixel-uint8-1"
"""Changes when the rule does: packs of another rule are then not found, and weights of another rule
refused."""


class ResolutionReason(StrEnum):
    """Why a sample's resolution does not conform."""

    RESOLUTION_TOO_LOW = "RESOLUTION_TOO_LOW"
    ASPECT_RATIO = "ASPECT_RATIO"
    RESOLUTION_OFF_NOMINAL = "RESOLUTION_OFF_NOMINAL"


@dataclass(frozen=True)
class ResolutionRule:
    """Which samples conform to an image version's input (M1). The defaults are what 0 means in the contracts.

    `width` and `height` are set together or not at all.
    """

    width: int | None = None
    height: int | None = None
    """The resolution the samples should have; None accepts any that is not too small or too long."""
    tolerance: float = 0.1
    """How far width and height may be off, as a share; used with a nominal resolution."""
    min_side_px: int = 32
    max_aspect_ratio: float = 8.0
    """Longer ones lose their defects when squeezed into the input."""

    def fault(self, width: int, height: int) -> tuple[ResolutionReason, str] | None:
        """(reason, sentence) for a sample that does not conform, None for one that does."""
        if min(width, height) < self.min_side_px:
            return (
                ResolutionReason.RESOLUTION_TOO_LOW,
                f"{width}×{height}: the shorter side is under {self.min_side_px} px",
            )
        if max(width, height) > self.max_aspect_ratio * min(width, height):
            return (
                ResolutionReason.ASPECT_RATIO,
                f"{width}×{height}: longer than {self.max_aspect_ratio:g} times its width",
            )
        if self.width and self.height:
            off = max(abs(width - self.width) / self.width, abs(height - self.height) / self.height)
            if off > self.tolerance:
                nominal = f"{self.width}×{self.height}"
                return (
                    ResolutionReason.RESOLUTION_OFF_NOMINAL,
                    f"{width}×{height} is {off:.0%} off {nominal} (±{self.tolerance:.0%})",
                )
        return None


@dataclass(frozen=True)
class InputSpecification:
    """What a network takes: pinned in the image version, copied into every weights file."""

    width: int
    height: int
    channels: int = 3
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Per RGB channel, of pixels scaled to 0..1 (ImageNet's, as torchvision's)."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    normalisation: Normalisation = "fixed"
    """per_image ignores mean and std."""
    resolution: ResolutionRule = ResolutionRule()
    detail: int = 1
    """Where masks say where the defects lie, an image may be resized to `detail` times width and height and
    seen through detail × detail windows of the network's size (see windows)."""

    def __post_init__(self) -> None:
        if self.channels != 3 or len(self.mean) != 3 or len(self.std) != 3:
            raise BadOrder("the input specification must have 3 channels (grey pictures are repeated)")
        if not (8 <= self.width <= 4096 and 8 <= self.height <= 4096):
            raise BadOrder(f"an input of {self.width}×{self.height} px is outside 8..4096")
        if not 1 <= self.detail <= 16:
            raise BadOrder(f"an input detail of {self.detail} is outside 1..16")
        if self.normalisation not in get_args(Normalisation):
            raise BadOrder(f"the input normalisation must be one of {get_args(Normalisation)}")
        if min(self.std) <= 0:
            raise BadOrder("every std of the input specification must be positive")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "InputSpecification":
        """From the image version's JSON; only width and height are needed."""
        try:
            rule = value.get("resolution") or {}
            return cls(
                width=int(value["width"]),
                height=int(value["height"]),
                channels=int(value.get("channels") or 3),
                mean=tuple(float(x) for x in value.get("mean") or cls.mean),
                std=tuple(float(x) for x in value.get("std") or cls.std),
                normalisation=value.get("normalisation") or cls.normalisation,
                resolution=ResolutionRule(**{key: rule[key] for key in rule if rule[key] is not None}),
                detail=int(value.get("detail") or 1),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadOrder(f"the input specification cannot be read: {error!r}") from error

    def to_json(self) -> dict[str, Any]:
        """The form `from_json` reads."""
        return asdict(self)

    @property
    def magnified(self) -> "InputSpecification":
        """What an image is resized to before windows are cut from it."""
        return replace(self, width=self.width * self.detail, height=self.height * self.detail, detail=1)

    @property
    def pack_recipe(self) -> str:
        """Names everything that decides a packed pixel; mean and std do not."""
        recipe = {"rule": RULE, "width": self.width, "height": self.height, "channels": self.channels}
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
        return f"{self.width}x{self.height}-{digest[:16]}"


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
