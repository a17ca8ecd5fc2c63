"""What is kept of a refused test of a version with a question bank (P8)."""

from loupe.errors import Internal, InvalidArgument, Severity, Violation
from loupe.translation import sentence

from services.scheduler.domain.bank_run import Refusal, refusals_of


def violation(reason: str, severity: Severity = "error") -> Violation:
    return Violation(
        "question_bank",
        reason,
        sentence("{bank} is archived; restore it first, or choose another one", bank="b"),
        severity,
    )


def test_p8_each_fault_is_told_and_no_warning() -> None:
    """A warning alone refuses nothing, so it is not why there is no task."""
    error = InvalidArgument.of(violation("ONE"), violation("TWO", "warning"), violation("THREE"))
    refusals = refusals_of(error)
    assert [one.reason for one in refusals] == ["ONE", "THREE"]
    assert refusals[0].message == "b is archived; restore it first, or choose another one"
    assert refusals[0].message_zh not in {"", refusals[0].message}


def test_p8_an_error_without_faults_is_told_as_it_is() -> None:
    """Its Chinese sentence, where it has one, travels as a fact."""
    assert refusals_of(Internal("incident 4", message_zh="事件 4")) == (
        Refusal("INTERNAL", "incident 4", "事件 4"),
    )
    assert refusals_of(InvalidArgument("no")) == (Refusal("INVALID_ARGUMENT", "no", ""),)
