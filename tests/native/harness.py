"""The harnesses of runtime/tests, built with sanitizers, and the packages that they run on."""

import hashlib
import shutil
import struct
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from loupe.signatures import sign
from loupe.unpacking import CONFIG

from services.evaluator.worker.packaging.models import PackageName
from services.evaluator.worker.packaging.native_library import RUNTIME, Compiler, build, find_compiler
from services.evaluator.worker.packaging.package import build_package
from tests.support import packages

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
"""Its public key stands in runtime/tests/fuzz/fuzz.cpp."""
CORPUS = RUNTIME / "tests" / "corpus"


def find_clang() -> str | None:
    """The compiler that has libFuzzer, if it is there."""
    return next((name for name in ("clang++", "clang++-14") if shutil.which(name)), None)


def build_harness(name: str, sanitizer: str, clang: str = "") -> Path:
    """The program `races`, `allocations` or `fuzz`; with `clang`, fuzz is linked with libFuzzer."""
    options = {
        "CSOT_SANITIZE": sanitizer,
        "CSOT_LIBFUZZER": "ON" if clang else "OFF",
        "CSOT_BUILD_EXAMPLES": "OFF",
    }
    compiler = Compiler((clang,), "") if clang else find_compiler()
    return build(name, name, compiler, options, ("include", "src", f"tests/{name}"))


def small_package(folder: Path) -> Path:
    """An unpacked package with everything that a package may have, some kilobytes in all; signed with KEY."""
    weights = packages.weights(
        size=8, detail=2, windows=True, special=2.25, segmenter="Tiny", least_px={"RARE": 2.5, "ODD": 8.5}
    )
    files = packages.files(build_package(weights, PackageName("fuzzed", "v1.01")))
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    signed = sign(KEY, files[CONFIG], "fuzzed@v1.01", "tasks/fuzzed", hashes)
    return packages.unpacked({**files, CONFIG: signed}, folder)


def fuzz_input(package: Path) -> bytes:
    """A package as the fuzz target reads it."""
    config = (package / "config.yaml").read_bytes()
    return struct.pack("<I", len(config)) + config + (package / "models.xbin").read_bytes()


def fuzz_inputs(folder: Path) -> Path:
    """A folder with what a fuzzer once found, and a small package."""
    inputs = folder / "inputs"
    inputs.mkdir()
    for kept in CORPUS.iterdir():
        (inputs / kept.name).symlink_to(kept)
    (inputs / "seed").write_bytes(fuzz_input(small_package(folder / "package")))
    return inputs
