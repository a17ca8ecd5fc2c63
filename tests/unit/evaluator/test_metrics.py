"""The figures of a report, checked against scikit-learn, torchmetrics and SciPy (E1, E2)."""

import importlib
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest
from sklearn import metrics as reference

from services.evaluator.domain.metrics import (
    ConfidenceCount,
    Metrics,
    measure_counts,
    measure_pixels,
    measure_thresholds,
    wilson,
)
from services.evaluator.domain.report import ANY_DEFECT, PixelCounts
from services.vision.networks import _torchvision_models
from services.vision.pixel_labels import Agreement, agreement

# torchmetrics imports torchvision, which beside a CPU torch is imported with help only.
_torchvision_models()
other_reference = importlib.import_module("torchmetrics.functional.classification")

CODES = ["A", "B", "C", "D"]
pairs = st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(CODES)), max_size=60)
masks = arrays(np.uint8, (5, 7), elements=st.integers(0, len(CODES)))
EMPTY, FULL = np.zeros((5, 7), np.uint8), np.full((5, 7), 2, np.uint8)


def nan_for_none(values):
    return [np.nan if value is None else value for value in values]


def measure(rows, codes=CODES) -> Metrics:
    """The figures of (true, predicted) rows."""
    counted = Counter(rows)
    return measure_counts([[counted[true, predicted] for predicted in codes] for true in codes], codes)


@settings(max_examples=50, deadline=None)
@given(pairs)
@example([])
@example([("A", "A")])
@example([("A", "B")])
@example([("A", "B"), ("B", "C"), ("C", "A"), ("D", "C")])  # all wrong
@example([("A", "A"), ("C", "C")])  # two codes absent
@example([("A", "D"), ("A", "D"), ("B", "D")])  # one code silent, one only named
def test_figures_are_scikit_learns(rows):
    """Every term has its standard meaning, also for codes that are absent or never predicted."""
    true, predicted = [row[0] for row in rows], [row[1] for row in rows]
    result = measure(rows)
    assert result.samples == len(rows)
    if not rows:
        assert (result.accuracy, result.macro_precision, result.macro_recall, result.macro_f1) == (None,) * 4
        return
    assert result.accuracy == pytest.approx(reference.accuracy_score(true, predicted))
    assert (np.array(result.confusion) == reference.confusion_matrix(true, predicted, labels=CODES)).all()
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        true, predicted, labels=CODES, zero_division=np.nan
    )
    for row, *expected in zip(result.per_code, precision, recall, f1, support, strict=True):
        found = nan_for_none((row.precision, row.recall, row.f1))
        if not row.support:
            assert found == pytest.approx([np.nan] * 3, nan_ok=True)  # scikit-learn's precision may be 0
        elif not row.predicted:
            assert row.f1 == 0  # scikit-learn leaves it undefined, the definition 2c/(s+p) does not
        else:
            assert found == pytest.approx(expected[:3], nan_ok=True)
        assert row.support == expected[3]
    with_samples = [code for code in CODES if code in true]
    macro = reference.precision_recall_fscore_support(
        true, predicted, labels=with_samples, average="macro", zero_division=0
    )
    assert (result.macro_precision, result.macro_recall, result.macro_f1) == pytest.approx(macro[:3])


@settings(max_examples=50, deadline=None)
@given(pairs.filter(bool))
@example([("A", "A")])
@example([("A", "B")])
@example([("A", "B"), ("B", "C"), ("C", "A"), ("D", "C")])
@example([("A", "A"), ("C", "C")])
def test_figures_are_torchmetrics(rows):
    """A second reference, independent of scikit-learn. It returns 0 where our figure is None."""
    result = measure(rows)
    target, predicted = (torch.tensor([CODES.index(row[side]) for row in rows]) for side in (0, 1))
    options = {"num_classes": len(CODES), "average": None}
    for ours, theirs in (
        ("precision", other_reference.multiclass_precision),
        ("recall", other_reference.multiclass_recall),
        ("f1", other_reference.multiclass_f1_score),
    ):
        expected = theirs(predicted, target, **options).double().numpy()
        assert [getattr(row, ours) or 0.0 for row in result.per_code] == pytest.approx(expected)
    assert result.accuracy == pytest.approx(
        float(other_reference.multiclass_accuracy(predicted, target, num_classes=len(CODES), average="micro"))
    )
    confusion = other_reference.multiclass_confusion_matrix(predicted, target, num_classes=len(CODES))
    assert (np.array(result.confusion) == confusion.numpy()).all()


def test_undefined_figures_are_none_and_never_0():
    """A code without samples in the validation split has no figures, predicted or not.

    0 would read as a failure. One that occurs and was never predicted is without precision: 0 in the mean.
    """
    result = measure([("A", "A"), ("A", "B"), ("D", "A")])
    for absent in result.per_code[1:3]:
        assert (absent.precision, absent.recall, absent.f1) == (None, None, None)
        assert (absent.precision_interval, absent.recall_interval) == (None, None)
    silent = result.per_code[3]
    assert (silent.precision, silent.recall, silent.f1) == (None, 0.0, 0.0)
    assert (result.macro_precision, result.macro_recall) == (0.25, 0.25)


def test_a_code_that_the_model_does_not_know_has_a_row_too():
    """A question bank may hold such a code: its samples are misjudged, not lost."""
    result = measure([("A", "A"), ("Z", "A")], ["A", "B", "Z"])
    assert [row.code for row in result.per_code] == ["A", "B", "Z"]
    assert result.per_code[2].recall == 0
    assert result.accuracy == 0.5


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 20000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@example((0, 1))
@example((1, 1))
@example((12, 12))
def test_wilsons_interval_is_scipys(counted):
    """E1: the interval contains the share; its bounds are exact for no and for only successes."""
    successes, trials = counted
    interval = wilson(successes, trials)
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert interval
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= interval.low <= successes / trials <= interval.high <= 1


def test_wilsons_interval_is_wilsons():
    """The worked values of Newcombe (1998), method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for successes, trials, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        interval = wilson(successes, trials)
        assert interval
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-5)
    assert wilson(0, 0) is None


def thresholds_of(rows, thresholds):
    """The view of (true, predicted, confidence) rows, counted as the database counts them."""
    counted = Counter(
        (true, predicted, sum(confidence >= threshold for threshold in thresholds))
        for true, predicted, confidence in rows
    )
    cells = [ConfidenceCount(*cell, samples) for cell, samples in counted.items()]
    return measure_thresholds(cells, CODES, thresholds)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(CODES), st.floats(0, 1)), max_size=40),
    st.lists(st.floats(0, 1), min_size=1, max_size=5, unique=True).map(sorted),
)
@example([], [0.0, 0.5])
@example([("A", "A", 0.5)], [0.5])  # a confidence at the threshold is kept
@example([("A", "B", 1.0), ("B", "A", 0.0)], [0.0, 1.0])  # all wrong
@example([("A", "A", 0.1), ("B", "B", 0.2)], [0.9])  # all to a human
def test_the_threshold_view_is_scikit_learns_at_every_threshold(rows, thresholds):
    """E2: predictions below the threshold count as not made; accuracy is of the samples kept."""
    view = thresholds_of(rows, thresholds)
    if not rows:
        nothing = {
            (item.precision, item.recall, item.to_human) for item in (*view.overall, *view.per_code[0])
        }
        assert nothing == {(None, None, None)}
        return
    true, predicted = ([row[side] for row in rows] for side in (0, 1))
    sure = np.array([row[2] for row in rows], np.float64)
    for position, threshold in enumerate(thresholds):
        kept = sure >= threshold
        said = [code if keep else "" for code, keep in zip(predicted, kept, strict=True)]
        precision, recall, _, support = reference.precision_recall_fscore_support(
            true, said, labels=CODES, zero_division=np.nan
        )
        for code, points in enumerate(view.per_code):
            point = points[position]
            assert nan_for_none((point.precision, point.recall)) == pytest.approx(
                (precision[code] if support[code] else np.nan, recall[code]), nan_ok=True
            )
            of_code = np.array([true_code == CODES[code] for true_code in true], bool)
            if support[code]:
                assert point.to_human == pytest.approx(1 - kept[of_code].mean())
            else:
                assert point.to_human is None
        overall = view.overall[position]
        right = np.array([a == b for a, b in zip(true, predicted, strict=True)], bool)
        assert nan_for_none([overall.precision]) == pytest.approx(
            [right[kept].mean() if kept.any() else np.nan], nan_ok=True
        )
        assert overall.to_human == pytest.approx(1 - kept.mean())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=4))
@example([(EMPTY, EMPTY)])
@example([(EMPTY, FULL)])
@example([(FULL, EMPTY)])
@example([(FULL, FULL)])
@example([(FULL, (FULL > 0).astype(np.uint8))])  # the region is right, its code is wrong
def test_iou_is_scikit_learns_and_torchmetrics(samples):
    """E1: IoU over the pixels of all samples: per code, their mean, and any defect against the background."""
    codes = len(CODES)
    pixels = [agreement(truth, predicted) for truth, predicted in samples]
    result = measure_pixels(
        [
            PixelCounts(code, counts.intersection, counts.truth, counts.predicted)
            for label, code in enumerate((ANY_DEFECT, *CODES))
            for counts in [sum((of_sample.get(label, Agreement()) for of_sample in pixels), Agreement())]
        ]
    )
    truth, predicted = (np.concatenate([masks[side].ravel() for masks in samples]) for side in (0, 1))

    per_code = reference.jaccard_score(
        truth, predicted, labels=range(1, codes + 1), average=None, zero_division=0
    )
    defined = [code for code in range(1, codes + 1) if code in truth or code in predicted]
    expected = [per_code[code - 1] if code in defined else np.nan for code in range(1, codes + 1)]
    assert nan_for_none(pixels.iou for pixels in result.per_code) == pytest.approx(expected, nan_ok=True)
    mean = np.mean([expected[code - 1] for code in defined]) if defined else np.nan
    assert nan_for_none([result.mean_iou]) == pytest.approx([mean], nan_ok=True)

    theirs = other_reference.multiclass_jaccard_index(
        torch.from_numpy(predicted).long(),
        torch.from_numpy(truth).long(),
        num_classes=codes + 1,
        average=None,
    )
    assert [pixels.iou or 0.0 for pixels in result.per_code] == pytest.approx(theirs[1:].double().numpy())

    if truth.any() or predicted.any():
        assert result.defect.iou == pytest.approx(reference.jaccard_score(truth > 0, predicted > 0))
        binary = other_reference.binary_jaccard_index(
            torch.from_numpy(predicted > 0), torch.from_numpy(truth > 0)
        )
        assert result.defect.iou == pytest.approx(float(binary))
    else:
        assert result.defect.iou is None


def test_a_report_without_samples_has_no_figures():
    """A report without a usable sample can be read like any other."""
    result = measure([])
    assert (result.accuracy, result.accuracy_interval, result.macro_f1) == (None, None, None)
    assert measure_pixels([PixelCounts(code, 0, 0, 0) for code in (ANY_DEFECT, *CODES)]).mean_iou is None
