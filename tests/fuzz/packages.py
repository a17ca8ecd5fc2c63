"""Packages and their config.yaml, as the client reads them before anything of them is loaded (X5).

What the library in a package makes of models.xbin and config.yaml is fuzzed in `tests.native`.
"""

import io
import shutil
import tempfile
import zipfile
from pathlib import Path
from random import Random
from typing import Self

from loupe.names import BadName, model_version
from loupe.text import visible
from loupe.unpacking import CONFIG, LIBRARY, MODELS, NotAPackage, config_faults, copy

from tests.fuzz.mutation import changed
from tests.fuzz.target import Broken, Target, check_told

CONFIG_TEXT = b"""\
# What the library reads.
format: 1
models_sha256: 0000000000000000000000000000000000000000000000000000000000000000
filter_resolution: no
thresholds:
  confidence: 0.5  # below it goes to a human
  defect: 0.25
min_area_px:
  TPFIP: 2.5
  "TT-FBS": 8
model:
  name: "fuzzed"
  version: "v1.01"
  codes: [TPFIP, TTFBS]
...
"""
_MOST_BYTES = 2**20
"""The files of a package here are small; what is written beyond them was not there."""


class Packages(Target):
    """What the client makes of mutated packages and of their config.yaml."""

    cpu_s = 5.0
    memory_mib = 128

    def __init__(self) -> None:
        self._zips = [
            _zip(method)
            for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
        ]
        self._root = Path()

    def __enter__(self) -> Self:
        """Make a folder for the copies."""
        self._root = Path(tempfile.mkdtemp(prefix="loupe-fuzz-"))
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it."""
        shutil.rmtree(self._root)

    def make(self, random: Random) -> bytes:
        """A word that says which of the two it is, and the bytes."""
        if random.randrange(2):
            return b"config\n" + changed(random, CONFIG_TEXT)
        return b"zip\n" + changed(random, random.choice(self._zips), 3)

    def run(self, data: bytes) -> str:
        """Compare a config.yaml with the one on record, or copy a package."""
        kind, _, content = data.partition(b"\n")
        if kind == b"config":
            return self._compare(content)
        package, folder = self._root / "a.zip", self._root / "copy"
        package.write_bytes(content)
        try:
            contents = copy(package, folder)
            if sum(path.stat().st_size for path in folder.iterdir()) > _MOST_BYTES:
                raise Broken("more is unpacked than was packed")
            if sorted(path.name for path in folder.iterdir()) != sorted((CONFIG, LIBRARY, MODELS)):
                raise Broken(f"unpacked: {sorted(folder.iterdir())}")
            model_version(contents.model_version)
        except (NotAPackage, BadName) as error:
            check_told(visible(str(error)))
            return f"zip: refused, {type(error).__name__}"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return "zip: taken"

    def _compare(self, config: bytes) -> str:
        faults = config_faults(config, CONFIG_TEXT)
        for fault in faults:
            check_told(visible(fault))
        if config_faults(config, config):
            raise Broken("it differs from itself")
        return f"config: {'other' if faults else 'the same but for thresholds'}"


def _zip(method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, data in (
            (CONFIG, CONFIG_TEXT),
            (LIBRARY, b"\x7fELF" + bytes(300)),
            (MODELS, bytes(range(256)) * 2),
        ):
            made.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()
