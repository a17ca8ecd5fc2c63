"""How far apart photos of one part are, and of two: `python -m tests.bench look_alikes`, on magnetic tiles.

Each tile was photographed about six times; some tiles are under two codes. What may be called a
near-duplicate under two codes follows from where pairs of different tiles begin.
"""

from typing import Any

import numpy as np
import torch
from loupe.folders import read_folder
from loupe.image_files import decode
from numpy.typing import NDArray

from services.evaluator.application.near_duplicates import HASH_BITS
from services.input_specification import InputSpecification
from services.vision.perceptual import perceptual_hashes
from services.vision.preprocessing import resize
from tests.bench.special import TILES

_SIZES_PX = (64, 192)
"""The seeded image's input, and what it magnifies to."""
_SHOWN_BITS = (8, 10, 12, 14, 15, 20, 30)


def measure() -> dict[str, Any]:
    """Pairs of photos by their distance; nothing where the tiles are not."""
    if not TILES.is_dir():
        return {"skipped": f"{TILES} is not there"}
    samples = read_folder(TILES).samples
    parts = np.array([sample.group for sample in samples])
    codes = np.array([sample.code for sample in samples])
    one, other = np.triu_indices(len(samples), 1)
    same_part, same_code = parts[one] == parts[other], codes[one] == codes[other]
    kinds = {
        "one tile": same_part,
        "two tiles": ~same_part,
        "one tile, two codes": same_part & ~same_code,
        "two tiles, two codes": ~same_part & ~same_code,
    }
    figures: dict[str, Any] = {}
    for size_px in _SIZES_PX:
        specification = InputSpecification(size_px, size_px)
        pictures = [resize(decode(sample.image.read_bytes()), specification) for sample in samples]
        distance = _distances(perceptual_hashes(torch.from_numpy(np.stack(pictures))))[one, other]
        figures[f"{size_px} px"] = {
            name: {
                "pairs": int(kind.sum()),
                "nearest, median": [int(distance[kind].min()), int(np.median(distance[kind]))],
                "within bits": {bits: int((distance[kind] <= bits).sum()) for bits in _SHOWN_BITS},
            }
            for name, kind in kinds.items()
        }
    return figures


def _distances(hashes_N32: NDArray[np.uint8]) -> NDArray[np.int16]:
    words = hashes_N32.view(np.uint64)
    distance = np.zeros((len(words), len(words)), np.int16)
    for row, word in enumerate(words):
        distance[row] = np.bitwise_count(word ^ words).sum(axis=1)
    assert distance.max() <= HASH_BITS
    return distance
