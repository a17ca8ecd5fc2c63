"""Trainings under fire, small: what `make faults` proves with 50 kills and 20 trainings, on every commit."""

import os
from pathlib import Path

import pytest

from tests.faults import scenario

pytestmark = pytest.mark.stack

_SMALL = scenario.Size(trainings=2, kills=6, seeds=1, iterations=40, checkpoint_interval_s=2)


def test_trainings_survive_the_death_of_any_process(tmp_path: Path) -> None:
    """T5, T6, M5, I2, R1: an engineer who submitted in the evening finds everything done once, and whole."""
    seed = int(os.environ.get("LOUPE_FAULTS_SEED", "7896"))
    outcome = scenario.run(tmp_path, _SMALL, seed, print)
    assert not outcome.violations, f"LOUPE_FAULTS_SEED={seed}: {outcome.violations}"
