"""Compares the package of a trained model with the model itself, on every image of a folder.

Scores and masks through the Python wrapper; codes and confidences by the C example in a root of its own.

    python -m tests.native tiles --weights FILE [--images FOLDER] [--every N]

Without a folder: the magnetic tiles, which not every machine has.
"""

import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import cv2

from services.evaluator.worker.packaging.models import PackageName
from services.evaluator.worker.packaging.package import build_package
from services.evaluator.worker.packaging.verify import Verification, verify
from services.vision.images import FORMAT_OF_SUFFIX, decode
from services.vision.weights import load_weights
from tests.support.bare_root import build_example, can_change_root, classify_in_bare_root

TILES = Path(__file__).resolve().parents[3] / "shared" / "data" / "magnetic_tile"


def compare(weights_path: Path, folder: Path, every: int) -> int:
    """Prints the largest differences. 0 if both agree, 2 if there are no images."""
    images = sorted(
        path
        for path in folder.glob("*/*")
        if path.suffix in FORMAT_OF_SUFFIX
        and not (
            path.suffix == ".png" and any(path.with_suffix(suffix).exists() for suffix in (".jpg", ".bmp"))
        )
    )[::every]
    if not images:
        print(f"there are no images in {folder}")
        return 2
    weights = load_weights(weights_path)
    with tempfile.TemporaryDirectory(prefix="loupe-tiles-") as temporary:
        folder = Path(temporary)
        package = folder / "package.zip"
        package.write_bytes(build_package(weights, PackageName("tiles", "v1.01")))
        found = verify(package, weights, images)
        in_c = _in_c(folder, found) if can_change_root() else None
    codes = Counter(image.released_code for image in found.differences)
    ways = Counter(image.released_way for image in found.differences)
    print(f"{len(found.differences)} images: {dict(codes)} by {dict(ways)}")
    print(f"different codes: {len(found.other_codes)}")
    print(f"largest score difference: {found.largest_score_difference:.2e}")
    print(f"mask disagreement: {found.mask_disagreement:.2e} of the pixels")
    if in_c is None:
        print("the C example was not tried: changing the root needs root, or user namespaces")
        return 0 if found.agrees else 1
    print(f"the C example in a root of its own: {in_c} images with another code or confidence than in Python")
    return 0 if found.agrees and not in_c else 1


def _in_c(folder: Path, found: Verification) -> int:
    """Number of images for which the C example prints another code or confidence."""
    with zipfile.ZipFile(folder / "package.zip") as archive:
        archive.extractall(folder / "package")
    build_example(folder)
    pictures = []
    for number, image in enumerate(found.differences):
        pictures.append(folder / f"{number}.ppm")
        cv2.imwrite(str(pictures[-1]), decode(image.image.read_bytes())[..., ::-1])
    printed = classify_in_bare_root(folder, pictures)
    expected = [
        [picture.name, image.package_code, f"{image.package_confidence:.6f}"]
        for picture, image in zip(pictures, found.differences, strict=True)
    ]
    return sum(line[:3] != words for line, words in zip(printed, expected, strict=True))
