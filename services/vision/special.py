"""Special defects without segmentation (S2): near enough to a rare code, rather than a softmax class.

The features are those before the classifier's last layer, each as its square root: some fire rarely and
strongly, and until that is evened out means and covariances say little (Tukey's ladder of powers, as in Yang
et al., Free lunch for few-shot learning, 2021; docs/benchmarks/special.md). Every code, ordinary or
special, has a mean; all share one within-code covariance, because a rare code has too few samples for one of
its own, shrunk towards a multiple of the identity (Ledoit and Wolf, 2004). A sample is special when its
squared Mahalanobis distance to the nearest special mean, less that to the nearest ordinary mean, lies under a
threshold calibrated on the validation split.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_POWER = 0.5


@dataclass(frozen=True)
class SpecialRule:
    """Feature statistics and the threshold; part of the weights."""

    codes: tuple[str, ...]
    """The special codes that have statistics, in the order of `code_list`."""
    special_means_SF: Floats
    ordinary_means_CF: Floats
    precision_FF: Floats
    """Inverse of the shrunk shared covariance."""
    threshold: float
    scale: float
    """Spread of the score around the threshold: turns it into a confidence."""
    power: float = 1.0
    """Of the features, before all else. 1 in weights that do not say."""

    def decide(self, features_NF: Floats) -> tuple[Ints, Floats]:
        """Per sample: index into `codes`, -1 where the softmax decides; and how surely it is special.

        The confidence is 0.5 at the threshold and above it exactly where the sample is special.
        """
        special_NS, score_N = self._scores(_raised(features_NF, self.power))
        confidence_N = 1 / (1 + np.exp(np.clip((score_N - self.threshold) / self.scale, -50, 50)))
        return np.where(score_N < self.threshold, special_NS.argmin(axis=1), -1), confidence_N

    def _scores(self, features_NF: Floats) -> tuple[Floats, Floats]:
        special_NS = _squared_distances(features_NF, self.special_means_SF, self.precision_FF)
        ordinary_NC = _squared_distances(features_NF, self.ordinary_means_CF, self.precision_FF)
        return special_NS, special_NS.min(axis=1) - ordinary_NC.min(axis=1)

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """The statistics as float32 arrays, for the weights container."""
        return {
            "special_means": self.special_means_SF.astype(np.float32),
            "ordinary_means": self.ordinary_means_CF.astype(np.float32),
            "precision": self.precision_FF.astype(np.float32),
        }

    def to_json(self) -> dict[str, Any]:
        """What goes with the arrays."""
        return {
            "codes": list(self.codes),
            "threshold": self.threshold,
            "scale": self.scale,
            "power": self.power,
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[np.float32]], value: Mapping[str, Any]
    ) -> "SpecialRule":
        """What `to_arrays` and `to_json` said."""
        return cls(
            codes=tuple(value["codes"]),
            special_means_SF=arrays["special_means"].astype(np.float64),
            ordinary_means_CF=arrays["ordinary_means"].astype(np.float64),
            precision_FF=arrays["precision"].astype(np.float64),
            threshold=float(value["threshold"]),
            scale=float(value["scale"]),
            power=float(value.get("power", 1.0)),
        )


def fit(  # noqa: PLR0913, PLR0917 - two sides of a split, and what the codes mean
    train_NF: Floats,
    train_codes_N: Ints,
    validation_NF: Floats,
    validation_codes_N: Ints,
    code_list: tuple[str, ...],
    num_of_classes: int,
) -> SpecialRule | None:
    """The rule for the special codes that have a training sample; None where none has one.

    Codes are indices into `code_list`; those from `num_of_classes` on are special.
    """
    special = [code for code in range(num_of_classes, len(code_list)) if (train_codes_N == code).any()]
    ordinary = [code for code in range(num_of_classes) if (train_codes_N == code).any()]
    if not special or not ordinary:
        return None
    train_NF, validation_NF = _raised(train_NF, _POWER), _raised(validation_NF, _POWER)
    means = {code: train_NF[train_codes_N == code].mean(axis=0) for code in special + ordinary}
    known = np.isin(validation_codes_N, list(means))
    # Of both sides: what a network was taught lies closer to its mean than what is new to it.
    residuals_NF = np.concatenate(
        [
            side_NF - np.stack([means[code] for code in codes_N.tolist()])
            for side_NF, codes_N in (
                (train_NF, train_codes_N),
                (validation_NF[known], validation_codes_N[known]),
            )
            if len(codes_N)
        ]
    )
    rule = SpecialRule(
        codes=tuple(code_list[code] for code in special),
        special_means_SF=np.stack([means[code] for code in special]),
        ordinary_means_CF=np.stack([means[code] for code in ordinary]),
        precision_FF=np.asarray(np.linalg.inv(shrunk_covariance(residuals_NF)), np.float64),
        threshold=0.0,
        scale=1.0,
        power=_POWER,
    )
    # A code without validation samples is calibrated on its training samples: optimistic, but better than a
    # guess.
    unseen = [code for code in special if not (validation_codes_N == code).any()]
    borrowed = np.isin(train_codes_N, unseen)
    _, score_N = rule._scores(np.concatenate([validation_NF, train_NF[borrowed]]))  # noqa: SLF001 - its own module
    is_special_N = np.concatenate([validation_codes_N, train_codes_N[borrowed]]) >= num_of_classes
    threshold = best_threshold(score_N, is_special_N)
    return replace(rule, threshold=threshold, scale=max(float(np.abs(score_N - threshold).mean()) / 3, 1e-6))


def _raised(features_NF: Floats, power: float) -> Floats:
    """Each to a power, with its sign."""
    return np.copysign(np.abs(features_NF) ** power, features_NF)


def shrunk_covariance(residuals_NF: Floats) -> Floats:
    """Covariance of centred rows, shrunk towards its mean variance by Ledoit and Wolf's intensity.

    Source: Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices, 2004.
    """
    count, width = residuals_NF.shape
    covariance = residuals_NF.T @ residuals_NF / count
    variance = float(np.trace(covariance)) / width
    target = variance * np.eye(width)
    distance = float(((covariance - target) ** 2).sum())
    if distance <= 1e-12 * max(variance, 1e-12) ** 2:
        return np.asarray(target + 1e-6 * np.eye(width), np.float64)
    # Mean squared distance of each sample's outer product to the covariance, without forming N of them.
    fourth = float(((residuals_NF**2).sum(axis=1) ** 2).mean())
    spread = (fourth - float((covariance**2).sum())) / count
    intensity = min(1.0, max(spread / distance, 1e-3))
    return np.asarray((1 - intensity) * covariance + (intensity + 1e-6) * target, np.float64)


def _squared_distances(features_NF: Floats, means_KF: Floats, precision_FF: Floats) -> Floats:
    """Squared Mahalanobis distances (N, K)."""
    projected_NF = features_NF @ precision_FF
    own_N = (projected_NF * features_NF).sum(axis=1)
    means_K = ((means_KF @ precision_FF) * means_KF).sum(axis=1)
    return np.asarray(own_N[:, None] - 2 * projected_NF @ means_KF.T + means_K)


def best_threshold(score_N: Floats, is_special_N: NDArray[np.bool_]) -> float:
    """Where special against ordinary has the best F1; the middle of the gap, and of equals the strictest."""
    order = np.argsort(score_N, kind="stable")
    scores, special = score_N[order], is_special_N[order]
    if not special.any():
        return float(scores[0]) - 1.0 if len(scores) else -1.0
    found = np.cumsum(special)
    flagged = np.arange(1, len(scores) + 1)
    f1 = 2 * found / (flagged + special.sum())
    separable = np.append(np.diff(scores) > 0, True)
    best = int(np.argmax(np.where(separable, f1, -1)))
    beyond = scores[best + 1] if best + 1 < len(scores) else scores[best] + 1.0
    return float((scores[best] + beyond) / 2)
