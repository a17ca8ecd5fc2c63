"""Confidences that say how often predictions with them are right (E5).

A network is surer of its answers than it is right, because it is trained until it is sure. Two numbers mend
that, each fitted on the validation split: the temperature by which the classifier's logits are divided (Guo
et al., On calibration of modern neural networks, 2017), and the steepness with which a margin over a
threshold becomes a confidence. Neither changes what is predicted.

What is made least is the Brier score: the squared difference of the confidences and what came true. The
likelihood, which Guo et al. use, depends on single samples: a wrong label of which the network is certain
costs as much as many others together (docs/decisions/0108). Where few samples were judged, or none wrongly,
the score alone would claim certainty. So a temperature is taken to be what it usually is until samples say
otherwise, and where n decisions were all right, the next one is taken to be right in n + 1 of n + 2 cases
(Platt, Probabilistic outputs for support vector machines, 1999).

N samples, C classes.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_TEMPERATURES = (0.05, 20.0)
_VARIANCE = 0.1
"""Of what came true around the confidences: how much a sample counts beside the prior."""
_USUAL, _SPREAD = 1.4, 0.3
"""Temperature before a sample is seen, and the deviation of its logarithm."""
_STEEPNESSES = (0.01, 100.0)
"""Of a margin that is the median of the margins."""
_GRID = 17
_GOLDEN = (5**0.5 - 1) / 2
_SECTIONS = 32


def fit_temperature(logits_NC: NDArray[np.float64], classes_N: NDArray[np.int64]) -> float:
    """What to divide logits by, given the true classes; 1 without a sample. Between 0.05 and 20."""
    if not len(logits_NC):
        return 1.0
    shifted_NC = logits_NC - logits_NC.max(axis=1, keepdims=True)
    true_NC = np.eye(logits_NC.shape[1])[classes_N]

    def loss(temperature: float) -> float:
        likely_NC = np.exp(shifted_NC / temperature)
        likely_NC /= likely_NC.sum(axis=1, keepdims=True)
        brier = float(((likely_NC - true_NC) ** 2).sum()) / 2
        return brier / (2 * _VARIANCE) + float(np.log(temperature / _USUAL) / _SPREAD) ** 2 / 2

    return _least(loss, *_TEMPERATURES)


def fit_steepness(
    margin_N: NDArray[np.float64], right_N: NDArray[np.bool_], share_N: NDArray[np.float64] | None = None
) -> float:
    """The k > 0 by which a margin m > 0 over a threshold is the confidence 1 / (1 + exp(-k·m)).

    `right_N` says which of the decisions are right. With `share_N`, the confidence that the classifier had in
    the same codes, that part of the rest is added to the confidence. 1 without a sample.
    """
    if not len(margin_N):
        return 1.0
    shares_N = np.zeros(len(margin_N)) if share_N is None else share_N
    right, wrong = int(right_N.sum()), int((~right_N).sum())
    target_N = np.where(right_N, (right + 1) / (right + 2), 1 / (wrong + 2))

    def loss(steepness: float) -> float:
        doubt_N = (1 - shares_N) / (1 + np.exp(np.minimum(steepness * margin_N, 500.0)))
        return float(((1 - doubt_N - target_N) ** 2).sum())

    unit = max(float(np.median(margin_N)), 1e-9)
    return _least(loss, *(bound / unit for bound in _STEEPNESSES))


def scaled(tensors: Mapping[str, Tensor], factor: float) -> dict[str, Tensor]:
    """A classifier's tensors with its logits times a factor; its features stay as they are."""
    return {
        name: tensor * factor if name in {"fc.weight", "fc.bias"} else tensor
        for name, tensor in tensors.items()
    }


def _least(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where a loss is least between two positive bounds; 1 if that is between them and nothing is better.

    A coarse grid of logarithms, then golden sections around its best point.
    """
    grid = np.linspace(np.log(low), np.log(high), _GRID)
    best = int(np.argmin([loss(float(np.exp(at))) for at in grid]))
    left, right = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _GRID - 1)])
    for _ in range(_SECTIONS):
        width = _GOLDEN * (right - left)
        if loss(float(np.exp(right - width))) <= loss(float(np.exp(left + width))):
            right = left + width
        else:
            left = right - width
    found = float(np.exp((left + right) / 2))
    return 1.0 if low <= 1.0 <= high and loss(1.0) <= loss(found) else found
