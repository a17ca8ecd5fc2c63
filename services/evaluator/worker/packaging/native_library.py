"""Builds libCsotArtifact.so from runtime/ with CMake, once a machine; every package gets a copy.

    python -m services.evaluator.worker.packaging.native_library  builds it if need be, prints its path

The compiler is `$CXX`, else that of the package `ziglang` (extra `compiler`), else g++. A library by g++
needs a C library as new as this machine's; one by zig needs glibc 2.17 (2012). The cache
(`$LOUPE_NATIVE_CACHE`, else `~/.cache/loupe/native`) is keyed by sources and compiler; the same of both gives
the same bytes.
"""

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.evaluator.worker.packaging.faults import CannotBuild

# At the top of the repository, and of the folder that a wheel is installed into.
RUNTIME = Path(__file__).parents[4] / "runtime"
HEADER = RUNTIME / "include" / "csot_artifact.h"
LIBRARY = "libCsotArtifact.so"
# One library for all machines of a fab: glibc 2.17 is CentOS 7's.
_ZIG_TARGETS = {"x86_64": "x86_64-linux-gnu.2.17", "aarch64": "aarch64-linux-gnu.2.17"}
# Flags of the caller are no part of the cache's key, so they must not change what is built.
_FLAGS_OF_CALLER = frozenset({"CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS"})
_JOBS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler."""

    command: tuple[str, ...]
    version: str


def find_compiler() -> Compiler:
    """Raises CannotBuild where there is none."""
    if chosen := tuple(shlex.split(os.environ.get("CXX", ""))):
        return Compiler(chosen, _version((*chosen, "--version")))
    if importlib.util.find_spec("ziglang"):
        target = _ZIG_TARGETS.get(platform.machine())
        if target is None:
            raise CannotBuild(f"packages are for {' and '.join(_ZIG_TARGETS)}, not {platform.machine()}")
        zig = (sys.executable, "-m", "ziglang")
        return Compiler((*zig, "c++", "-target", target), _version((*zig, "version")))
    if shutil.which("g++"):
        return Compiler(("g++",), _version(("g++", "--version")))
    raise CannotBuild("there is no C++ compiler: install g++, or `pip install 'loupe[compiler]'`")


def library() -> Path:
    """The built library; the first call on a machine compiles it. Raises CannotBuild."""
    return build(
        "CsotArtifact", LIBRARY, find_compiler(), {"BUILD_TESTING": "OFF", "CSOT_BUILD_EXAMPLES": "OFF"}
    )


def build(
    target: str,
    file: str,
    compiler: Compiler,
    options: Mapping[str, str],
    folders: Sequence[str] = ("include", "src"),
) -> Path:
    """The file of a target of runtime/CMakeLists.txt; built where the cache lacks it. Raises CannotBuild.

    It depends on the compiler, CMake's `options` and the files in these `folders` of runtime/.
    """
    digest = hashlib.sha256(repr((target, compiler, sorted(options.items()))).encode())
    sources = (path for folder in folders for path in sorted((RUNTIME / folder).iterdir()))
    for path in (RUNTIME / "CMakeLists.txt", *sources):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    built = cache_folder() / digest.hexdigest()[:32] / file
    if not built.exists():
        try:
            built.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotBuild(
                f"{built.parent} cannot be made: {error}; the worker's log says more"
            ) from error
        with tempfile.TemporaryDirectory(dir=built.parent, prefix=".build-") as folder:
            _cmake(Path(folder), target, compiler, options)
            (Path(folder) / file).replace(built)  # atomic: another process may build the same file
    return built


def abi_version() -> int:
    """The version of the interface, from its header."""
    header = HEADER.read_text(encoding="utf-8")
    return int(header.partition("#define CSOT_ABI_VERSION ")[2].split()[0])


def cache_folder() -> Path:
    """Where built libraries are kept."""
    chosen = os.environ.get("LOUPE_NATIVE_CACHE")
    return Path(chosen) if chosen else Path("~/.cache/loupe/native").expanduser()


def _cmake(folder: Path, target: str, compiler: Compiler, options: Mapping[str, str]) -> None:
    """Configures runtime/ in a folder and builds one target there."""
    cmake, ninja = find_program("cmake"), find_program("ninja")
    if cmake is None or not (ninja or find_program("make")):
        raise CannotBuild("CMake, or a build tool for it, is missing: `pip install cmake ninja`")
    generator = ("-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}") if ninja else ("-G", "Unix Makefiles")
    environment = {name: value for name, value in os.environ.items() if name not in _FLAGS_OF_CALLER}
    environment["CXX"] = shlex.join(compiler.command)
    definitions = [f"-D{name}={value}" for name, value in options.items()]
    _run((cmake, "-S", str(RUNTIME), "-B", str(folder), *generator, *definitions), environment)
    _run((cmake, "--build", str(folder), "--target", target, "--parallel", str(_JOBS)), environment)


def find_program(name: str) -> str | None:
    """Where a program is: installed by a wheel of this Python, else on the PATH."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)


def _version(command: Sequence[str]) -> str:
    return _run(command).partition("\n")[0]


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotBuild(f"{command[0]} cannot be started: {error}") from error
    if done.returncode:
        raise CannotBuild(f"{shlex.join(command)} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


if __name__ == "__main__":
    print(library())  # noqa: T201 - a command
