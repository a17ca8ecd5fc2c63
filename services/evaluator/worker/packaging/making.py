"""A version as a file in one of the formats that it is exported as."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from services.evaluator.worker.packaging.config import write_config
from services.evaluator.worker.packaging.container import FORMAT_VERSION
from services.evaluator.worker.packaging.faults import NotPackageable
from services.evaluator.worker.packaging.models import Named
from services.evaluator.worker.packaging.native_library import abi_version
from services.evaluator.worker.packaging.onnx import write_onnx
from services.evaluator.worker.packaging.package import CONFIG, archive, build_package
from services.vision.weights import Weights


@dataclass(frozen=True)
class Made:
    """A package on disk. The versions are 0 where the format has none."""

    path: Path
    abi_version: int = 0
    format_version: int = 0


def make_package(weights: Weights, named: Named, wanted: str, folder: Path) -> Made:
    """CSOT_ARTIFACT or ONNX, written into a folder. Raises NotPackageable or CannotBuild."""
    path = folder / "package.zip"
    match wanted:
        case "CSOT_ARTIFACT":
            path.write_bytes(build_package(weights, named))
            return Made(path, abi_version(), FORMAT_VERSION)
        case "ONNX":
            path.write_bytes(_onnx(weights, named))
            return Made(path)
        case _:
            raise NotPackageable(f"{wanted} is no format that this worker knows; update it")


def _onnx(weights: Weights, named: Named) -> bytes:
    with tempfile.TemporaryDirectory(prefix="loupe-onnx-") as scratch:
        files = {path.name: path.read_bytes() for path in write_onnx(weights, Path(scratch))}
    return archive({**files, CONFIG: write_config(weights, named, files).encode()})
