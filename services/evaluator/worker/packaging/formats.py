"""A model version as a file, in one of the export formats."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from services.evaluator.worker.packaging.config import write_config
from services.evaluator.worker.packaging.container import FORMAT_VERSION
from services.evaluator.worker.packaging.faults import NotPackageable
from services.evaluator.worker.packaging.models import PackageName
from services.evaluator.worker.packaging.native_library import abi_version
from services.evaluator.worker.packaging.onnx import write_onnx
from services.evaluator.worker.packaging.package import CONFIG, archive, build_package
from services.vision.weights import Weights


@dataclass(frozen=True)
class BuiltPackage:
    """A package on disk. The two versions are 0 in a format that has none."""

    path: Path
    abi_version: int = 0
    format_version: int = 0


def make_package(weights: Weights, name: PackageName, package_format: str, folder: Path) -> BuiltPackage:
    """Writes a CSOT_ARTIFACT or ONNX package into a folder. Raises NotPackageable or CannotBuild."""
    path = folder / "package.zip"
    match package_format:
        case "CSOT_ARTIFACT":
            path.write_bytes(build_package(weights, name))
            return BuiltPackage(path, abi_version(), FORMAT_VERSION)
        case "ONNX":
            path.write_bytes(_onnx(weights, name))
            return BuiltPackage(path)
        case _:
            raise NotPackageable(f"{package_format} is no format that this worker knows; update it")


def _onnx(weights: Weights, name: PackageName) -> bytes:
    with tempfile.TemporaryDirectory(prefix="loupe-onnx-") as scratch:
        files = {path.name: path.read_bytes() for path in write_onnx(weights, Path(scratch))}
    return archive({**files, CONFIG: write_config(weights, name, files).encode()})
