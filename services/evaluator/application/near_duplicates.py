"""Pictures that look alike under two labels, found by their hashes (P4). No torch.

N samples, M kinds: samples of one hash and one label.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_DISTANCE = 12
"""Of 256 bits. Of 1,344 photos of 222 magnetic tiles all 17 pairs within it that lie under two codes show
one tile with one defect; pairs of two tiles under two codes begin at 15 bits (at 18 where photos are 64 px).
Half of all pairs of one tile differ in 29 bits and more: what is found is almost the same photo."""
HASH_BITS = 256
_BAND_BITS = 16
"""Two hashes that differ in no more than 15 bits have at least one of 16 bands in common."""
_NEIGHBOURS = 32
"""Kinds compared within a band. Where more share one, as flat pictures do, other bands part them."""


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """For each sample that has one: the nearest sample under another label, and the bits they differ in."""

    samples: NDArray[np.int64]
    twins: NDArray[np.int64]
    distances: NDArray[np.int64]


def look_alikes(
    hashes_N32: NDArray[np.uint8], labels_N: NDArray[np.int64], max_distance: int = MAX_DISTANCE
) -> LookAlikes:
    """The near-duplicates under two labels; `max_distance` at most 15."""
    if not len(hashes_N32):
        none = np.zeros(0, np.int64)
        return LookAlikes(none, none, none)
    rows = np.concatenate([hashes_N32, labels_N.astype(">i8")[:, None].view(np.uint8)], axis=1)
    kinds, first_M, kind_N = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    words_M4 = np.ascontiguousarray(kinds[:, :32]).view(np.uint64)
    bands_M16 = np.ascontiguousarray(kinds[:, :32]).view(np.uint16)
    labels_M = labels_N[first_M]
    nearest_M = np.full(len(kinds), max_distance + 1, np.int64)
    twin_M = np.full(len(kinds), -1, np.int64)
    for band in range(HASH_BITS // _BAND_BITS):
        order = np.argsort(bands_M16[:, band], kind="stable")
        sorted_band = bands_M16[order, band]
        for step in range(1, min(len(order), _NEIGHBOURS + 1)):
            together = np.flatnonzero(sorted_band[step:] == sorted_band[:-step])
            if not len(together):
                break
            one, other = order[together], order[together + step]
            apart = labels_M[one] != labels_M[other]
            one, other = one[apart], other[apart]
            distance = np.bitwise_count(words_M4[one] ^ words_M4[other]).sum(axis=1, dtype=np.int64)
            for kind, twin in ((one, other), (other, one)):
                # Within a step every kind occurs once on either side.
                nearer = distance < nearest_M[kind]
                nearest_M[kind[nearer]] = distance[nearer]
                twin_M[kind[nearer]] = twin[nearer]
    kind_N = kind_N.reshape(-1)
    samples = np.flatnonzero(twin_M[kind_N] >= 0)
    kind = kind_N[samples]
    return LookAlikes(samples, first_M[twin_M[kind]], nearest_M[kind])
