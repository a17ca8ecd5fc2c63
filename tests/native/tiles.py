"""Holds the package of a trained model against the model itself, on every image of a folder.

Through the Python wrapper scores and masks; by the C example in a root of its own codes and confidences.

    python -m tests.native tiles --weights FILE [--images FOLDER] [--every N]

Without a folder: ../shared/data/magnetic_tile, which not every machine has.
"""

import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import cv2
from loupe.image_files import FORMAT_OF_SUFFIX, decode

from services.evaluator.packaging.models import Named
from services.evaluator.packaging.package import build_package
from services.evaluator.packaging.verify import Verification, verify
from services.vision.weights import load_weights
from tests.support.bare_root import build_example, can_change_root, classify_in_bare_root

TILES = Path(__file__).resolve().parents[3] / "shared" / "data" / "magnetic_tile"


def compare(weights_path: Path, folder: Path, every: int) -> int:
    """Prints what differs at most; 0 where both agree, 2 where there are no images."""
    images = sorted(
        path
        for path in folder.glob("*/*")
        if path.suffix in FORMAT_OF_SUFFIX
        and not (path.suffix == ".png" and any(path.with_suffix(its).exists() for its in (".jpg", ".bmp")))
    )[::every]
    if not images:
        print(f"there are no images in {folder}")
        return 2
    weights = load_weights(weights_path)
    with tempfile.TemporaryDirectory(prefix="loupe-tiles-") as temporary:
        folder = Path(temporary)
        package = folder / "package.zip"
        package.write_bytes(build_package(weights, Named("tiles", "v1.01")))
        found = verify(package, weights, images)
        in_c = _in_c(folder, found) if can_change_root() else None
    codes = Counter(its.released_code for its in found.differences)
    ways = Counter(its.released_way for its in found.differences)
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
    """How many images the C example judges otherwise."""
    with zipfile.ZipFile(folder / "package.zip") as archive:
        archive.extractall(folder / "package")
    build_example(folder)
    pictures = []
    for number, its in enumerate(found.differences):
        pictures.append(folder / f"{number}.ppm")
        cv2.imwrite(str(pictures[-1]), decode(its.image.read_bytes())[..., ::-1])
    told = classify_in_bare_root(folder, pictures)
    expected = [
        [picture.name, its.package_code, f"{its.package_confidence:.6f}"]
        for picture, its in zip(pictures, found.differences, strict=True)
    ]
    return sum(line[:3] != its for line, its in zip(told, expected, strict=True))
