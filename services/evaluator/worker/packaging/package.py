"""Builds the package: a zip with three entries, the same bytes for the same version (X1)."""

import zipfile
from io import BytesIO

from services.evaluator.worker.packaging.config import refuse_control_characters, write_config
from services.evaluator.worker.packaging.models import PackageName, write_models
from services.evaluator.worker.packaging.native_library import LIBRARY, library
from services.vision.weights import Weights

MODELS, CONFIG = "models.xbin", "config.yaml"
_DATE = (1980, 1, 1, 0, 0, 0)


def build_package(weights: Weights, name: PackageName, *, filter_resolution: bool = False) -> bytes:
    """The zip of a released version. Takes seconds and imports torch: call it in a worker's child.

    Raises NotPackageable, or CannotBuild where the library is not in the cache and cannot be built.
    """
    refuse_control_characters((name.model, name.version, *weights.codes))
    files = {MODELS: write_models(weights, name), LIBRARY: library().read_bytes()}
    config = write_config(weights, name, files, filter_resolution=filter_resolution)
    return archive({**files, CONFIG: config.encode()})


def archive(files: dict[str, bytes]) -> bytes:
    """A zip of files in their order; equal files give equal bytes at any time and on any machine."""
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as zipped:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = (0o644 | 0o100000) << 16
            entry.create_system = 3  # Unix, on every system
            # Weights hardly compress: 7 % smaller in ten times the time.
            entry.compress_type = zipfile.ZIP_STORED
            zipped.writestr(entry, data)
    return sink.getvalue()
