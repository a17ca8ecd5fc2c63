"""The Node.js that drives a browser."""

import shutil
import sys
from pathlib import Path


def node() -> str:
    """Where it is: beside this Python, where `make console` installs one, or on the path."""
    beside = Path(sys.executable).with_name("node")
    found = str(beside) if beside.exists() else shutil.which("node")
    if found is None:
        sys.exit("there is no Node.js: `make console` installs one")
    return found
