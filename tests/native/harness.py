"""Programs around the native library's sources, with sanitizers, kept as the library itself is."""

import hashlib
import struct
from pathlib import Path

from services.evaluator.worker.packaging.models import Named
from services.evaluator.worker.packaging.native_library import (
    HEADER,
    RUNTIME,
    SOURCES,
    Compiler,
    build,
    cache_folder,
    find_compiler,
)
from services.evaluator.worker.packaging.package import build_package
from tests.support import packages

TESTS = RUNTIME / "tests"
CORPUS = TESTS / "corpus"


def build_harness(source: str, sanitizer: str, command: str = "") -> Path:
    """The program; built only where its sources, compiler and sanitizer have not been seen together."""
    compiler = Compiler((command,), (), "") if command else find_compiler()
    flags = ["-O1", "-g", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
    if "fuzz" in source:
        flags += ["-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION", *(["-DWITH_LIBFUZZER"] if command else [])]
    digest = hashlib.sha256(repr((compiler, flags)).encode())
    for path in (*sorted(SOURCES.glob("*.cpp")), *sorted(SOURCES.glob("*.h")), HEADER, TESTS / source):
        digest.update(path.read_bytes())
    program = cache_folder() / digest.hexdigest()[:32] / Path(source).stem
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        partial = program.with_suffix(".partial")
        build(
            partial,
            compiler,
            flags=flags,
            link=[f"-I{HEADER.parent}", "-std=c++17", str(TESTS / source), "-pthread"],
        )
        partial.chmod(0o755)
        partial.replace(program)
    return program


def small_package(folder: Path) -> Path:
    """An unpacked package with everything that a package may have, some kilobytes in all."""
    weights = packages.weights(
        size=8, detail=2, windows=True, special=2.25, segmenter="Tiny", least_px={"RARE": 2.5, "ODD": 8.5}
    )
    return packages.unpacked(packages.files(build_package(weights, Named("fuzzed", "v1.01"))), folder)


def fuzz_input(package: Path) -> bytes:
    """A package as the fuzz target reads it."""
    config = (package / "config.yaml").read_bytes()
    return struct.pack("<I", len(config)) + config + (package / "models.xbin").read_bytes()
