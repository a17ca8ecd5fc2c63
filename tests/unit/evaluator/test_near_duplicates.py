"""Near-duplicates under two labels (P4), against comparing every pair."""

import numpy as np
import pytest
import torch

from services.evaluator.application.near_duplicates import MAX_DISTANCE, find_near_duplicates
from services.vision.perceptual import perceptual_hashes


@pytest.mark.parametrize("seed", range(5))
def test_p4_the_nearest_under_another_label_is_found_as_by_comparing_all(seed):
    """Not all pairs are compared; no pair that is left out may be a near-duplicate."""
    random = np.random.default_rng(seed)
    originals = random.integers(0, 2, (20, 256))
    bits = originals[random.integers(0, 20, 120)] ^ (
        random.random((120, 256)) < random.choice([0, 0.01, 0.03])
    )
    labels = random.integers(0, 3, 120)
    distance = (bits[:, None] != bits[None]).sum(2) + 999 * (labels[:, None] == labels[None])
    nearest = distance.min(1)
    found = find_near_duplicates(np.packbits(bits, axis=1), labels)
    assert found.samples.tolist() == np.flatnonzero(nearest <= MAX_DISTANCE).tolist()
    assert found.distances.tolist() == nearest[found.samples].tolist()
    assert distance[found.samples, found.twins].tolist() == found.distances.tolist()


def test_p4_no_samples_have_no_near_duplicates():
    assert len(find_near_duplicates(np.zeros((0, 32), np.uint8), np.zeros(0, np.int64)).samples) == 0


def test_p4_a_hash_survives_brightness_and_knows_other_pictures():
    random = np.random.default_rng(0)
    pictures = random.integers(30, 200, (2, 64, 64, 3), np.uint8)
    pixels = np.stack([pictures[0], (pictures[0] * 0.9 + 10).astype(np.uint8), pictures[1]])
    hashes = perceptual_hashes(torch.from_numpy(pixels))
    assert hashes.shape == (3, 32)
    bits = np.bitwise_count(hashes[0] ^ hashes[1:]).sum(1)
    assert bits[0] <= MAX_DISTANCE < bits[1]
