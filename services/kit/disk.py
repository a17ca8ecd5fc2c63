"""How much room a disk has, where an installation keeps its stores on its own machine."""

import shutil
from pathlib import Path

LEAST_FREE = 0.05
"""Of a disk: with less no training begins, whose checkpoints would fill it."""


def is_almost_full(folder: Path | None) -> bool:
    """Whether the folder's disk has less than LEAST_FREE free; not without a folder, or where it is gone."""
    if folder is None:
        return False
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return False
    return usage.free < usage.total * LEAST_FREE
