"""Runs the C example in a root directory that has only the program, a package and the C library."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from services.evaluator.worker.packaging.native_library import HEADER, RUNTIME, find_compiler

_PROGRAM = "classify"
_EXAMPLE = RUNTIME / "examples" / "classify.c"
_AS_ROOT = ("unshare", "--user", "--map-root-user")


def build_example(folder: Path) -> Path:
    """Builds the example beside `folder/package` by the one command in its first comment (X4)."""
    for source in (_EXAMPLE, HEADER):
        copy = folder / "runtime" / source.relative_to(RUNTIME)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
    arguments = _documented_arguments()
    # A C++ compiler: it must be told that this file is C. All else is the command of the file.
    at = arguments.index(f"runtime/{_EXAMPLE.relative_to(RUNTIME)}")
    arguments[at : at + 1] = ["-x", "c", arguments[at], "-x", "none"]
    strict = ("-std=c11", "-Wall", "-Wextra", "-Werror")
    subprocess.run([*find_compiler().command, *strict, *arguments], cwd=folder, check=True)
    return folder / _PROGRAM


def _documented_arguments() -> list[str]:
    """What follows `cc` in the example's first comment; a backslash at the end of a line continues it."""
    command = re.search(r"^ \*     cc ((?:.*\\\n)*.*)$", _EXAMPLE.read_text(), re.MULTILINE)
    assert command
    return shlex.split(command[1].replace("\\\n *", " "))


def can_change_root() -> bool:
    """Whether this process may run a program in another root directory."""
    done = subprocess.run([*_changing_root(), "/", "/bin/true"], capture_output=True, check=False)
    return done.returncode == 0


def classify_in_bare_root(folder: Path, pictures: Sequence[Path]) -> list[list[str]]:
    """The words of each line that the example, built in `folder`, prints for PPMs in that folder."""
    root = folder / "root"
    shutil.copytree(folder / "package", root / "package")
    shutil.copy(folder / _PROGRAM, root)
    linked = subprocess.run(
        ["ldd", folder / _PROGRAM],  # noqa: S607 - where it lies differs
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for library in re.findall(r"(/\S+) \(0x", linked):
        if not Path(library).is_relative_to(folder.resolve()):
            copy = root / library.removeprefix("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, copy)
    for picture in pictures:
        os.link(picture, root / picture.name)
    names = [picture.name for picture in pictures]
    done = subprocess.run(
        [*_changing_root(), str(root), f"/{_PROGRAM}", "package", *names],
        capture_output=True,
        text=True,
        check=False,
        env={"LD_LIBRARY_PATH": "/package"},  # without /proc the loader knows no $ORIGIN
    )
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def _changing_root() -> tuple[str, ...]:
    change = shutil.which("chroot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "chroot"
    return (change,) if os.geteuid() == 0 else (*_AS_ROOT, change)
