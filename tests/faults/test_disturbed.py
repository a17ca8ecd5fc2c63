"""Disturbances, few: what `make faults` proves with many, on every commit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.__main__ import NOT_DONE

pytestmark = pytest.mark.stack


def test_what_was_acknowledged_survives_what_happens_to_an_installation(tmp_path: Path) -> None:
    """D2, R1, I2, T5: who was told that it is done finds it done, and work goes on by itself."""
    seed = os.environ.get("LOUPE_FAULTS_SEED", "5")
    # A process of its own: it moves to a network of its own.
    command = [sys.executable, "-m", "tests.faults", "few", "--seed", seed, "--folder", str(tmp_path)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode == NOT_DONE:
        pytest.skip(run.stdout.splitlines()[-1])
    assert run.returncode == 0, run.stdout
