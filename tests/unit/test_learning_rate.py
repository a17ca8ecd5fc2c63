"""The learning rate of every policy (W8), with the cases that the console's preview is tested with."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from services.learning_rate import Schedule

# [{"schedule": {lr_policy, base_lr, max_iter, power, gamma}, "rates": [[iteration, rate], …]}, …]
(_CASES,) = (Path(__file__).parents[2] / "gateway/console/src").rglob("learning_rates.json")


@pytest.mark.parametrize("case", json.loads(_CASES.read_text(encoding="utf-8")), ids=str)
def test_w8_rates_are_those_of_the_cases(case: dict[str, Any]) -> None:
    """W8: engineers know the policies from other tools; the same name must mean the same curve."""
    policy = case["schedule"].pop("lr_policy")
    schedule = Schedule(policy, **case["schedule"])
    assert [schedule(iteration) for iteration, _ in case["rates"]] == pytest.approx(
        [rate for _, rate in case["rates"]], rel=1e-12
    )


def test_w8_poly_ends_at_zero_and_stays_there() -> None:
    """W8: a resumed training must not meet a complex number."""
    assert Schedule("poly", 0.1, 100, power=0.9)(100) == 0
    assert Schedule("poly", 0.1, 100, power=0.9)(101) == 0


def test_w8_an_overflowing_rate_is_infinite() -> None:
    """W8: the training then ends with NAN_LOSS, not with an exception."""
    assert Schedule("exp", 0.1, 10**6, gamma=1000)(10**5) == math.inf
