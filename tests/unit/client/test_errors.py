import pytest
from loupe.errors import InvalidArgument, LoupeError, NotFound, Violation
from loupe.translation import Sentence


def test_an_error_carries_its_facts_as_strings() -> None:
    """Facts travel as metadata, which knows only strings: so they are strings at home, too."""
    error = NotFound("there is no tasks/7", task="tasks/7", attempts=3)
    assert error.facts == {"task": "tasks/7", "attempts": "3"}
    assert str(error) == error.message == "there is no tasks/7"


def test_a_reason_that_is_not_upper_snake_is_refused_when_the_class_is_made() -> None:
    """Clients branch on reasons: a typo must show at import, not in the field."""
    with pytest.raises(TypeError, match="UPPER_SNAKE"):
        type("LeaseLost", (LoupeError,), {"reason": "lease lost"})


def test_invalid_argument_tells_all_faults_and_names_the_first() -> None:
    """All faults of a step are reported together (W); the sentence stays readable."""
    violations = [Violation(f"code_list[{i}]", "CODE_INVALID", Sentence(f"fault {i}", "")) for i in range(5)]
    error = InvalidArgument.of(*violations)
    assert error.violations == tuple(violations)
    assert "fault 0" in error.message
    assert "2 more" in error.message
