"""The licences of what an installation gets: on record for each component, and allowed."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, LicenseExpression, get_spdx_licensing

from supply.lock import Locked, NpmPackage

RECORD = Path(__file__).with_name("licences.toml")
UNLOCKED = ("torch", "torchvision")
"""Part of an installation and of no lock."""

_SPDX = get_spdx_licensing()
# libpng16-529cb57a.so.16.58.0: what a tool for wheels adds begins with eight hexadecimal digits.
_ADDED = re.compile(r"[-.][0-9a-f]{8}[-.].*")


@dataclass(frozen=True)
class Licences:
    """What is on record: `licences.toml`."""

    allowed: Sequence[str]
    exceptions: Mapping[str, str]
    python: Mapping[str, str]
    libraries: Mapping[str, Mapping[str, str]]
    programs: Mapping[str, Mapping[str, Mapping[str, str]]]
    vendored: Mapping[str, Mapping[str, str]]
    linked: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, path: Path = RECORD) -> "Licences":
        """Those of a file."""
        return cls(**tomllib.loads(path.read_text(encoding="utf-8")))

    def all(self, npm: Sequence[NpmPackage]) -> Iterator[tuple[str, str]]:
        """Every component with its licence; a library once for each wheel that brings it."""
        yield from self.python.items()
        for each in self.libraries.values():
            yield from each.items()
        for table in (self.vendored, self.linked, *self.programs.values()):
            yield from ((name, entry["licence"]) for name, entry in table.items())
        yield from ((package.name, package.licence) for package in npm)


def faults(licences: Licences, lock: Mapping[str, Locked], npm: Sequence[NpmPackage]) -> Iterator[str]:
    """Why what the locks name may not be handed on; nothing about what is installed."""
    wanted = {*lock, *UNLOCKED}
    for name in sorted(wanted - set(licences.python)):
        yield (
            f"{name} has no licence on record: write its SPDX expression into [python] of {RECORD.name}"
            f"{_declared(name)}"
        )
    for name in sorted(set(licences.python) - wanted):
        yield f"{name} is in no lock any more: remove it from [python] of {RECORD.name}"
    needed = set()
    for name, licence in licences.all(npm):
        if not licence:
            yield f"{name} names no licence in package-lock.json"
        elif unknown := _unknown(licence):
            yield f"{name}: {licence} is no SPDX expression ({unknown})"
        elif not is_allowed(licence, licences.allowed):
            needed.add(name)
            if name not in licences.exceptions:
                yield (
                    f"{name}: {licence} is not allowed. Do without it, or, if its terms are kept, name the "
                    f"reason in [exceptions] of {RECORD.name}"
                )
    for name in sorted(set(licences.exceptions) - needed):
        yield f"{name} needs no exception: remove it from [exceptions] of {RECORD.name}"


def installed_faults(licences: Licences, lock: Mapping[str, Locked]) -> Iterator[str]:
    """Where what is installed here contradicts the record: another licence, a library without a line."""
    for name, locked in lock.items():
        found = _installed(locked)
        if found is None:
            continue
        declared = found.metadata["License-Expression"]
        recorded = licences.python.get(name)
        if declared and recorded and _SPDX.parse(declared) != _SPDX.parse(recorded):
            yield f"{name} is on record with {recorded}, and its metadata says {declared}"
        for library in sorted(_libraries(found) - set(licences.libraries.get(name, {}))):
            yield f"{name} brings {library}, which has no line in [libraries.{name}] of {RECORD.name}"


def is_allowed(licence: str, allowed: Sequence[str]) -> bool:
    """Whether one may keep the terms of an expression by those that are allowed."""
    return _holds(_SPDX.parse(licence), frozenset(allowed))


def _holds(expression: LicenseExpression, allowed: frozenset[str]) -> bool:
    if isinstance(expression, _SPDX.AND):
        return all(_holds(part, allowed) for part in expression.args)
    if isinstance(expression, _SPDX.OR):
        return any(_holds(part, allowed) for part in expression.args)
    return str(expression) in allowed


def _unknown(licence: str) -> str:
    try:
        _SPDX.parse(licence, validate=True, strict=True)
    except ExpressionError as error:
        return str(error)
    return ""


def _declared(name: str) -> str:
    try:
        found: Any = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    said = [found.get("License-Expression"), found.get("License")]
    said += [one for one in found.get_all("Classifier") or [] if one.startswith("License")]
    return f"; its metadata says {'; '.join(one.partition(chr(10))[0] for one in said if one) or 'nothing'}"


def _installed(locked: Locked) -> metadata.Distribution | None:
    try:
        found = metadata.distribution(locked.name)
    except metadata.PackageNotFoundError:
        return None
    return found if found.version == locked.version else None


def _libraries(found: metadata.Distribution) -> set[str]:
    files = found.files or []
    return {_ADDED.sub("", file.name) for file in files if file.parts[0].endswith(".libs")}
