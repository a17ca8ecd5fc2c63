"""Reads all of a backup and says what is missing or altered."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from deploy.backup.errors import BackupError
from deploy.backup.making import OnProgress, Progress, ignore, sha256_in
from deploy.backup.manifest import OBJECTS, Manifest, read_object_lines
from deploy.backup.places import Source, chunks_of, source_of
from deploy.backup.sealing import Passphrase


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What a verification found."""

    place: str
    manifest: Manifest
    faults: tuple[str, ...]
    """A sentence for each part and object that is missing or altered."""


def verify(path: Path, *, passphrase: str | None = None, on_progress: OnProgress = ignore) -> Verified:
    """Read a backup and compare every digest; BackupError where there is none that can be read."""
    with source_of(path, Passphrase(passphrase) if passphrase is not None else None) as source:
        manifest = source.manifest()
        faults = source.faults(manifest)
        if not any(fault.startswith(OBJECTS) for fault in faults):
            with source.open(OBJECTS) as file:
                sizes = read_object_lines(file)
            read_bytes = 0
            for number, (key, size_bytes) in enumerate(sizes.items(), 1):
                if fault := _fault(source, key, size_bytes):
                    faults.append(fault)
                read_bytes += size_bytes
                on_progress(Progress(objects=number, of=len(sizes), bytes=read_bytes))
        return Verified(place=source.name, manifest=manifest, faults=tuple(faults))


def _fault(source: Source, key: str, size_bytes: int) -> str:
    try:
        with source.open_object(key) as file:
            digest, found_bytes = hashlib.sha256(), 0
            for chunk in chunks_of(file):
                digest.update(chunk)
                found_bytes += len(chunk)
    except FileNotFoundError:
        return f"objects/{key} is missing"
    except BackupError as error:
        return str(error)
    if found_bytes != size_bytes or digest.hexdigest() != sha256_in(key):
        return f"objects/{key} is altered: its SHA-256 is {digest.hexdigest()}"
    return ""
