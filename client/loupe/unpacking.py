"""The files of a package in a folder of their own. Nothing here runs or loads them."""

import hashlib
import json
import os
import shutil
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import IO

from loupe.text import fact_of

LIBRARY = "libCsotArtifact.so"
MODELS = "models.xbin"
CONFIG = "config.yaml"
ENTRIES = frozenset({MODELS, LIBRARY, CONFIG})
_MOST_BYTES = 8 * 2**30
_MOST_CONFIG_BYTES = 2**20


class NotAPackage(ValueError):
    """The message says which file is no package, and why."""


@dataclass(frozen=True)
class Contents:
    """A private copy of a package, and the hashes of the bytes that were copied."""

    folder: Path
    sha256: str
    """Of the zip; empty for a folder."""
    files: Mapping[str, str]
    """SHA-256 by name."""

    @property
    def model_version(self) -> str:
        """What config.yaml says it is: `MODEL@VERSION`. NotAPackage if it says nothing."""
        return model_version(self.config)

    @property
    def config(self) -> bytes:
        """The text of config.yaml. NotAPackage if it is longer than any is."""
        with (self.folder / CONFIG).open("rb") as source:
            text = source.read(_MOST_CONFIG_BYTES + 1)
        if len(text) > _MOST_CONFIG_BYTES:
            raise NotAPackage(f"{CONFIG} is longer than that of any package")
        return text


def config_faults(config: bytes, recorded: bytes) -> list[str]:
    """What of a config.yaml differs from the recorded one and is not the operator's to change (X2).

    Below the line `model:` nothing may differ: the library does not read it, people and MES do.
    """
    settings, description = _halves(config)
    its_settings, its_description = _halves(recorded)
    before, after = _entries(its_settings), _entries(settings)
    changed = [
        name
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name) and not name.startswith(_OF_OPERATOR)
    ]
    faults = [
        f"{name.rstrip(':')}: {_told(after.get(name))}, the registry has {_told(before.get(name))}"
        for name in changed
    ]
    for at, (line, its) in enumerate(zip_longest(description, its_description), len(settings) + 1):
        if line != its:
            faults.append(f"line {at}: {_told(line)}, the registry has {_told(its)}")
    return faults


def fixed_part(config: bytes) -> bytes:
    """What of a config.yaml no operator may change: what a signature covers (X6).

    Above the line `model:` every entry that is not an operator's, without comments and blank lines; that line
    and all below it as it stands. A line may end as Windows ends it. runtime/src/signature.cpp does the same.
    """
    lines = [line.removesuffix(b"\r") for line in config.split(b"\n")]
    kept: list[bytes] = []
    section = b""
    for at, line in enumerate(lines):
        if line == b"model:":
            return b"\n".join([*kept, *lines[at:]])
        text = line.partition(b"#")[0].rstrip(b" ")
        if not text:
            continue
        if not text.startswith(b" "):
            section = text.partition(b":")[0] + b":"
        if section.decode(errors="replace") not in _OF_OPERATOR:
            kept.append(text)
    return b"\n".join(kept)


def _told(text: str | None) -> str:
    return "nothing" if text is None else repr(text)


_OF_OPERATOR = ("filter_resolution:", "thresholds:", "min_area_px:")


def _halves(config: bytes) -> tuple[list[str], list[str]]:
    """The lines above `model:`, and that line with all below it; a line may end as Windows ends it."""
    lines = [line.removesuffix("\r") for line in config.decode(errors="backslashreplace").split("\n")]
    at = lines.index("model:") if "model:" in lines else len(lines)
    return lines[:at], lines[at:]


def _entries(lines: list[str]) -> dict[str, str]:
    """The values of `key:` and `section:key`, by that name; comments are the operator's."""
    found: dict[str, str] = {}
    section = ""
    for line in lines:
        text = line.partition("#")[0].rstrip(" ")
        if not text:
            continue
        key, colon, value = text.strip(" ").partition(":")
        if not text.startswith(" "):
            section = f"{key}:"
        name = f"{section}{key if text.startswith(' ') else ''}{'' if colon else ' (no entry)'}"
        # One that is there twice must not hide the other.
        found[name] = f"{found[name]}, {value.strip(' ')}" if name in found else value.strip(" ")
    return found


def unpack(package: Path, folder: Path) -> None:
    """Exactly the three entries of a zip, into a folder. NotAPackage, or FileNotFoundError."""
    with _opened(package) as source:
        _unpack(source, folder, str(package))


def copy(package: Path, folder: Path) -> Contents:
    """A zip, or the folder of an unpacked one, into a new folder. NotAPackage, or FileNotFoundError.

    What is hashed is the copy: whoever may write to the package cannot change it between check and use.
    """
    folder.mkdir(mode=0o700)
    sha256 = ""
    if package.is_dir():
        for name in sorted(ENTRIES):
            with _opened(package / name) as source, (folder / name).open("xb") as target:
                shutil.copyfileobj(source, target)
    else:
        zipped = folder / "package.zip"
        with _opened(package) as source, zipped.open("xb") as target:
            shutil.copyfileobj(source, target)
        sha256 = _sha256(zipped)
        with zipped.open("rb") as source:
            _unpack(source, folder, str(package))
        zipped.unlink()
    return Contents(folder, sha256, {name: _sha256(folder / name) for name in sorted(ENTRIES)})


def _opened(path: Path) -> IO[bytes]:
    # Without waiting: a named pipe that nobody writes to would hang it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
        os.close(descriptor)
        raise NotAPackage(f"{path} is no file that a package may have")
    return os.fdopen(descriptor, "rb")


def _unpack(source: IO[bytes], folder: Path, package: str) -> None:
    try:
        with zipfile.ZipFile(source) as zipped:
            if fault := _fault(zipped.infolist()):
                raise NotAPackage(f"{package} {fault}")  # noqa: TRY301 -- passed on below
            # A link among them becomes a file with the link's text.
            zipped.extractall(folder)
    except NotAPackage:
        raise
    except Exception as error:  # zipfile and its decompressors raise almost anything on hostile bytes
        raise NotAPackage(f"{package} cannot be unpacked: {fact_of(error)}") from error


def _fault(entries: list[zipfile.ZipInfo]) -> str:
    if sorted(entry.filename for entry in entries) != sorted(ENTRIES):
        return f"is not a package: it must have exactly {', '.join(sorted(ENTRIES))}"
    if sum(entry.file_size for entry in entries) > _MOST_BYTES:
        return "unpacks to more than any package has"
    return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def model_version(config: bytes) -> str:
    """`MODEL@VERSION`, of `name` and `version` below the line `model:`. NotAPackage if it says nothing."""
    lines = iter(config.decode(errors="replace").splitlines())
    found: dict[str, str] = {}
    if "model:" in lines:
        for line in lines:
            if not line.startswith("  "):
                break
            key, _, value = line.strip().partition(": ")
            found.setdefault(key, value)
    try:
        name, version = json.loads(found["name"]), json.loads(found["version"])
    except (KeyError, ValueError):
        name = version = None
    if not isinstance(name, str) or not isinstance(version, str):
        raise NotAPackage(f"{CONFIG} does not say which version of which model it is")
    return f"{name}@{version}"
