"""Algorithm images (not pictures): algorithms whose versions define how models are trained (W2)."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from loupe.errors import Violation
from loupe.translation import sentence

from services.input_specification import InputSpecification
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
                    sentence("a business image is bound to a production environment; name one"),
                )
            )
        if self.kind is ImageKind.GENERAL and self.production_environment is not None:
            faults.append(
                Violation(
                    "algorithm_image.production_environment",
                    "NOT_ALLOWED",
                    sentence(
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
                        sentence(
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
                        sentence(
                            "{network} is not a network's name; use letters, digits, '_', '-'",
                            network=shown(network),
                        ),
                    )
                )
        return faults


def _required(at: str, choices: str) -> Violation:
    return Violation(
        at, "REQUIRED", sentence("{field} is missing; give {choices}", field=at, choices=choices)
    )
