"""The figures of a report, computed from its counts (E1, E2). `definitions.py` says what each one means.

What is not defined is None, never a made-up 0: precision, recall and F1 of a code without samples, and the
precision of a code that was never predicted. The F1 of a code that has samples and was never predicted is 0.

Macro figures are means over the codes that have samples. Macro precision counts a code that was never
predicted as 0, as scikit-learn does (zero_division=0): a model must not gain by never predicting a code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt

from services.evaluator.domain.report import EvaluationReport, PixelCounts

DEFAULT_THRESHOLDS = (*(hundredth / 100 for hundredth in range(100)), 0.999)
"""The confidences of a good model are close to 1: a threshold of 1.00 would send almost all to a human."""
_Z_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval of a share."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CodeMetrics:
    """The figures of one code."""

    code: str
    support: int
    predicted: int
    """Samples that were predicted as the code."""
    correct: int
    precision: float | None
    precision_interval: Interval | None
    recall: float | None
    recall_interval: Interval | None
    f1: float | None

    @property
    def misjudged(self) -> int:
        """Samples of the code that were predicted as another one."""
        return self.support - self.correct


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures over all samples, and of each code."""

    samples: int
    correct: int
    accuracy: float | None
    accuracy_interval: Interval | None
    macro_precision: float | None
    macro_recall: float | None
    macro_f1: float | None
    per_code: tuple[CodeMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    """[i][j]: samples of the i-th code predicted as the j-th; codes in the order of `per_code`."""

    @property
    def majority_share(self) -> float | None:
        """The accuracy of always predicting the most frequent code."""
        return _share(max((code.support for code in self.per_code), default=0), self.samples)


@dataclass(frozen=True, slots=True)
class ConfidenceCount:
    """Samples of one cell of the confusion matrix whose confidence reaches the same thresholds."""

    true_code: str
    predicted_code: str
    reached: int
    """How many of the ascending thresholds the confidence reaches."""
    samples: int


@dataclass(frozen=True, slots=True)
class ThresholdPoint:
    """The figures if predictions below a confidence threshold went to a human (E2)."""

    precision: float | None
    """Of the predictions that the model keeps; over all codes this is the accuracy of the samples kept."""
    recall: float | None
    to_human: float | None
    """Share of the samples (of the code) whose confidence is below the threshold."""


@dataclass(frozen=True, slots=True)
class ThresholdView:
    """Points in the order of `thresholds`, codes in the order of the report."""

    thresholds: tuple[float, ...]
    overall: tuple[ThresholdPoint, ...]
    per_code: tuple[tuple[ThresholdPoint, ...], ...]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The figures over pixels of masks."""

    defect: PixelCounts
    """Any defect against the background."""
    per_code: tuple[PixelCounts, ...]
    mean_iou: float | None


@dataclass(frozen=True, slots=True)
class MeasuredReport:
    """A report and its figures. Figures are computed when a report is read; only counts are stored."""

    report: EvaluationReport
    metrics: Metrics
    segmentation: Segmentation | None
    """None where no sample has a true mask."""

    @classmethod
    def of(cls, report: EvaluationReport) -> "MeasuredReport":
        """Compute the figures of a report."""
        codes, counts = report.header.code_list, report.counts
        rows = [
            counts.confusion[start : start + len(codes)] for start in range(0, len(codes) ** 2, len(codes))
        ]
        return cls(
            report,
            measure_counts(rows, codes),
            measure_pixels(counts.pixels) if counts.pixel_sample_count else None,
        )


def measure_counts(confusion: Sequence[Sequence[int]], codes: Sequence[str]) -> Metrics:
    """The figures of a confusion matrix: [true][predicted], both in the order of `codes`."""
    per_code = tuple(
        _code_metrics(
            code,
            support=sum(confusion[position]),
            predicted=sum(row[position] for row in confusion),
            correct=confusion[position][position],
        )
        for position, code in enumerate(codes)
    )
    supported = [row for row in per_code if row.support]
    samples, correct = sum(row.support for row in per_code), sum(row.correct for row in per_code)
    return Metrics(
        samples=samples,
        correct=correct,
        accuracy=_share(correct, samples),
        accuracy_interval=wilson(correct, samples),
        macro_precision=_mean([row.precision or 0.0 for row in supported]),
        macro_recall=_mean([row.recall or 0.0 for row in supported]),
        macro_f1=_mean([row.f1 or 0.0 for row in supported]),
        per_code=per_code,
        confusion=tuple(tuple(row) for row in confusion),
    )


def wilson(successes: int, trials: int) -> Interval | None:
    """Wilson's score interval, 95 %; None without trials. Source: Wilson, JASA 22 (1927) 209-212."""
    if trials == 0:
        return None
    share, z2 = successes / trials, _Z_95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z_95 * sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    # With no success, or with nothing else, the bound is exact; rounding must not move it.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return Interval(low, 1.0 if successes == trials else min(1.0, centre + half))


def measure_thresholds(
    counted: Iterable[ConfidenceCount], codes: Sequence[str], thresholds: Sequence[float]
) -> ThresholdView:
    """The figures at each threshold (E2). `thresholds` ascend; every sample is in one of `counted`."""
    kept, predicted, correct = (
        {code: [0] * (len(thresholds) + 1) for code in codes} for _ in ("kept", "predicted", "correct")
    )
    for cell in counted:
        kept[cell.true_code][cell.reached] += cell.samples
        predicted[cell.predicted_code][cell.reached] += cell.samples
        if cell.true_code == cell.predicted_code:
            correct[cell.true_code][cell.reached] += cell.samples
    all_kept = _sums(kept)
    return ThresholdView(
        tuple(thresholds),
        # Over all codes, each sample that is kept is predicted as one of them.
        overall=_points(_sums(correct), all_kept, all_kept),
        per_code=tuple(_points(correct[code], predicted[code], kept[code]) for code in codes),
    )


def measure_pixels(counts: Sequence[PixelCounts]) -> Segmentation:
    """The figures of pixels summed over samples: of any defect, then of each code.

    Source: Everingham et al., PASCAL VOC, segmentation accuracy.
    """
    defect, *per_code = counts
    return Segmentation(
        defect, tuple(per_code), _mean([pixels.iou for pixels in per_code if pixels.iou is not None])
    )


def _points(
    correct: Sequence[int], predicted: Sequence[int], kept: Sequence[int]
) -> tuple[ThresholdPoint, ...]:
    """A point for each threshold, from samples by the number of thresholds that they reach.

    `correct` and `predicted` are of samples predicted as a code, `kept` of samples that truly have it.
    """
    samples = sum(kept)
    return tuple(
        ThresholdPoint(
            precision=_share(hits, predictions if samples else 0),
            recall=_share(hits, samples),
            to_human=_share(samples - remaining, samples),
        )
        for hits, predictions, remaining in zip(*map(_reaching, (correct, predicted, kept)), strict=True)
    )


def _reaching(exactly: Sequence[int]) -> Sequence[int]:
    """How many samples reach each threshold; `exactly[n]` reach the lowest n of them and no more."""
    return list(accumulate(reversed(exactly)))[-2::-1]


def _sums(by_code: Mapping[str, Sequence[int]]) -> Sequence[int]:
    return [sum(column) for column in zip(*by_code.values(), strict=True)]


def _code_metrics(code: str, *, support: int, predicted: int, correct: int) -> CodeMetrics:
    # Predictions of a code without samples are all wrong, however good the model is: they say nothing of it.
    judged = predicted if support else 0
    return CodeMetrics(
        code=code,
        support=support,
        predicted=predicted,
        correct=correct,
        precision=_share(correct, judged),
        precision_interval=wilson(correct, judged),
        recall=_share(correct, support),
        recall_interval=wilson(correct, support),
        f1=_share(2 * correct, support + judged),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
