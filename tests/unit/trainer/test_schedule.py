import pytest

from services.trainer.training.schedule import Schedule


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule("fixed", 0.1, 100, gamma=0.5, power=2), [0.1, 0.1, 0.1]),
        (Schedule("exp", 0.1, 100, gamma=0.9), [0.1, 0.09, 0.1 * 0.9**50]),
        (Schedule("inv", 0.1, 100, gamma=0.01, power=0.75), [0.1, 0.1 * 1.01**-0.75, 0.1 * 1.5**-0.75]),
        (Schedule("poly", 0.1, 100, power=0.9), [0.1, 0.1 * 0.99**0.9, 0.1 * 0.5**0.9]),
    ],
)
def test_each_policy_is_the_formula_of_w8(schedule, expected):
    """Engineers bring these four from elsewhere: the same name must mean the same curve."""
    assert [schedule(0), schedule(1), schedule(50)] == pytest.approx(expected)


def test_poly_ends_at_zero_and_stays_there():
    """A resumed training must not meet a complex number."""
    assert Schedule("poly", 0.1, 100, power=0.9)(100) == 0
    assert Schedule("poly", 0.1, 100, power=0.9)(101) == 0
