"""The lock files: distributions of Python with their hashes, and packages of npm."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RUN_LOCK = ROOT / "requirements/run.lock"
DEV_LOCK = ROOT / "requirements/dev.lock"
NPM_LOCK = ROOT / "gateway/console/package-lock.json"

_PIN = re.compile(
    r"^(?P<name>[a-z0-9._-]+)==(?P<version>\S+)"
    r"(?P<hashes>(?: \\\n +--hash=sha256:[0-9a-f]{64})+)"
    r"(?:\n +# via(?P<via>.*(?:\n +#   .*)*))?",
    re.MULTILINE,
)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_NODE_MODULES = "node_modules/"


@dataclass(frozen=True)
class Locked:
    """A distribution of Python in a lock: one hash for each of its files."""

    name: str
    version: str
    sha256: tuple[str, ...]
    via: tuple[str, ...]
    """Who requires it."""


@dataclass(frozen=True)
class NpmPackage:
    """A package in package-lock.json that the console needs when it runs."""

    name: str
    version: str
    licence: str
    """As its package.json says; empty if it says nothing."""
    sha512: str
    """Hexadecimal, of its archive."""
    requires: tuple[str, ...]
    """`name@version` of each package that it requires."""


def normalised(name: str) -> str:
    """The name of a distribution as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def python_lock(path: Path) -> Mapping[str, Locked]:
    """The distributions of a lock, by normalised name."""
    text = path.read_text(encoding="utf-8")
    pins = (
        Locked(
            pin["name"],
            pin["version"],
            tuple(_HASH.findall(pin["hashes"])),
            tuple(pin["via"].replace("#", " ").split()),
        )
        for pin in _PIN.finditer(text)
    )
    return {normalised(pin.name): pin for pin in pins}


def python_of(path: Path) -> str:
    """The version of Python for which a lock was made: `3.11`."""
    found = re.search(r"pip-compile with Python (\d+\.\d+)", path.read_text(encoding="utf-8"))
    if not found:
        raise ValueError(f"{path} does not say for which Python it was made: `make lock`")
    return found[1]


def npm_packages(path: Path = NPM_LOCK) -> Sequence[NpmPackage]:
    """The packages from which the console is bundled: those not only for development."""
    packages: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["packages"]
    bundled = {
        place: entry
        for place, entry in packages.items()
        if place and not entry.get("dev") and not entry.get("devOptional")
    }
    found: dict[tuple[str, str], NpmPackage] = {}
    for place, entry in sorted(bundled.items()):
        required = {**entry.get("dependencies", {}), **entry.get("peerDependencies", {})}
        places = [_resolved(name, place, bundled) for name in sorted(required)]
        package = NpmPackage(
            name=_name(place),
            version=entry["version"],
            licence=entry.get("license", ""),
            sha512=_hexadecimal(entry["integrity"]),
            requires=tuple(f"{_name(one)}@{bundled[one]['version']}" for one in places if one),
        )
        # One may lie at several places.
        found.setdefault((package.name, package.version), package)
    return [found[key] for key in sorted(found)]


def _name(place: str) -> str:
    return place.rpartition(_NODE_MODULES)[2]


def _resolved(name: str, place: str, packages: Mapping[str, object]) -> str:
    """Where Node.js finds a package that the one at `place` imports; empty if it is not there."""
    while True:
        found = f"{place}/{_NODE_MODULES}{name}".lstrip("/")
        if found in packages:
            return found
        if not place:
            return ""
        place = place.rpartition(_NODE_MODULES)[0].rstrip("/")


def _hexadecimal(integrity: str) -> str:
    kind, _, digest = integrity.partition("-")
    if kind != "sha512":
        raise ValueError(f"{integrity} is no SHA-512")
    return base64.b64decode(digest).hex()
