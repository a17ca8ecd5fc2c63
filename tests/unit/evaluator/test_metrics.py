"""Figures that engineers release by, checked against scikit-learn where it defines them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from services.evaluator.measuring.metrics import measure, threshold_view, wilson

CODES = ["A", "B", "C", "D"]
pairs = st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(CODES)), max_size=60)


@settings(max_examples=200, deadline=None)
@given(pairs)
def test_figures_are_scikit_learns(rows):
    """Every term means what it means in the field, also where codes are absent or never predicted."""
    true, predicted = [row[0] for row in rows], [row[1] for row in rows]
    result = measure(true, predicted, CODES)
    assert result.samples == len(rows)
    if not rows:
        assert (result.accuracy, result.macro_precision, result.macro_recall, result.macro_f1) == (None,) * 4
        return
    assert result.accuracy == pytest.approx(reference.accuracy_score(true, predicted))
    assert (result.confusion == reference.confusion_matrix(true, predicted, labels=CODES)).all()
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        true, predicted, labels=CODES, zero_division=np.nan
    )
    for row, *expected in zip(result.per_code, precision, recall, f1, support, strict=True):
        found = [np.nan if its is None else its for its in (row.precision, row.recall, row.f1)]
        if row.support and not row.predicted:
            assert row.f1 == 0  # scikit-learn leaves it undefined, the definition 2c/(s+p) does not
        else:
            assert found == pytest.approx(expected[:3], nan_ok=True)
        assert row.support == expected[3]
    with_samples = [code for code in CODES if code in true]
    macro = reference.precision_recall_fscore_support(
        true, predicted, labels=with_samples, average="macro", zero_division=0
    )
    assert (result.macro_precision, result.macro_recall, result.macro_f1) == pytest.approx(macro[:3])


def test_what_is_not_defined_is_none_and_never_a_made_up_zero():
    """A code without samples in the validation split has no recall; 0 would read as a failure."""
    result = measure(["A", "A"], ["A", "B"], CODES)
    absent, wrongly = result.per_code[2], result.per_code[1]
    assert (absent.precision, absent.recall, absent.f1, absent.recall_interval) == (None, None, None, None)
    assert (wrongly.precision, wrongly.recall) == (0.0, None)
    assert result.macro_recall == 0.5


def test_codes_beyond_the_list_have_rows_too():
    """A question bank may hold a code that the model does not know: its samples are misjudged, not lost."""
    result = measure(["A", "Z"], ["A", "A"], ["A", "B"])
    assert [row.code for row in result.per_code] == ["A", "B", "Z"]
    assert result.per_code[2].recall == 0
    assert result.accuracy == 0.5


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 2000), st.floats(0, 1))
def test_wilsons_interval_holds_the_share_and_stays_in_range(trials, share):
    successes = round(share * trials)
    interval = wilson(successes, trials)
    assert interval
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


def test_the_threshold_view_trades_recall_for_precision():
    """E2: what would go to a human, and what would then be right."""
    true, predicted = ["A", "A", "A", "B"], ["A", "A", "B", "A"]
    points = threshold_view(true, predicted, [0.9, 0.5, 0.8, 0.6], "A", [0.0, 0.7, 0.95])
    assert [(its.precision, its.recall, its.to_human) for its in points] == [
        (pytest.approx(2 / 3), pytest.approx(2 / 3), 0.0),
        (1.0, pytest.approx(1 / 3), pytest.approx(1 / 3)),
        (None, 0.0, 1.0),
    ]
