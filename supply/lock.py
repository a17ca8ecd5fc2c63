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
    r"^(?P<name>[a-z0-9._-]+)==(?P<version>\S+)(?P<hashes>(?: \\\n +--hash=sha256:[0-9a-f]{64})+)",
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


@dataclass(frozen=True)
class NpmPackage:
    """A package in package-lock.json that the console needs when it runs."""

    name: str
    version: str
    licence: str
    """As its package.json says; empty if it says nothing."""
    sha512: str
    """Hexadecimal, of its archive."""


def normalised(name: str) -> str:
    """The name of a distribution as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def python_lock(path: Path) -> Mapping[str, Locked]:
    """The distributions of a lock, by normalised name."""
    text = path.read_text(encoding="utf-8")
    locked = [
        Locked(pin["name"], pin["version"], tuple(_HASH.findall(pin["hashes"])))
        for pin in _PIN.finditer(text)
    ]
    return {normalised(one.name): one for one in locked}


def npm_packages(path: Path = NPM_LOCK) -> Sequence[NpmPackage]:
    """The packages from which the console is bundled: those not only for development."""
    packages: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["packages"]
    return sorted(
        (
            NpmPackage(
                name=place.rpartition(_NODE_MODULES)[2],
                version=entry["version"],
                licence=entry.get("license", ""),
                sha512=_hexadecimal(entry["integrity"]),
            )
            for place, entry in packages.items()
            if place and not entry.get("dev") and not entry.get("devOptional")
        ),
        key=lambda package: (package.name, package.version),
    )


def _hexadecimal(integrity: str) -> str:
    kind, _, digest = integrity.partition("-")
    if kind != "sha512":
        raise ValueError(f"{integrity} is no SHA-512")
    return base64.b64decode(digest).hex()
