"""Builds libCsotArtifact.so once a machine, when the service is installed; a package gets a copy.

    python -m services.evaluator.worker.packaging.native_library  builds it if need be, prints its path

The cache (`$LOUPE_NATIVE_CACHE`, else `~/.cache/loupe/native`) is keyed by sources, flags and compiler, so
that an upgrade of either builds anew, and the same of both gives the same bytes. The compiler is `$CXX`, else
that of the package `ziglang` (extra `compiler`), else g++. g++'s library needs a C library as new as this
machine's, zig's one of 2012 or later.
"""

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from services.evaluator.worker.packaging.faults import CannotBuild

RUNTIME = Path(__file__).parents[4] / "runtime"
HEADER = RUNTIME / "include" / "csot_artifact.h"
SOURCES = RUNTIME / "src"
LIBRARY = "libCsotArtifact.so"
_FLAGS = (
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-fvisibility=hidden",
    "-fvisibility-inlines-hidden",
    "-ffunction-sections",
    "-fno-math-errno",
    "-DCSOT_BUILDING",
    "-I../include",
    "-Wall",
    "-Wextra",
)
_FLAGS_OF_FILE = {
    "kernels_any.cpp": ("-O3",),
    "kernels_avx2.cpp": ("-O3", "-mavx2", "-mfma"),
    "kernels_avx512.cpp": ("-O3", "-mavx512f", "-mfma", "-mprefer-vector-width=512"),
}
_ONLY_X86 = frozenset({"kernels_avx2.cpp", "kernels_avx512.cpp"})
_LINK = (
    "-shared",
    f"-Wl,-soname,{LIBRARY}",
    "-Wl,--version-script,exports.map",
    "-Wl,--gc-sections",
    "-Wl,-z,relro,-z,now",
    "-Wl,-z,noexecstack",
    "-s",
    "-pthread",
)
_OF_ZIG = ("without_libdl.c",)
# One for all machines of a fab: glibc 2.17 is CentOS 7's.
_ZIG_TARGETS = {"x86_64": "x86_64-linux-gnu.2.17", "aarch64": "aarch64-linux-gnu.2.17"}


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler and what it needs to be told."""

    command: tuple[str, ...]
    link: tuple[str, ...]
    version: str


def find_compiler() -> Compiler:
    """Raises CannotBuild where there is none."""
    wish = shlex.split(os.environ.get("CXX", ""))
    static = ("-static-libstdc++", "-static-libgcc")
    if wish:
        return Compiler(tuple(wish), static, _version(tuple(wish)))
    if importlib.util.find_spec("ziglang"):
        target = _ZIG_TARGETS.get(platform.machine())
        if target is None:
            raise CannotBuild(f"packages are for {' and '.join(_ZIG_TARGETS)}, not {platform.machine()}")
        command = (sys.executable, "-m", "ziglang", "c++", "-target", target)
        return Compiler(command, _OF_ZIG, _version((*command[:3], "version")))
    if shutil.which("g++"):
        return Compiler(("g++",), static, _version(("g++",)))
    raise CannotBuild("there is no C++ compiler: install g++, or `pip install 'loupe[compiler]'`")


def build(
    output: Path, compiler: Compiler, *, flags: Sequence[str] = (), link: Sequence[str] | None = None
) -> None:
    """Compiles all sources into `output`, with more flags where asked. Raises CannotBuild."""
    sources = sorted(path.name for path in SOURCES.glob("*.cpp"))
    if platform.machine() != "x86_64":
        sources = [name for name in sources if name not in _ONLY_X86]
    with tempfile.TemporaryDirectory(prefix="loupe-native-") as folder:

        def compile_one(name: str) -> str:
            compiled = f"{folder}/{name}.o"
            # GCC 12 leaves products and sums apart unless told, clang always.
            its = (*_FLAGS, *_FLAGS_OF_FILE.get(name, ()), "-ffp-contract=fast", *flags)
            _run((*compiler.command, *its, "-c", name, "-o", compiled))
            return compiled

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
            objects = list(threads.map(compile_one, sources))
        whole = Path(folder) / LIBRARY
        linked = (*_LINK, *compiler.link) if link is None else link
        _run((*compiler.command, *flags, *objects, *linked, "-o", str(whole)))
        shutil.copyfile(whole, output)


def library() -> Path:
    """The built library; compiles it at the first call on a machine. Raises CannotBuild."""
    compiler = find_compiler()
    digest = hashlib.sha256(repr((compiler, _FLAGS, _FLAGS_OF_FILE, _LINK)).encode())
    for path in (HEADER, *sorted(SOURCES.iterdir())):
        if path.suffix in {".c", ".cpp", ".h", ".map"}:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    folder = cache_folder() / digest.hexdigest()[:32]
    built = folder / LIBRARY
    if not built.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".partial", delete=False) as partial:
            try:
                build(Path(partial.name), compiler)
                Path(partial.name).chmod(0o644)
                Path(partial.name).replace(built)  # whole or not at all, whoever else builds it too
            except BaseException:
                Path(partial.name).unlink(missing_ok=True)
                raise
    return built


def abi_version() -> int:
    """Of the interface, as its header says."""
    header = HEADER.read_text(encoding="utf-8")
    return int(header.partition("#define CSOT_ABI_VERSION ")[2].split()[0])


def cache_folder() -> Path:
    """Where built libraries are kept."""
    chosen = os.environ.get("LOUPE_NATIVE_CACHE")
    return Path(chosen) if chosen else Path("~/.cache/loupe/native").expanduser()


def _version(command: Sequence[str]) -> str:
    version = command if command[-1] == "version" else (*command, "--version")
    try:
        return _run(version).splitlines()[0]
    except IndexError:
        return ""


def _run(command: Sequence[str]) -> str:
    try:
        # In the sources' folder, by relative names: no path of this machine gets into the library.
        done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotBuild(f"{command[0]} cannot be started: {error}") from error
    if done.returncode:
        raise CannotBuild(f"{shlex.join(command)} failed:\n{done.stderr[-4000:]}")
    return done.stdout


if __name__ == "__main__":
    print(library())  # noqa: T201 - a command
