"""Whether a package says what the released model says: both predict the same images (X3).

Imports torch: for a worker's child or a process of its own, never a service.

    python -m services.evaluator.packaging.verify PACKAGE WEIGHTS [--local-library] < '["image.png", …]'

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
from loupe.image_files import decode

from services.evaluator.measuring.predict import NotPredicted, Prediction, predict
from services.evaluator.packaging import native_library
from services.evaluator.packaging.faults import CannotBuild
from services.vision.faults import Fault
from services.vision.pack import PackCache
from services.vision.samples import DirectoryObjects, Sample
from services.vision.weights import Weights, load_weights

SCORE_TOLERANCE = 1e-4
MASK_TOLERANCE = 1e-3
_BATCH = 16


@dataclass(frozen=True)
class Difference:
    """Of one image."""

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
    """What came of comparing them."""

    differences: tuple[Difference, ...]
    unreadable: tuple[tuple[Path, str], ...]
    """Images that neither could judge, and why."""

    @property
    def other_codes(self) -> tuple[Difference, ...]:
        """Images that got different codes."""
        return tuple(its for its in self.differences if its.released_code != its.package_code)

    @property
    def largest_score_difference(self) -> float:
        """Over all images and codes."""
        return max((its.score for its in self.differences), default=0.0)

    @property
    def mask_disagreement(self) -> float:
        """The share of all masks' pixels whose labels differ."""
        pixels = sum(its.mask_size for its in self.differences)
        return sum(its.mask_pixels for its in self.differences) / pixels if pixels else 0.0

    @property
    def agrees(self) -> bool:
        """Whether it may be loaded: images, and the same codes, scores within 1e-4, masks within 0.1 %."""
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
        while together := list(islice(released, _BATCH)):
            readable = [(path, its) for path, its in together if isinstance(its, Prediction)]
            unreadable += [(path, its.message) for path, its in together if isinstance(its, NotPredicted)]
            if not readable:
                continue
            predicted = artifact.predict_batch([decode(path.read_bytes()) for path, _ in readable])
            differences += [
                _difference(path, its, other) for (path, its), other in zip(readable, predicted, strict=True)
            ]
    return Verification(tuple(differences), tuple(unreadable))


def _released(weights: Weights, paths: Sequence[Path]) -> Iterator[Prediction | NotPredicted]:
    samples = [
        Sample(name=str(path), code="", sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        for path in paths
    ]
    files = {f"samples/{its.sha256}": path for its, path in zip(samples, paths, strict=True)}
    with tempfile.TemporaryDirectory(prefix="loupe-verify-") as folder:
        objects, packs = DirectoryObjects(Path(folder), files), PackCache(Path(folder) / "packs")
        yield from predict(weights, samples, objects, packs, batch_size=_BATCH, stop_if_asked=lambda: None)


def _difference(path: Path, released: Prediction, package: PackagePrediction) -> Difference:
    scores = dict(released.ranked)
    away = [abs(score - scores.get(code, 0.0)) for code, score in package.scores.items()]
    differs = size = 0
    if released.labels_HW is not None and package.mask_HW is not None:
        differs = int(np.count_nonzero(released.labels_HW != package.mask_HW))
        size = released.labels_HW.size
    elif (released.labels_HW is None) != (package.mask_HW is None):
        differs = size = 1  # one of them has a mask, the other none: they are not the same model
    return Difference(
        path,
        released.predicted,
        package.code,
        released.decided_by,
        package.way,
        package.confidence,
        max(away) if all(map(math.isfinite, away)) else math.inf,
        differs,
        size,
    )


def main() -> int:
    """Compares; what `loupe verify` tells, as JSON. 1 with a sentence on stderr where it cannot."""
    package, weights = (Path(argument) for argument in sys.argv[1:3])
    images = [Path(path) for path in json.load(sys.stdin)]
    try:
        library = native_library.library() if "--local-library" in sys.argv[3:] else None
        result = verify(package, load_weights(weights), images, library=library)
    except (ArtifactError, CannotBuild, Fault) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command
        return 1
    told = {
        "agrees": result.agrees,
        "images": len(result.differences),
        "unreadable": [{"image": str(path), "message": why} for path, why in result.unreadable],
        "otherCodes": [
            {"image": str(its.image), "released": its.released_code, "package": its.package_code}
            for its in result.other_codes
        ],
        "largestScoreDifference": result.largest_score_difference,
        "scoreTolerance": SCORE_TOLERANCE,
        "maskDisagreement": result.mask_disagreement,
        "maskTolerance": MASK_TOLERANCE,
    }
    json.dump(told, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
