"""Checks that a package predicts what the released model predicts, on the same images (X3).

Imports torch: for a worker's child or a process of its own, not for a service.

    python -m services.evaluator.worker.packaging.verify PACKAGE WEIGHTS [--local-library]<'["a.png", …]'

With --local-library the package's networks run in the library that this machine built; the package's own
library is not loaded.
"""

import hashlib
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from loupe.artifact import Artifact, ArtifactError
from loupe.artifact import Prediction as PackagePrediction

from services.evaluator.worker.measuring.predict import NotPredicted, Prediction, predict
from services.evaluator.worker.packaging import native_library
from services.evaluator.worker.packaging.faults import CannotBuild
from services.vision.faults import Fault
from services.vision.images import decode
from services.vision.pack import PackCache
from services.vision.samples import DirectoryObjects, Sample
from services.vision.weights import Weights, load_weights

SCORE_TOLERANCE = 1e-4
MASK_TOLERANCE = 1e-3
_BATCH = 16


@dataclass(frozen=True)
class Difference:
    """How the two predictions of one image differ."""

    image: Path
    released_code: str
    package_code: str | None
    released_way: str
    package_way: str
    package_confidence: float
    score: float
    """The largest over all codes."""
    mask_pixels: int
    """Pixels whose labels differ."""
    mask_size: int
    """Pixels of the mask; 0 without a segmentation network."""


@dataclass(frozen=True)
class Verification:
    """The result of a comparison."""

    differences: tuple[Difference, ...]
    unreadable: tuple[tuple[Path, str], ...]
    """Images that cannot be decoded, and why."""

    @property
    def other_codes(self) -> tuple[Difference, ...]:
        """Images that got different codes."""
        return tuple(image for image in self.differences if image.released_code != image.package_code)

    @property
    def largest_score_difference(self) -> float:
        """Over all images and codes."""
        return max((image.score for image in self.differences), default=0.0)

    @property
    def mask_disagreement(self) -> float:
        """The share of all masks' pixels whose labels differ."""
        pixels = sum(image.mask_size for image in self.differences)
        return sum(image.mask_pixels for image in self.differences) / pixels if pixels else 0.0

    @property
    def agrees(self) -> bool:
        """At least one image; equal codes, scores within 1e-4, masks within 0.1 % of the pixels."""
        return (
            bool(self.differences)
            and not self.other_codes
            and self.largest_score_difference <= SCORE_TOLERANCE
            and self.mask_disagreement <= MASK_TOLERANCE
        )


def verify(
    package: Path, weights: Weights, images: Sequence[Path], *, library: Path | None = None
) -> Verification:
    """Predicts with both. The package's filter of resolutions must be off, or its images conform.

    Runs the library in the package, which must be trusted, unless another `library` is given.

    Raises ArtifactError for a package that does not open, and Fault for weights that do not predict.
    """
    differences: list[Difference] = []
    unreadable: list[tuple[Path, str]] = []
    released = zip(images, _released(weights, images), strict=True)
    with Artifact(package, library=library) as artifact:
        while batch := list(islice(released, _BATCH)):
            readable = [(path, result) for path, result in batch if isinstance(result, Prediction)]
            unreadable += [
                (path, result.message) for path, result in batch if isinstance(result, NotPredicted)
            ]
            if not readable:
                continue
            predicted = artifact.predict_batch([decode(path.read_bytes()) for path, _ in readable])
            differences += [
                _difference(path, expected, found)
                for (path, expected), found in zip(readable, predicted, strict=True)
            ]
    return Verification(tuple(differences), tuple(unreadable))


def _released(weights: Weights, paths: Sequence[Path]) -> Iterator[Prediction | NotPredicted]:
    samples = [
        Sample(name=str(path), code="", sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        for path in paths
    ]
    files = {f"samples/{sample.sha256}": path for sample, path in zip(samples, paths, strict=True)}
    with tempfile.TemporaryDirectory(prefix="loupe-verify-") as folder:
        objects, packs = DirectoryObjects(Path(folder), files), PackCache(Path(folder) / "packs")
        yield from predict(weights, samples, objects, packs, batch_size=_BATCH, stop_if_asked=lambda: None)


def _difference(path: Path, released: Prediction, package: PackagePrediction) -> Difference:
    scores = dict(released.ranked)
    score_differences = [abs(score - scores.get(code, 0.0)) for code, score in package.scores.items()]
    differing = size = 0
    if released.labels_HW is not None and package.mask_HW is not None:
        differing = int(np.count_nonzero(released.labels_HW != package.mask_HW))
        size = released.labels_HW.size
    elif (released.labels_HW is None) != (package.mask_HW is None):
        differing = size = 1  # only one of them has a mask: they are not the same model
    return Difference(
        path,
        released.predicted,
        package.code,
        released.decided_by,
        package.way,
        package.confidence,
        max(score_differences) if all(map(math.isfinite, score_differences)) else math.inf,
        differing,
        size,
    )


def main() -> int:
    """Prints the comparison as JSON, for `loupe verify`. 1 with a sentence on stderr if it fails."""
    package, weights = (Path(argument) for argument in sys.argv[1:3])
    images = [Path(path) for path in json.load(sys.stdin)]
    try:
        library = native_library.library() if "--local-library" in sys.argv[3:] else None
        verification = verify(package, load_weights(weights), images, library=library)
    except (ArtifactError, CannotBuild, Fault) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command
        return 1
    result = {
        "agrees": verification.agrees,
        "images": len(verification.differences),
        "unreadable": [{"image": str(path), "message": why} for path, why in verification.unreadable],
        "otherCodes": [
            {"image": str(image.image), "released": image.released_code, "package": image.package_code}
            for image in verification.other_codes
        ],
        "largestScoreDifference": verification.largest_score_difference,
        "scoreTolerance": SCORE_TOLERANCE,
        "maskDisagreement": verification.mask_disagreement,
        "maskTolerance": MASK_TOLERANCE,
    }
    json.dump(result, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
