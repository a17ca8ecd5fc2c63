"""A file that takes all that a disk has free."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[Callable[[], None]]:
    """The folder's disk is full within the block; the function takes what somebody gave back meanwhile."""
    path = folder / "filler"
    with path.open("wb") as file:

        def fill() -> None:
            # Not by what is free: root may take more than is told.
            step = shutil.disk_usage(folder).total
            while step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, step)
                except OSError:
                    step //= 2

        try:
            fill()
            yield fill
        finally:
            path.unlink()
