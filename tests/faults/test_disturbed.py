"""Disturbances, few: what `make faults` proves with many, on every commit."""

import os
from pathlib import Path

import pytest

from tests.faults import disturbed
from tests.faults.disks import NoDisk
from tests.faults.disturbances import FullDisk, PowerCut, Suspension

pytestmark = pytest.mark.stack


def test_what_was_acknowledged_survives_what_happens_to_an_installation(tmp_path: Path) -> None:
    """D2, R1, I2, T5: who was told that it is done finds it done, and work goes on by itself."""
    seed = int(os.environ.get("LOUPE_FAULTS_SEED", "5"))
    disturbances = [PowerCut(), Suspension("scheduler", 3), FullDisk(3), PowerCut()]
    try:
        outcome = disturbed.run(tmp_path, disturbances, seed=seed, iterations=15, tell=print)
    except NoDisk as reason:
        pytest.skip(f"no disk can be mounted here: {reason}")
    assert not outcome.violations, f"LOUPE_FAULTS_SEED={seed}: {outcome.violations}"
    assert min(outcome.compared[what] for what in ("samples", "objects", "events", "versions")) > 0
