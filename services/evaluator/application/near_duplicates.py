"""Finds near-duplicate pictures under two codes by their perceptual hashes (P4). No torch.

N samples; M groups of samples with the same hash and the same label.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.evaluator.domain.report import PERCEPTUAL_HASH_BYTES
from services.evaluator.domain.suspicion import HashedSample, NearDuplicate

MAX_DISTANCE = 12
"""Bits of 256. Measured on 1,344 photos of 222 magnetic tiles (`tests.bench look_alikes`): all 17 pairs
within this distance that are under two codes show one defect of one tile. Pairs of different tiles under two
codes begin at 15 bits (at 18 for photos of 64 px). Half of the pairs of one tile differ in 29 bits or more:
only almost equal photos are found."""
HASH_BITS = 8 * PERCEPTUAL_HASH_BYTES
_BAND_BITS = 16
"""Two hashes that differ in at most 15 bits agree in at least one of 16 bands."""
_NEIGHBOURS = 32
"""Groups compared with each group that has the same band. Uniform pictures share bands with many more; the
other bands separate those."""


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Samples with their nearest sample under another label, and the bits in which the two differ."""

    samples: NDArray[np.int64]
    """Indices into the arrays searched."""
    twins: NDArray[np.int64]
    distances: NDArray[np.int64]


def near_duplicates(samples: Sequence[HashedSample]) -> list[NearDuplicate]:
    """The samples of a report that have a near-duplicate under another code."""
    numbers: dict[str, int] = {}
    labels_N = np.array([numbers.setdefault(sample.true_code, len(numbers)) for sample in samples], np.int64)
    hashes = np.frombuffer(b"".join(sample.perceptual_hash for sample in samples), np.uint8)
    found = find_near_duplicates(hashes.reshape(len(samples), PERCEPTUAL_HASH_BYTES), labels_N)
    pairs = zip(found.samples.tolist(), found.twins.tolist(), found.distances.tolist(), strict=True)
    return [
        NearDuplicate(samples[index].ordinal, samples[twin].ordinal, distance)
        for index, twin, distance in pairs
    ]


def find_near_duplicates(
    hashes_N32: NDArray[np.uint8], labels_N: NDArray[np.int64], max_distance: int = MAX_DISTANCE
) -> NearDuplicates:
    """The samples that have a near-duplicate under another label.

    Shapes: hashes (N, 32) uint8, labels (N,) int64. `max_distance` is at most 15 bits.
    """
    if not len(hashes_N32):
        none = np.zeros(0, np.int64)
        return NearDuplicates(none, none, none)
    rows = np.concatenate([hashes_N32, labels_N.astype(">i8")[:, None].view(np.uint8)], axis=1)
    groups, example_M, group_N = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    words_M4 = np.ascontiguousarray(groups[:, :32]).view(np.uint64)
    bands_M16 = np.ascontiguousarray(groups[:, :32]).view(np.uint16)
    labels_M = labels_N[example_M]
    nearest_M = np.full(len(groups), max_distance + 1, np.int64)
    twin_M = np.full(len(groups), -1, np.int64)
    for band in range(HASH_BITS // _BAND_BITS):
        order = np.argsort(bands_M16[:, band], kind="stable")
        sorted_band = bands_M16[order, band]
        for step in range(1, min(len(order), _NEIGHBOURS + 1)):
            matches = np.flatnonzero(sorted_band[step:] == sorted_band[:-step])
            if not len(matches):
                break
            left, right = order[matches], order[matches + step]
            contradict = labels_M[left] != labels_M[right]
            left, right = left[contradict], right[contradict]
            distance = np.bitwise_count(words_M4[left] ^ words_M4[right]).sum(axis=1, dtype=np.int64)
            for group, twin in ((left, right), (right, left)):
                # Within a step a group occurs at most once on either side, so no assignment is lost.
                nearer = distance < nearest_M[group]
                nearest_M[group[nearer]] = distance[nearer]
                twin_M[group[nearer]] = twin[nearer]
    group_N = group_N.reshape(-1)
    samples = np.flatnonzero(twin_M[group_N] >= 0)
    group = group_N[samples]
    return NearDuplicates(samples, example_M[twin_M[group]], nearest_M[group])
