"""X4: an integrator builds and installs the library with CMake, and links a program to what was installed."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.evaluator.worker.packaging import native_library
from services.evaluator.worker.packaging.native_library import (
    LIBRARY,
    RUNTIME,
    abi_version,
    find_compiler,
    find_program,
)

pytestmark = pytest.mark.xdist_group("packaging")
CMAKE = find_program("cmake") or "cmake"
PACKAGE, IMAGE = RUNTIME / "tests" / "package", RUNTIME / "tests" / "image.ppm"
CONSUMER = """
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES CXX)
find_package(csot-artifact {abi_version} REQUIRED)
file(WRITE main.cpp [[
#include <csot_artifact.h>
int main() {{ return csot_abi_version() == CSOT_ABI_VERSION ? 0 : 1; }}
]])
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE csot::artifact)
"""


def run(*command: str | Path, **environment: str) -> str:
    """The program's output."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cxx() -> Mapping[str, str]:
    return {"CXX": shlex.join(find_compiler().command)}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory, cxx: Mapping[str, str]) -> Path:
    """An installation; without optimisation, which is built in a third of the time."""
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("prefix")
    options = ("-DCMAKE_BUILD_TYPE=Debug", "-DBUILD_TESTING=OFF", "-DCSOT_BUILD_EXAMPLES=OFF")
    run(CMAKE, "-S", RUNTIME, "-B", build, *options, **cxx)
    run(CMAKE, "--build", build, "--parallel", "4")
    run(CMAKE, "--install", build, "--prefix", prefix)
    return prefix


def test_the_example_links_by_pkg_config(prefix: Path, tmp_path: Path) -> None:
    """The .pc file must name the folders of the prefix that was chosen at installation."""
    if not shutil.which("pkg-config"):
        pytest.skip("there is no pkg-config here")
    search = {"PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "csot-artifact", **search).split()
    program, example = tmp_path / "classify", RUNTIME / "examples" / "classify.c"
    compiler = find_compiler().command
    run(*compiler, "-x", "c", example, "-x", "none", *flags, "-o", program)
    printed = run(program, PACKAGE, IMAGE, LD_LIBRARY_PATH=str(prefix / "lib"))
    assert printed.split()[1:2] == ["RARE"]


def test_a_cmake_project_finds_the_package(prefix: Path, tmp_path: Path, cxx: Mapping[str, str]) -> None:
    """find_package refuses another version of the interface: no program links to it by mistake."""
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER.format(abi_version=abi_version()))
    run(CMAKE, "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}", **cxx)
    run(CMAKE, "--build", tmp_path / "build")
    run(tmp_path / "build" / "consumer")
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER.format(abi_version=abi_version() + 1))
    with pytest.raises(AssertionError, match="csot-artifact"):
        run(CMAKE, "-S", tmp_path, "-B", tmp_path / "other", f"-DCMAKE_PREFIX_PATH={prefix}", **cxx)


def test_the_installed_library_needs_no_versioned_name(prefix: Path) -> None:
    """Programs link to the file of a package too: its name and its soname are one."""
    (installed,) = (prefix / "lib").glob("libCsotArtifact*")
    assert installed.name == LIBRARY
    assert not installed.is_symlink()


def test_the_library_is_the_same_bytes_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X1: two machines export the same package, and a build proves what a library was made of."""
    here = native_library.library()
    there = tmp_path / "another place" / "of the sources"
    shutil.copytree(RUNTIME, there, ignore=shutil.ignore_patterns("tests"))
    monkeypatch.setattr(native_library, "RUNTIME", there)
    monkeypatch.setenv("LOUPE_NATIVE_CACHE", str(tmp_path / "cache"))
    again = native_library.library()
    assert again != here
    assert again.read_bytes() == here.read_bytes()
