"""Two reports on one bank (P2): a difference of three samples is not significant."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from services.evaluator.domain.comparison import Change, Conclusion, Pair, compare, require_common_codes
from services.evaluator.domain.errors import NotComparable
from services.evaluator.domain.report import EvaluationReport, ReportHeader, ReportKind, Verdict
from services.evaluator.domain.significance import holm, mcnemar_p
from services.evaluator.domain.tally import Tally

RIGHT, WRONG, ASIDE = Verdict.CORRECT, Verdict.MISJUDGED, Verdict.NONCONFORMING


def report(number: int, codes=("A", "B"), num_of_classes=2) -> EvaluationReport:
    header = ReportHeader(
        job="jobs/1",
        fencing_token=1,
        kind=ReportKind.PREDICTION,
        task="tasks/1",
        model_version="",
        weights_sha256="",
        code_list=codes,
        num_of_classes=num_of_classes,
        confidence_threshold=0.0,
    )
    return EvaluationReport(
        UUID(int=number), header, datetime(2026, 1, 1, tzinfo=UTC), Tally(codes, 0.0).counts()
    )


def pairs(*counted):
    """(code, base verdict, candidate verdict, count)."""
    return [(Pair((code, before), (code, after)), count) for code, before, after, count in counted]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 3000))
@example(0, 0)
@example(1, 0)
@example(0, 6)
@example(20000, 0)
@example(100_000, 99_000)
def test_mcnemars_test_is_scipys_binomial(fixed, regressed):
    """The exact test, also of counts for which 2ⁿ is no float."""
    expected = binomtest(fixed, fixed + regressed, 0.5).pvalue if fixed + regressed else 1.0
    assert mcnemar_p(fixed, regressed) == pytest.approx(expected, rel=1e-6, abs=1e-300)


def test_every_sample_is_counted_once_by_how_its_verdict_changed():
    """P2: samples that cannot be compared are counted apart, by reason."""
    result = compare(
        report(1),
        report(2),
        [
            *pairs(("A", WRONG, RIGHT, 9), ("A", RIGHT, WRONG, 1), ("A", RIGHT, RIGHT, 40)),
            *pairs(("B", WRONG, WRONG, 5), ("B", ASIDE, RIGHT, 2), ("B", WRONG, ASIDE, 1)),
            (Pair(("A", RIGHT), None), 3),
            (Pair(None, ("B", WRONG)), 4),
            (Pair(("A", RIGHT), ("B", RIGHT)), 6),
        ],
    )
    of_a, of_b = result.per_code["A"], result.per_code["B"]
    assert (of_a.fixed, of_a.regressed, of_a.unchanged_right, of_a.unchanged_wrong) == (9, 1, 40, 0)
    assert (of_b.fixed, of_b.regressed, of_b.unchanged_right, of_b.unchanged_wrong) == (0, 0, 0, 5)
    assert (result.overall.fixed, result.overall.unchanged_wrong) == (9, 5)
    assert (result.compared, result.not_judged, result.relabelled) == (55, 3, 6)
    assert (result.base_only, result.candidate_only) == (3, 4)
    assert result.overall.p_value == pytest.approx(binomtest(1, 10).pvalue)
    assert result.overall.conclusion is Conclusion.CANDIDATE_BETTER


@pytest.mark.parametrize(
    ("fixed", "regressed", "conclusion", "said"),
    [
        (0, 0, Conclusion.NO_DIFFERENCE_SHOWN, "No sample changed"),
        (3, 0, Conclusion.NO_DIFFERENCE_SHOWN, "fewer than 6"),
        (5, 0, Conclusion.NO_DIFFERENCE_SHOWN, "fewer than 6"),
        (6, 0, Conclusion.CANDIDATE_BETTER, "The candidate is better"),
        (12, 9, Conclusion.NO_DIFFERENCE_SHOWN, "66 % come out so uneven by chance"),
        (2, 30, Conclusion.BASE_BETTER, "The candidate is worse"),
    ],
)
def test_few_changed_samples_are_not_significant(fixed, regressed, conclusion, said):
    """The sentence states the conclusion in both languages; at least 6 changed samples are needed."""
    result = compare(
        report(1),
        report(2),
        pairs(("A", WRONG, RIGHT, fixed), ("A", RIGHT, WRONG, regressed), ("A", RIGHT, RIGHT, 50)),
    )
    assert result.overall.conclusion is conclusion
    english, chinese = result.overall.sentence()
    assert said in english
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese)


def test_p_values_of_codes_are_corrected_for_multiple_tests():
    """One of twenty codes looks better by chance, so the p-values are corrected for all tests."""
    codes = tuple(f"C{n}" for n in range(20))
    rows = pairs(*((code, WRONG, RIGHT, 3) for code in codes[1:]), ("C0", WRONG, RIGHT, 6))
    result = compare(report(1, codes, 20), report(2, codes, 20), rows)
    assert result.per_code["C0"].p_value < 0.05
    assert result.per_code["C0"].conclusion is Conclusion.NO_DIFFERENCE_SHOWN
    assert result.overall.conclusion is Conclusion.CANDIDATE_BETTER


def test_holms_correction_is_the_published_example():
    """The worked example of Holm's method (1979) in textbooks."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_models_for_other_codes_are_not_compared():
    """Each model would misjudge all samples of the other, which says nothing about either."""
    with pytest.raises(NotComparable, match="no code in common"):
        require_common_codes(report(1, ("A", "B")), report(2, ("X", "Y", "A"), 2))
    require_common_codes(report(1, ("A", "B")), report(2, ("B", "C")))


def test_reports_without_a_common_sample_are_not_compared():
    """Accuracies over different data cannot be compared."""
    with pytest.raises(NotComparable, match="no sample in common"):
        compare(report(1), report(2), [(Pair(("A", RIGHT), None), 3), (Pair(None, ("A", RIGHT)), 4)])


def test_codes_of_one_report_only_are_listed():
    """A model cannot predict a code that it does not have; the comparison lists such codes."""
    result = compare(report(1, ("A", "B")), report(2, ("B", "C")), pairs(("B", RIGHT, RIGHT, 1)))
    assert (result.base_only_codes, result.candidate_only_codes) == (("A",), ("C",))
    assert list(result.per_code) == ["B", "C", "A"]


def test_every_change_has_its_verdicts():
    """The list of samples and the counts must use the same definition of each change."""
    assert {change.verdicts for change in Change} == {
        (before, after) for before in (RIGHT, WRONG) for after in (RIGHT, WRONG)
    }
