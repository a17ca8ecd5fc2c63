"""Counting samples."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.evaluator.domain.metrics import measure, measure_counts
from services.evaluator.domain.report import SampleResult, Tally, Verdict

CODES = ("A", "B", "C")


def result(true: str, predicted: str, confidence: float) -> SampleResult:
    verdict = Verdict.CORRECT if true == predicted else Verdict.MISJUDGED
    return SampleResult("f", "p", "s", true, verdict, predicted, confidence)


@given(
    st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(CODES), st.floats(0, 1)), max_size=60),
    st.floats(0, 0.99),
)
def test_counting_one_by_one_is_measuring_all(
    predictions: list[tuple[str, str, float]], threshold: float
) -> None:
    """The report keeps counts instead of samples in memory; its numbers must not depend on that."""
    tally = Tally(CODES, threshold)
    for prediction in predictions:
        tally.add(result(*prediction))
    counts = tally.counts()
    confusion = np.array(counts.confusion, np.int64).reshape(3, 3)
    counted = measure_counts(confusion, CODES)
    measured = measure([p[0] for p in predictions], [p[1] for p in predictions], CODES)
    assert counted.per_code == measured.per_code
    assert (counted.accuracy, counted.macro_f1) == (measured.accuracy, measured.macro_f1)
    assert counts.below_threshold_count == sum(p[2] < threshold for p in predictions)


def test_what_is_nonconforming_is_in_no_other_number() -> None:
    """A sample that nobody looked at is neither right nor wrong; its code need not even be known."""
    tally = Tally(CODES, 0.9)
    for code in ("A", "A", "UNKNOWN"):
        tally.add(SampleResult("f", "p", "s", code, Verdict.NONCONFORMING, reason="EMPTY"))
    counts = tally.counts()
    assert counts.nonconforming_count == 3
    assert counts.nonconforming_by_code == (2, 0, 0)
    assert sum(counts.confusion) == 0
    assert counts.below_threshold_count == 0
