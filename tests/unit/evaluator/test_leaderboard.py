"""Versions over one revision of a question bank, ranked and compared with the one in production (P8)."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.evaluator.domain.comparison import Changes, Conclusion
from services.evaluator.domain.leaderboard import Entry, adjusted, ranked
from services.evaluator.domain.metrics import MeasuredReport
from services.evaluator.domain.report import EvaluationReport, ReportHeader, ReportKind
from services.evaluator.domain.significance import mcnemar_p
from services.evaluator.domain.tally import Tally


def version(name: str) -> str:
    model, _, number = name.partition("@")
    return f"models/{model}/versions/{number}"


def a_report(name: str, right: int, wrong: int) -> MeasuredReport:
    """A report of a version with so many right and wrong samples."""
    header = ReportHeader(
        job="jobs/1",
        fencing_token=1,
        kind=ReportKind.PREDICTION,
        task="tasks/1",
        model_version=version(name),
        weights_sha256="",
        code_list=("A", "B"),
        num_of_classes=2,
        confidence_threshold=0.0,
        question_bank="questionBanks/june/revisions/1",
    )
    counts = replace(Tally(("A", "B"), 0.0).counts(), confusion=(right, wrong, 0, 0))
    return MeasuredReport.of(EvaluationReport(UUID(int=1), header, datetime(2026, 1, 1, tzinfo=UTC), counts))


def test_p8_the_best_version_comes_first_and_equal_ones_share_a_rank() -> None:
    """An order among equals would be taken for a difference."""
    reports = [
        a_report("m@v1.01", 8, 2),
        a_report("m@v1.02", 9, 1),
        a_report("m@v1.03", 8, 2),
        a_report("m@v1.04", 0, 0),
    ]
    entries = ranked(reports, {})
    assert [(entry.rank, entry.version) for entry in entries] == [
        (1, version("m@v1.02")),
        (2, version("m@v1.01")),
        (2, version("m@v1.03")),
        (4, version("m@v1.04")),
    ]


@pytest.mark.parametrize(
    ("in_production", "expected"),
    [
        ({"models/m": "m@v1.01", "models/n": "n@v1.01"}, "m@v1.01"),
        ({"models/n": "n@v1.01"}, "n@v1.01"),
        ({"models/n": "n@v1.01", "models/o": "o@v1.01"}, None),
        ({}, None),
    ],
)
def test_p8_the_base_is_the_version_that_would_be_replaced(
    in_production: dict[str, str], expected: str | None
) -> None:
    """That of the same model; a new model is compared with the only one that runs in the environment."""
    running = {model: version(name) for model, name in in_production.items()}
    (entry,) = ranked([a_report("m@v1.02", 9, 1)], running)
    assert entry.compared_with == ("" if expected is None else version(expected))
    assert (entry.outcome is None) == (expected is not None)
    assert not entry.in_production


def test_p8_what_is_in_production_is_compared_with_nothing() -> None:
    (entry,) = ranked([a_report("m@v1.01", 9, 1)], {"models/m": version("m@v1.01")})
    assert (entry.in_production, entry.compared_with, entry.outcome) == (True, "", None)


def test_p8_a_leaderboard_of_many_is_no_proof_for_its_luckiest() -> None:
    """Of twenty equally good versions one is better at p = 0.05 by chance: p-values are corrected (Holm)."""
    p_value = mcnemar_p(7, 0)
    assert p_value < 0.05
    lucky = Changes(7, 0, 90, 3, p_value, p_value)
    equal = Changes(5, 5, 87, 3, 1.0, 1.0)
    alone = Entry(1, a_report("m@v1.02", 9, 1), in_production=False, outcome=lucky)
    rest = [replace(alone, rank=2, outcome=equal) for _ in range(19)]
    (corrected,) = adjusted([alone])
    assert isinstance(corrected.outcome, Changes)
    assert corrected.outcome.conclusion is Conclusion.CANDIDATE_BETTER
    among_many = adjusted([alone, *rest])[0].outcome
    assert isinstance(among_many, Changes)
    assert among_many.conclusion is Conclusion.NO_DIFFERENCE_SHOWN
    assert among_many.p_value == p_value
