"""Holds the package of a trained model against the model itself, on every image of a folder.

    python -m tests.native tiles --weights FILE [--images FOLDER] [--every N]

Without a folder: ../shared/data/magnetic_tile, which not every machine has.
"""

import tempfile
from collections import Counter
from pathlib import Path

from services.evaluator.packaging.models import Named
from services.evaluator.packaging.package import build_package
from services.evaluator.packaging.verify import verify
from services.vision.images import FORMAT_OF_SUFFIX
from services.vision.weights import load_weights

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
        package = Path(temporary) / "package.zip"
        package.write_bytes(build_package(weights, Named("tiles", "v1.01")))
        found = verify(package, weights, images)
    codes = Counter(its.released_code for its in found.differences)
    ways = Counter(its.released_way for its in found.differences)
    print(f"{len(found.differences)} images: {dict(codes)} by {dict(ways)}")
    print(f"different codes: {len(found.other_codes)}")
    print(f"largest score difference: {found.largest_score_difference:.2e}")
    print(f"mask disagreement: {found.mask_disagreement:.2e} of the pixels")
    return 0 if found.agrees else 1
