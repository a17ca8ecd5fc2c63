"""How fast a network was trained, and what that says of another input size (W14)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Self

from services.input_specification import InputSpecification
from services.scheduler.domain.job import Network

# Each step also has work that does not grow with the pixels; beyond this ratio it could decide the number.
_MOST_PIXEL_RATIO = 16


@dataclass(frozen=True, slots=True, order=True)
class InputSize:
    """What of an input specification decides how long a training image takes."""

    width: int
    height: int
    detail: int

    @classmethod
    def of(cls, specification: InputSpecification) -> Self:
        """Of an image version."""
        return cls(specification.width, specification.height, specification.detail)

    def pixels(self, network: Network) -> float:
        """Of one training input: a whole image, or the window of one that the network is trained on."""
        magnified = self.detail / 2 if network is Network.SEGMENTATION and self.detail > 1 else 1
        return self.width * self.height * magnified**2


@dataclass(frozen=True, slots=True)
class MeasuredThroughput:
    """Images/s of the latest trainings of a network with one compute resource and one input size."""

    network: Network
    size: InputSize
    images_per_s: tuple[float, ...]

    def at(self, size: InputSize) -> float:
        """The median in images/s; for another size an estimate, in inverse proportion to the pixels."""
        return median(self.images_per_s) * self.size.pixels(self.network) / size.pixels(self.network)


def nearest_size(sizes: Iterable[InputSize], wanted: InputSize, network: Network) -> InputSize | None:
    """The size from which the wanted one is estimated best: that of the nearest number of pixels.

    None where the nearest one has more than 16 times as many, or as few.
    """

    def distance(size: InputSize) -> float:
        return abs(math.log(size.pixels(network) / wanted.pixels(network)))

    # Of equally near ones the larger: what does not grow with the pixels is a smaller part of it.
    found = min(sizes, key=lambda size: (distance(size), -size.pixels(network), size), default=None)
    return found if found and distance(found) <= math.log(_MOST_PIXEL_RATIO) + 1e-9 else None
