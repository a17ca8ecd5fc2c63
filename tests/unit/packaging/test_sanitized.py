"""The short forms of `make fuzz` and `make races`: hostile files, many threads and failing allocations.

Sanitizers watch.
"""

import subprocess
from pathlib import Path

import pytest

from tests.native.harness import build_harness, fuzz_inputs, small_package

pytestmark = pytest.mark.xdist_group("packaging")


def test_hostile_files_do_no_harm(tmp_path: Path) -> None:
    """X5: what a fuzzer once found, and thousands of mutations of a package, under ASan and UBSan."""
    program = build_harness("fuzz", "address,undefined")
    done = subprocess.run(
        [program, fuzz_inputs(tmp_path), "3000"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_threads_share_an_artifact(tmp_path: Path) -> None:
    """X3: eight threads on one handle, some of them waiting, all get what one alone gets."""
    program = build_harness("races", "address,undefined")
    package = small_package(tmp_path / "package")
    done = subprocess.run([program, package, "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


def test_a_failing_allocation_is_a_status(tmp_path: Path) -> None:
    """X5: whichever allocation fails, in whichever thread, the artifact is as good as before afterwards."""
    program = build_harness("allocations", "address,undefined")
    package = small_package(tmp_path / "package")
    done = subprocess.run([program, package], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
