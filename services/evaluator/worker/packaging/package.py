"""The package itself: a zip with exactly three entries, the same bytes for the same version (X1)."""

import zipfile
from io import BytesIO

from services.evaluator.worker.packaging.config import refuse_control_characters, write_config
from services.evaluator.worker.packaging.models import Named, write_models
from services.evaluator.worker.packaging.native_library import LIBRARY, library
from services.vision.weights import Weights

MODELS, CONFIG = "models.xbin", "config.yaml"
_DATE = (1980, 1, 1, 0, 0, 0)


def build_package(weights: Weights, named: Named, *, filter_resolution: bool = False) -> bytes:
    """The zip of a released version. Takes seconds and needs torch: for a worker's child.

    Raises NotPackageable, or CannotBuild where the library was not built and cannot be.
    """
    refuse_control_characters((named.model, named.version, *weights.codes))
    files = {MODELS: write_models(weights, named), LIBRARY: library().read_bytes()}
    config = write_config(weights, named, files, filter_resolution=filter_resolution)
    return archive({**files, CONFIG: config.encode()})


def archive(files: dict[str, bytes]) -> bytes:
    """A zip of files in their order; equal files give equal bytes, whenever and wherever."""
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as zipped:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = (0o644 | 0o100000) << 16
            entry.create_system = 3  # also on a system that is no Unix
            # Weights do not compress: 7 % for ten times the time.
            entry.compress_type = zipfile.ZIP_STORED
            zipped.writestr(entry, data)
    return sink.getvalue()
