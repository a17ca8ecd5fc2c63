"""Power cuts, few: what `python -m tests.faults power` proves with 20, on every commit."""

import os
from pathlib import Path

import pytest

from tests.faults import power
from tests.faults.disks import NoDisk

pytestmark = pytest.mark.stack


def test_what_was_acknowledged_survives_a_power_cut(tmp_path: Path) -> None:
    """D2, R1, I2: who was told that it is done finds it done when the light is on again."""
    seed = int(os.environ.get("LOUPE_FAULTS_SEED", "5"))
    try:
        outcome = power.run(tmp_path, cuts=2, seed=seed, iterations=15, tell=print)
    except NoDisk as reason:
        pytest.skip(f"no disk can be mounted here: {reason}")
    assert not outcome.violations, f"LOUPE_FAULTS_SEED={seed}: {outcome.violations}"
    assert min(outcome.compared[what] for what in ("samples", "objects", "events", "versions")) > 0
