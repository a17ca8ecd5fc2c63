"""Algorithm images (not pictures): algorithms whose versions define how models are trained (W2)."""

import enum
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from loupe.errors import Violation
from loupe.translation import sentence

from services.registry.domain.identifiers import id_faults, shown, text_faults

MAX_NUMBER = 999_999

_NUMBER = re.compile(r"v(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")


class ImageKind(enum.StrEnum):
    """GENERAL: no environment, the user sets the parameters. BUSINESS: one environment, fixed parameters."""

    GENERAL = "GENERAL"
    BUSINESS = "BUSINESS"


class TaskType(enum.StrEnum):
    """What models of an image do."""

    CLASSIFICATION = "CLASSIFICATION"
    SEGMENTATION_CLASSIFICATION = "SEGMENTATION_CLASSIFICATION"


@dataclass(frozen=True, slots=True, order=True)
class ImageVersionNumber:
    """`v3.0`; ordered by number, never as text."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The number in `text`; None if it is not a number."""
        match = _NUMBER.fullmatch(text)
        return cls(int(match[1]), int(match[2])) if match else None

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}"


@dataclass(frozen=True, slots=True)
class InputSpecification:
    """The input of the network, and which originals conform."""

    width: int
    height: int
    channels: int = 3
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Per channel, of values scaled to 0..1 (ImageNet's)."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    min_side: int = 0
    """Pixels; 0: 32, the contract's default."""
    max_aspect_ratio: float = 0.0
    """0: 8, the contract's default."""
    per_image_normalisation: bool = False
    """By the image's own mean and deviation instead of `mean` and `std`."""
    detail: int = 0
    """Where masks allow it, images are scaled to this multiple and seen through windows; 0: seen whole."""

    def faults(self, at: str) -> list[Violation]:
        """What is wrong with it."""
        return [*self._shape_faults(at), *self._normalisation_faults(at), *self._resolution_faults(at)]

    def _shape_faults(self, at: str) -> Iterator[Violation]:
        for name, value in (("width", self.width), ("height", self.height)):
            if not 8 <= value <= 4096:
                yield Violation(
                    f"{at}.{name}",
                    "OUT_OF_RANGE",
                    *sentence("{name} is {value}; it must lie in 8..4096 pixels", name=name, value=value),
                )
        if not 0 <= self.detail <= 16:
            yield Violation(
                f"{at}.detail",
                "OUT_OF_RANGE",
                *sentence(
                    "detail is {detail}; it must be at most 16 (0: images are seen whole)", detail=self.detail
                ),
            )
        if self.channels != 3:
            yield Violation(
                f"{at}.channels",
                "UNSUPPORTED",
                *sentence(
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
                    *sentence(
                        "{name} must hold 3 finite numbers, one a channel; it holds {count}",
                        name=name,
                        count=len(values),
                    ),
                )
        if any(value <= 0 for value in self.std):
            yield Violation(
                f"{at}.std",
                "TOO_SMALL",
                *sentence("std divides the pixels; every value must be above 0"),
            )

    def _resolution_faults(self, at: str) -> Iterator[Violation]:
        ratio = self.max_aspect_ratio
        if not (math.isfinite(ratio) and (ratio == 0 or ratio >= 1)):
            yield Violation(
                f"{at}.max_aspect_ratio",
                "OUT_OF_RANGE",
                *sentence("max_aspect_ratio is {ratio}; it must be 0 (8) or at least 1", ratio=ratio),
            )
        if self.min_side > 30_000:
            yield Violation(
                f"{at}.min_side",
                "OUT_OF_RANGE",
                *sentence(
                    "min_side is {min_side} pixels; no image is larger than 30000", min_side=self.min_side
                ),
            )


@dataclass(frozen=True, slots=True)
class AlgorithmImage:
    """A named algorithm."""

    id: str
    kind: ImageKind | None
    """None only in a request without it."""
    task_type: TaskType | None
    display_name: str = ""
    description: str = ""
    production_environment: str | None = None
    """Its id; set exactly if the kind is BUSINESS."""
    create_time: datetime | None = None
    latest: ImageVersionNumber | None = None

    def faults(self) -> list[Violation]:
        """What is wrong with it as a new image."""
        faults = [
            *id_faults(self.id, "algorithm_image_id"),
            *text_faults(self.display_name, "algorithm_image.display_name", 200),
            *text_faults(self.description, "algorithm_image.description"),
        ]
        if self.kind is None:
            faults.append(_required("algorithm_image.kind", "GENERAL or BUSINESS"))
        if self.task_type is None:
            faults.append(
                _required("algorithm_image.task_type", "CLASSIFICATION or SEGMENTATION_CLASSIFICATION")
            )
        if self.kind is ImageKind.BUSINESS and self.production_environment is None:
            faults.append(
                Violation(
                    "algorithm_image.production_environment",
                    "REQUIRED",
                    *sentence("a business image is bound to a production environment; name one"),
                )
            )
        if self.kind is ImageKind.GENERAL and self.production_environment is not None:
            faults.append(
                Violation(
                    "algorithm_image.production_environment",
                    "NOT_ALLOWED",
                    *sentence(
                        "a general image has no production environment; leave it out or make it a "
                        "business image"
                    ),
                )
            )
        return faults


@dataclass(frozen=True, slots=True)
class AlgorithmImageVersion:
    """One immutable version."""

    image: str
    number: ImageVersionNumber
    input: InputSpecification
    classification_networks: tuple[str, ...] = ("ResNet18",)
    """The networks that W3's `classification.name` may take."""
    default_model_params: Mapping[str, Any] = field(default_factory=dict)
    default_training_params: Mapping[str, Any] = field(default_factory=dict)
    training_paths: tuple[str, ...] = ()
    """Names of the data paths that the algorithm itself was trained on (W4)."""
    description: str = ""
    create_time: datetime | None = None

    def faults(self) -> list[Violation]:
        """What is wrong with it as a new version."""
        faults = [*text_faults(self.description, "version.description"), *self.input.faults("version.input")]
        for name, value in (("major", self.number.major), ("minor", self.number.minor)):
            if value > MAX_NUMBER:
                faults.append(
                    Violation(
                        f"version.{name}",
                        "TOO_LARGE",
                        *sentence(
                            "{name} is {value}; the limit is {limit}",
                            name=name,
                            value=value,
                            limit=MAX_NUMBER,
                        ),
                    )
                )
        if not self.classification_networks:
            faults.append(_required("version.classification_networks", "at least one, such as ResNet18"))
        for index, network in enumerate(self.classification_networks):
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", network):
                faults.append(
                    Violation(
                        f"version.classification_networks[{index}]",
                        "BAD_NETWORK",
                        *sentence(
                            "{network} is not a network's name; use letters, digits, '_', '-'",
                            network=shown(network),
                        ),
                    )
                )
        return faults


def _required(at: str, choices: str) -> Violation:
    return Violation(
        at, "REQUIRED", *sentence("{field} is missing; give {choices}", field=at, choices=choices)
    )
