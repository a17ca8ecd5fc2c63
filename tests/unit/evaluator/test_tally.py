"""Counting samples."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluator.domain.errors import ReportInvalid
from services.evaluator.domain.report import SampleResult, Verdict
from services.evaluator.domain.tally import Tally

CODES = ("A", "B", "C")


def result(true: str, predicted: str, confidence: float) -> SampleResult:
    verdict = Verdict.CORRECT if true == predicted else Verdict.MISJUDGED
    return SampleResult("f", "p", "s", true, verdict, predicted, confidence)


@given(
    st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(CODES), st.floats(0, 1)), max_size=60),
    st.floats(0, 0.99),
)
def test_counts_are_of_all_samples(predictions: list[tuple[str, str, float]], threshold: float) -> None:
    """A report keeps counts instead of samples in memory; its figures follow from these counts alone."""
    tally = Tally(CODES, threshold)
    for prediction in predictions:
        tally.add(result(*prediction))
    counts = tally.counts()
    cells = Counter((true, predicted) for true, predicted, _ in predictions)
    assert counts.confusion == tuple(cells[true, predicted] for true in CODES for predicted in CODES)
    assert counts.below_threshold_count == sum(p[2] < threshold for p in predictions)


@given(
    st.lists(
        st.tuples(st.sampled_from(CODES), st.sampled_from(CODES), st.floats(0, 1), st.floats(0, 1)),
        max_size=60,
    )
)
def test_e5_confidences_are_counted_in_fifteen_bins(predictions: list[tuple[str, str, float, float]]) -> None:
    """Every judged sample is in one bin, with calibration and without; 1 is in the last."""
    tally = Tally(CODES, 0.0)
    for true, predicted, confidence, before in predictions:
        tally.add(replace(result(true, predicted, confidence), uncalibrated_confidence=before))
    counts = tally.counts()
    for at, bins in ((2, counts.confidence_bins), (3, counts.uncalibrated_bins)):
        borders = [number / 15 for number in range(15)] + [1.0000001]
        for low, high, counted in zip(borders[:-1], borders[1:], bins, strict=True):
            inside = [its for its in predictions if low <= its[at] < high]
            assert counted.samples == len(inside)
            assert counted.correct == sum(its[0] == its[1] for its in inside)
            assert abs(counted.confidence - sum(its[at] for its in inside)) < 1e-9


def test_e5_without_calibration_nothing_is_claimed_of_before() -> None:
    """One sample of weights from before calibration: the others would be no fair comparison."""
    tally = Tally(CODES, 0.0)
    tally.add(replace(result("A", "A", 0.9), uncalibrated_confidence=0.99))
    tally.add(result("A", "B", 0.6))
    tally.add(replace(result("A", "A", 0.9), uncalibrated_confidence=0.99))
    counts = tally.counts()
    assert sum(its.samples for its in counts.confidence_bins) == 3
    assert counts.uncalibrated_bins == ()
    with pytest.raises(ReportInvalid, match="uncalibrated_confidence"):
        tally.add(replace(result("A", "A", 0.9), uncalibrated_confidence=1.5))


def test_nonconforming_samples_are_in_no_other_count() -> None:
    """A sample that was not judged is neither right nor wrong; its code may even be unknown."""
    tally = Tally(CODES, 0.9)
    for code in ("A", "A", "UNKNOWN"):
        tally.add(SampleResult("f", "p", "s", code, Verdict.NONCONFORMING, reason="EMPTY"))
    counts = tally.counts()
    assert counts.nonconforming_count == 3
    assert counts.nonconforming_by_code == (2, 0, 0)
    assert sum(counts.confusion) == 0
    assert counts.below_threshold_count == 0
