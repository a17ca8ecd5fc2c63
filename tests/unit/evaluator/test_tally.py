"""Counting samples."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

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
