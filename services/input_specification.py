"""The input specification of an image version, with its defaults and limits: one value for every service.

As a message: `services.input_messages`. In a weights' certificate: `services.vision.preprocessing`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from loupe.errors import Violation
from loupe.translation import sentence

_SIDES_PX = range(8, 4097)
_DETAILS = range(1, 17)
_MAX_ORIGINAL_SIDE_PX = 30_000


@dataclass(frozen=True)
class InputSpecification:
    """What a network is fed, and which originals conform."""

    width: int
    height: int
    channels: int = 3
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Per RGB channel, of pixels scaled to 0..1 (ImageNet's, as torchvision's)."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    min_side: int = 32
    """Least side of an original, in pixels."""
    max_aspect_ratio: float = 8.0
    """Longer originals lose their defects when squeezed into the input."""
    per_image_normalisation: bool = False
    """By the image's own mean and deviation instead of `mean` and `std`."""
    detail: int = 1
    """Where masks say where the defects lie, an image may be resized to `detail` times width and height and
    seen through windows of the network's size (see services.vision.windows); 1: seen whole."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Of the fields by name. One that is absent, 0 or empty has its default; width and height have none.

        Raises TypeError or ValueError for what is no number.
        """
        return cls(
            width=int(value.get("width") or 0),
            height=int(value.get("height") or 0),
            channels=int(value.get("channels") or cls.channels),
            mean=tuple(map(float, value.get("mean") or cls.mean)),
            std=tuple(map(float, value.get("std") or cls.std)),
            min_side=int(value.get("min_side") or cls.min_side),
            max_aspect_ratio=float(value.get("max_aspect_ratio") or cls.max_aspect_ratio),
            per_image_normalisation=bool(value.get("per_image_normalisation")),
            detail=int(value.get("detail") or cls.detail),
        )

    def faults(self, at: str) -> list[Violation]:
        """What is wrong with it."""
        return [*self._shape_faults(at), *self._normalisation_faults(at), *self._resolution_faults(at)]

    def _shape_faults(self, at: str) -> Iterator[Violation]:
        for name, value in (("width", self.width), ("height", self.height)):
            if value not in _SIDES_PX:
                yield Violation(
                    f"{at}.{name}",
                    "OUT_OF_RANGE",
                    sentence("{name} is {value}; it must lie in 8..4096 pixels", name=name, value=value),
                )
        if self.detail not in _DETAILS:
            yield Violation(
                f"{at}.detail",
                "OUT_OF_RANGE",
                sentence(
                    "detail is {detail}; it must be at most 16 (0: images are seen whole)", detail=self.detail
                ),
            )
        if self.channels != 3:
            yield Violation(
                f"{at}.channels",
                "UNSUPPORTED",
                sentence(
                    "channels is {channels}; only 3 is supported (grey pictures are repeated)",
                    channels=self.channels,
                ),
            )

    def _normalisation_faults(self, at: str) -> Iterator[Violation]:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3 or not all(math.isfinite(value) for value in values):
                yield Violation(
                    f"{at}.{name}",
                    "WRONG_LENGTH",
                    sentence(
                        "{name} must hold 3 finite numbers, one a channel; it holds {count}",
                        name=name,
                        count=len(values),
                    ),
                )
        if any(value <= 0 for value in self.std):
            yield Violation(
                f"{at}.std",
                "TOO_SMALL",
                sentence("std divides the pixels; every value must be above 0"),
            )

    def _resolution_faults(self, at: str) -> Iterator[Violation]:
        ratio = self.max_aspect_ratio
        if not (math.isfinite(ratio) and ratio >= 1):
            yield Violation(
                f"{at}.max_aspect_ratio",
                "OUT_OF_RANGE",
                sentence("max_aspect_ratio is {ratio}; it must be 0 (8) or at least 1", ratio=ratio),
            )
        if self.min_side > _MAX_ORIGINAL_SIDE_PX:
            yield Violation(
                f"{at}.min_side",
                "OUT_OF_RANGE",
                sentence(
                    "min_side is {min_side} pixels; no image is larger than 30000", min_side=self.min_side
                ),
            )
