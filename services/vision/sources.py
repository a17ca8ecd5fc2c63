"""Where a child process reads objects from, as its environment says."""

import os
from pathlib import Path

from services.vision.samples import DirectoryObjects, Objects


def objects_from_environment() -> Objects:
    """S3 by LOUPE_S3_*, or a folder where LOUPE_OBJECTS_DIR names one."""
    if folder := os.environ.get("LOUPE_OBJECTS_DIR"):
        return DirectoryObjects(Path(folder))
    raise SystemExit("set LOUPE_OBJECTS_DIR")
