"""Downsampling of a loss curve to the points that a plot can show (rule M4).

Shapes: N points of a curve; indices (N,) int64, losses (N,) float32.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LossesN = NDArray[np.float32]
IterationsN = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Curve:
    """A network's curve, or a range of it.

    `total_points`: the number of points before downsampling; `is_thinned`: fewer than that are kept.
    """

    attempt: int
    iterations: IterationsN
    losses: LossesN
    total_points: int
    validation: list[tuple[int, float]]
    is_thinned: bool = False


def extremes_kept(losses_N: LossesN, max_points: int) -> IterationsN:  # noqa: N803 -- names carry shapes
    """Indices of at most `max_points` points, ascending: first, last, minimum and maximum of each bucket.

    0 keeps all points; otherwise `max_points` is at least 4. A NaN counts as the maximum of its bucket, so
    that it stays visible.
    """
    count = len(losses_N)
    if max_points == 0 or count <= max_points:
        return np.arange(count, dtype=np.int64)
    buckets = (max_points - 2) // 2
    inner = count - 2
    # All buckets have the same size except the last, so that they are rows of one array.
    size = -(-inner // buckets)
    padding = size * (-(-inner // size)) - inner
    # NaN becomes infinity, and infinity the largest float64, so that NaN is the maximum.
    limit = float(np.finfo(np.float64).max)
    ordered = np.nan_to_num(losses_N[1:-1].astype(np.float64), nan=np.inf, posinf=limit, neginf=-limit)
    least = np.pad(ordered, (0, padding), constant_values=np.inf).reshape(-1, size)
    largest = np.pad(ordered, (0, padding), constant_values=-np.inf).reshape(-1, size)
    starts = np.arange(len(least), dtype=np.int64) * size + 1
    chosen = np.concatenate(
        ([0], starts + least.argmin(axis=1), starts + largest.argmax(axis=1), [count - 1])
    )
    return np.unique(np.minimum(chosen, count - 1)).astype(np.int64)
