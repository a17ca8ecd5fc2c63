"""What a report says of predictions (E1, E2). numpy alone.

Words. The accuracy is the share of samples whose prediction is their code. A code's precision is the share of
its predictions that were right, its recall the share of its samples that were found, its F1 the harmonic mean
of both, its support the number of its samples. Macro means the plain mean over codes.

IoU is the intersection of the true and the predicted mask over their union, in pixels summed over all samples
first; its mean is over the codes that occur in either mask, without the background.

What is not defined is None, never a made-up 0: precision of a code never predicted, recall of a code without
samples, F1 where both are missing. F1 of a code with samples but without a prediction is 0. Macro precision
takes the codes that have samples and counts a never predicted one as 0, as scikit-learn does: no model may
gain by keeping silent. Macro recall and F1 take the codes that have samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

_Z_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval of a share."""

    low: float
    high: float


@dataclass(frozen=True)
class CodeMetrics:
    """One row of the per-code table."""

    code: str
    support: int
    predicted: int
    """How often the code was predicted."""
    correct: int
    precision: float | None
    precision_interval: Interval | None
    recall: float | None
    recall_interval: Interval | None
    f1: float | None


@dataclass(frozen=True)
class Metrics:
    """The whole of a report's figures."""

    samples: int
    correct: int
    accuracy: float | None
    accuracy_interval: Interval | None
    macro_precision: float | None
    macro_recall: float | None
    macro_f1: float | None
    per_code: tuple[CodeMetrics, ...]
    confusion: NDArray[np.int64]
    """[i, j]: samples of the i-th code predicted as the j-th; codes in the order of `per_code`."""


@dataclass(frozen=True)
class ThresholdPoint:
    """Figures if predictions under a confidence went to a human (E2)."""

    precision: float | None
    """Of what the model keeps; overall that is its accuracy there."""
    recall: float | None
    to_human: float | None
    """Share of the samples (of the code) whose prediction is under the threshold, whatever it says."""


@dataclass(frozen=True)
class ThresholdView:
    """Points in the order of `thresholds`, codes in the report's."""

    thresholds: tuple[float, ...]
    overall: tuple[ThresholdPoint, ...]
    per_code: tuple[tuple[ThresholdPoint, ...], ...]


@dataclass(frozen=True)
class IntersectionOverUnion:
    """How two masks agree, from sums over samples."""

    intersection: int
    truth: int
    predicted: int

    @property
    def value(self) -> float | None:
        """In [0, 1]; None where neither mask has a pixel."""
        return _share(self.intersection, self.truth + self.predicted - self.intersection)


@dataclass(frozen=True)
class Segmentation:
    """What a report says of masks."""

    defect: IntersectionOverUnion
    """Any defect against the background."""
    per_code: tuple[IntersectionOverUnion, ...]
    mean_iou: float | None


def measure(true: Sequence[str], predicted: Sequence[str], codes: Sequence[str]) -> Metrics:
    """Figures over samples; `codes` gives the order, codes that appear beyond it follow by name."""
    if len(true) != len(predicted):
        raise ValueError(f"{len(true)} codes but {len(predicted)} predictions")
    names = [*codes, *sorted({*true, *predicted} - set(codes))]
    index = {code: position for position, code in enumerate(names)}
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, ([index[code] for code in true], [index[code] for code in predicted]), 1)
    return measure_counts(confusion, names)


def measure_counts(confusion: NDArray[np.int64], codes: Sequence[str]) -> Metrics:
    """Figures over samples counted before: `confusion[true, predicted]`, in the order of `codes`."""
    per_code = tuple(_code_metrics(code, position, confusion) for position, code in enumerate(codes))
    supported = [row for row in per_code if row.support]
    samples, correct = int(confusion.sum()), int(np.trace(confusion))
    return Metrics(
        samples=samples,
        correct=correct,
        accuracy=_share(correct, samples),
        accuracy_interval=wilson(correct, samples),
        macro_precision=_mean([row.precision or 0.0 for row in supported]),
        macro_recall=_mean([row.recall or 0.0 for row in supported]),
        macro_f1=_mean([row.f1 or 0.0 for row in supported]),
        per_code=per_code,
        confusion=confusion,
    )


def wilson(successes: int, trials: int) -> Interval | None:
    """Wilson's score interval, 95 %; None without trials. Source: Wilson, JASA 22 (1927) 209-212."""
    if trials == 0:
        return None
    share, z2 = successes / trials, _Z_95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z_95 * sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    # At the ends the bound is exact; rounding must not push it past.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return Interval(low, 1.0 if successes == trials else min(1.0, centre + half))


def measure_thresholds(histogram: NDArray[np.int64], thresholds: Sequence[float]) -> ThresholdView:
    """What each threshold would leave to the model (E2).

    `histogram[true, predicted, n]` counts the samples whose confidence reaches exactly `n` of the thresholds,
    which ascend. Shape: (codes, codes, thresholds + 1).
    """
    # […, t]: samples that reach threshold t.
    kept = histogram[:, :, ::-1].cumsum(axis=2)[:, :, ::-1][:, :, 1:]
    support = histogram.sum(axis=(1, 2))
    kept_of_code, predicted, correct = kept.sum(axis=1), kept.sum(axis=0), np.einsum("iit->it", kept)
    return ThresholdView(
        tuple(thresholds),
        # Overall, what is said is what is kept.
        overall=_points(
            correct.sum(axis=0), kept_of_code.sum(axis=0), kept_of_code.sum(axis=0), support.sum()
        ),
        per_code=tuple(
            _points(correct[code], predicted[code], kept_of_code[code], whole)
            for code, whole in enumerate(support)
        ),
    )


def count_pixels(
    truth_HW: NDArray[np.uint8], predicted_HW: NDArray[np.uint8], codes: int
) -> NDArray[np.int64]:
    """How two masks agree: rows of (intersection, truth, predicted), first of any defect, then of each code.

    Shapes: both (H, W) in 0..codes, 0 = background. Returns (1 + codes, 3), to be summed over samples.
    """
    pairs = np.bincount(
        truth_HW.ravel().astype(np.int64) * (codes + 1) + predicted_HW.ravel(), minlength=(codes + 1) ** 2
    )
    joint = pairs.reshape(codes + 1, codes + 1)
    counts = np.stack([joint.diagonal(), joint.sum(axis=1), joint.sum(axis=0)], axis=1)
    background = counts[0].copy()
    counts[0] = joint[1:, 1:].sum(), joint.sum() - background[1], joint.sum() - background[2]
    return counts


def measure_pixels(counts: NDArray[np.int64]) -> Segmentation:
    """Figures over pixels summed before, as `count_pixels` counts them.

    Source: Everingham et al., PASCAL VOC, segmentation accuracy.
    """
    defect, *per_code = (IntersectionOverUnion(*row) for row in counts.tolist())
    return Segmentation(
        defect, tuple(per_code), _mean([its.value for its in per_code if its.value is not None])
    )


def _points(
    right_T: NDArray[np.int64], said_T: NDArray[np.int64], kept_T: NDArray[np.int64], whole: np.int64
) -> tuple[ThresholdPoint, ...]:
    return tuple(
        ThresholdPoint(
            precision=_share(right, said),
            recall=_share(right, int(whole)),
            to_human=_share(int(whole) - kept, int(whole)),
        )
        for right, said, kept in zip(right_T.tolist(), said_T.tolist(), kept_T.tolist(), strict=True)
    )


def _code_metrics(code: str, position: int, confusion: NDArray[np.int64]) -> CodeMetrics:
    support, predicted = int(confusion[position].sum()), int(confusion[:, position].sum())
    correct = int(confusion[position, position])
    return CodeMetrics(
        code=code,
        support=support,
        predicted=predicted,
        correct=correct,
        precision=_share(correct, predicted),
        precision_interval=wilson(correct, predicted),
        recall=_share(correct, support),
        recall_interval=wilson(correct, support),
        f1=_share(2 * correct, support + predicted),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
