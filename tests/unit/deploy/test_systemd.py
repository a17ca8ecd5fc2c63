"""The units that are shipped."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT

UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_every_line_of_a_unit(unit: Path, tmp_path: Path) -> None:
    """A key that is misspelt is ignored with a warning that nobody reads."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    programs = Path(sys.executable).parent
    copied = tmp_path / unit.name
    # The program must be there.
    copied.write_text(unit.read_text().replace("/opt/loupe/.venv/bin", str(programs)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copied)],  # noqa: S607 -- found as a shell would
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, complaints) == (0, []), done.stderr


def test_the_unit_comes_back_with_the_machine_and_stops_in_order() -> None:
    """Enabled for a boot, started again after a failure; only Loupe itself gets the stop signal."""
    lines = set((ROOT / "deploy/systemd/loupe.service").read_text().splitlines())
    assert {"WantedBy=multi-user.target", "Restart=on-failure", "KillMode=mixed"} <= lines
