"""A small file system for a test: on a loop device, or in memory where there is none."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.disks import Disk, NoDisk


@contextlib.contextmanager
def mounted(folder: Path, *, gibibytes: int) -> Iterator[Path]:
    """Where it is mounted; skips the test where nothing can be."""
    disk = Disk(folder, gibibytes=gibibytes)
    try:
        disk.make()
    except NoDisk as refusal:
        options = ["-t", "tmpfs", "-o", f"size={gibibytes}g,mode=755", "loupe-test", str(disk.place)]
        done = subprocess.run(["mount", *options], check=False, capture_output=True, text=True)  # noqa: S607
        if done.returncode:
            pytest.skip(f"no small file system can be mounted here: {refusal}; {done.stderr}")
    yield disk.place
    disk.remove()
