"""Where a backup lies: one file (a tar, sealed as a whole), or a folder that keeps several.

A folder keeps each object once: `objects/<key>`, and for each backup `backups/<time>/` with the rest. A file
holds the same names. What is written has its name only when it is complete and flushed.
"""

import contextlib
import hashlib
import io
import os
import re
import shutil
import tarfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self, cast

from loupe.translation import sentence

from deploy.backup.errors import BackupError, WrongPassphrase
from deploy.backup.manifest import MANIFEST, Manifest, Part
from deploy.backup.sealing import Passphrase, SealedReader, SealingWriter, is_sealed, unsealed_size
from deploy.embedded.files import flush_folder

_COPY_BYTES = 1024 * 1024
_BACKUPS, _OBJECTS = "backups", "objects"
_PARTIAL = ".partial"
_TIME = re.compile(r"\d{8}T\d{6}Z(-\d+)?")


class Target(ABC):
    """What a backup is written to. Of one that fails `with` leaves nothing, but objects in a folder."""

    room: Path
    """A folder on the same disk, for temporary files."""

    @abstractmethod
    def size_of_object(self, key: str) -> int | None:
        """The size of an object that an earlier backup brought; None if none did."""

    @abstractmethod
    def add_object(self, key: str, content: IO[bytes], size_bytes: int) -> None:
        """Store an object."""

    @abstractmethod
    def add(self, name: str, content: IO[bytes], size_bytes: int) -> None:
        """Store another part."""

    @abstractmethod
    def complete(self) -> str:
        """Flush everything and give it its name; where it is."""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...


class FileTarget(Target):
    """One file."""

    def __init__(self, path: Path, passphrase: Passphrase | None) -> None:
        self._path, self._passphrase = path, passphrase
        self.room = path.absolute().parent
        self._partial = path.with_name(path.name + _PARTIAL)

    def __enter__(self) -> Self:
        descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._sealing = SealingWriter(self._file, self._passphrase) if self._passphrase else None
        out = cast("IO[bytes]", self._sealing or self._file)
        self._tar = tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_COPY_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._partial.unlink(missing_ok=True)

    def size_of_object(self, key: str) -> int | None:  # noqa: ARG002 -- nothing is there
        """None."""
        return None

    def add_object(self, key: str, content: IO[bytes], size_bytes: int) -> None:
        """As a member `objects/<key>`."""
        self.add(f"{_OBJECTS}/{key}", content, size_bytes)

    def add(self, name: str, content: IO[bytes], size_bytes: int) -> None:
        """As a member of that name."""
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size_bytes, 0o600, int(time.time())
        self._tar.addfile(member, content)

    def complete(self) -> str:
        """Write the end of the archive and rename the file."""
        self._tar.close()
        if self._sealing is not None:
            self._sealing.finish()
        _flush(self._file)
        self._partial.replace(self._path)
        flush_folder(self._path.parent)
        return str(self._path)


class FolderTarget(Target):
    """A folder with earlier backups, or none."""

    def __init__(self, root: Path, passphrase: Passphrase | None) -> None:
        self._root, self._passphrase = root, passphrase
        self.room = root

    def __enter__(self) -> Self:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._root / _BACKUPS).mkdir(mode=0o700, exist_ok=True)
        self._require_same_passphrase()
        for leftover in (self._root / _BACKUPS).glob(f"*{_PARTIAL}"):
            shutil.rmtree(leftover)
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        number = 1
        while (self._root / _BACKUPS / name).exists():
            number += 1
            name = f"{name[:16]}-{number}"
        self._backup = self._root / _BACKUPS / name
        self._partial = self._backup.with_name(name + _PARTIAL)
        self._partial.mkdir(mode=0o700)
        return self

    def _require_same_passphrase(self) -> None:
        """All backups of a folder share its objects."""
        for path in sorted(self._root.glob(f"{_BACKUPS}/*/{MANIFEST}"))[-1:]:
            _unsealed(path, self._passphrase).close()

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)

    def size_of_object(self, key: str) -> int | None:
        """Of the object before it was sealed."""
        try:
            size_bytes = (self._root / _OBJECTS / key).stat().st_size
        except FileNotFoundError:
            return None
        return unsealed_size(size_bytes) if self._passphrase else size_bytes

    def add_object(self, key: str, content: IO[bytes], size_bytes: int) -> None:
        """Under its key."""
        self._write(self._root / _OBJECTS / key, content, size_bytes)

    def add(self, name: str, content: IO[bytes], size_bytes: int) -> None:
        """In the folder of this backup."""
        self._write(self._partial / name, content, size_bytes)

    def _write(self, path: Path, content: IO[bytes], size_bytes: int) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_name(path.name + _PARTIAL)
        try:
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                out = SealingWriter(file, self._passphrase) if self._passphrase else None
                copied = _copy(content, cast("IO[bytes]", out or file))
                if copied != size_bytes:
                    raise BackupError(
                        sentence(
                            "{file} has {copied} bytes, not {size_bytes}; try again",
                            file=path.name,
                            copied=copied,
                            size_bytes=size_bytes,
                        )
                    )
                if out is not None:
                    out.finish()
                _flush(file)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def complete(self) -> str:
        """Give the backup its name."""
        for folder in {path.parent for path in self._partial.rglob("*")}:
            flush_folder(folder)
        self._partial.rename(self._backup)
        flush_folder(self._backup.parent)
        return str(self._backup)


class Source(ABC):
    """A backup that is read; closed by `with`."""

    name: str

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """A part; FileNotFoundError. Whole and unaltered only as far as `check` or a reader of all finds."""

    def open_object(self, key: str) -> IO[bytes]:
        """An object; FileNotFoundError."""
        return self.open(f"{_OBJECTS}/{key}")

    def manifest(self) -> Manifest:
        """What the backup says of itself; BackupError."""
        try:
            with self.open(MANIFEST) as file:
                return Manifest.of_json(file.read())
        except FileNotFoundError as error:
            raise BackupError(
                sentence(
                    "{place} is no backup: it holds no {file}; name another", place=self.name, file=MANIFEST
                )
            ) from error

    def faults(self, manifest: Manifest) -> list[str]:
        """What is missing or altered of the parts, a sentence each."""
        return [fault for name, part in manifest.parts.items() if (fault := self._fault(name, part))]

    def _fault(self, name: str, part: Part) -> str:
        try:
            with self.open(name) as file:
                size_bytes, sha256 = digest_of(file)
        except FileNotFoundError:
            return f"{name} is missing"
        except BackupError as error:
            return str(error)
        if (size_bytes, sha256) != (part.size_bytes, part.sha256):
            return f"{name} is altered: its SHA-256 is {sha256}, not {part.sha256}"
        return ""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...


class FileSource(Source):
    """A backup in one file."""

    def __init__(self, path: Path, passphrase: Passphrase | None) -> None:
        self.name = str(path)
        self._path, self._passphrase = path, passphrase

    def __enter__(self) -> Self:
        file = _unsealed(self._path, self._passphrase)
        try:
            self._tar = tarfile.open(fileobj=file, mode="r:")
            self._members = {member.name: member for member in self._tar}
        except tarfile.TarError as error:
            file.close()
            raise BackupError(
                sentence(
                    "{place} is no backup, or cut off ({error}); name another", place=self._path, error=error
                )
            ) from error
        self._file = file
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()
        self._file.close()

    def open(self, name: str) -> IO[bytes]:
        """A member of the archive."""
        member = self._members.get(name)
        found = self._tar.extractfile(member) if member is not None else None
        if found is None:
            raise FileNotFoundError(name)
        return found


class FolderSource(Source):
    """A backup of a folder: the newest, or that of a name."""

    def __init__(self, root: Path, passphrase: Passphrase | None) -> None:
        found = sorted(root.glob(f"{_BACKUPS}/*/{MANIFEST}"), key=lambda path: path.parent.name)
        if root.parent.name == _BACKUPS and (root / MANIFEST).is_file():
            # One backup of several, by its own folder.
            found, root = [root / MANIFEST], root.parent.parent
        if not found:
            raise BackupError(
                sentence("{place} holds no backup; name the folder, or the file, that has one", place=root)
            )
        self._root, self._backup = root, found[-1].parent
        self._passphrase = passphrase
        self.name = str(self._backup)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def open(self, name: str) -> IO[bytes]:
        """A file."""
        folder = self._root if name.startswith(f"{_OBJECTS}/") else self._backup
        return _unsealed(folder / name, self._passphrase)


def target_of(path: Path, passphrase: Passphrase | None) -> Target:
    """Where a backup is to be written: into a folder that exists, else to a file."""
    if path.is_dir():
        return FolderTarget(path, passphrase)
    if path.exists():
        raise BackupError(
            sentence(
                "{place} exists; name another file, or a folder, which keeps several backups", place=path
            )
        )
    if not path.parent.is_dir():
        raise BackupError(sentence("{place} is no folder; make it first", place=path.parent))
    return FileTarget(path, passphrase)


def source_of(path: Path, passphrase: Passphrase | None) -> Source:
    """A backup that was made; BackupError if there is none."""
    if path.is_dir():
        return FolderSource(path, passphrase)
    if not path.is_file():
        raise BackupError(
            sentence("{place} does not exist; name the file or the folder of a backup", place=path)
        )
    return FileSource(path, passphrase)


def is_encrypted(path: Path) -> bool:
    """Whether a passphrase is needed to read the backup at a path."""
    if path.is_dir():
        manifests = sorted((*path.glob(f"{_BACKUPS}/*/{MANIFEST}"), *path.glob(MANIFEST)))
        return bool(manifests) and is_encrypted(manifests[-1])
    with contextlib.suppress(OSError), path.open("rb") as file:
        return is_sealed(file)
    return False


def digest_of(file: IO[bytes]) -> tuple[int, str]:
    """Size and SHA-256 of what is left in a file."""
    digest, size_bytes = hashlib.sha256(), 0
    while chunk := file.read(_COPY_BYTES):
        digest.update(chunk)
        size_bytes += len(chunk)
    return size_bytes, digest.hexdigest()


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """What is left in a file."""
    while chunk := file.read(_COPY_BYTES):
        yield chunk


def _unsealed(path: Path, passphrase: Passphrase | None) -> IO[bytes]:
    file = path.open("rb")
    try:
        if not is_sealed(file):
            _require_none(path, passphrase)
            return file
        reader = SealedReader(file, _required(path, passphrase), str(path))
    except BaseException:
        file.close()
        raise
    return io.BufferedReader(reader, _COPY_BYTES)


def _require_none(path: Path, passphrase: Passphrase | None) -> None:
    """Else whoever can write there could put something of their own in the place of what was encrypted."""
    if passphrase is not None:
        raise WrongPassphrase(
            sentence("{place} is not encrypted, but a passphrase is given; leave it out", place=path)
        )


def _required(path: Path, passphrase: Passphrase | None) -> Passphrase:
    if passphrase is None:
        raise WrongPassphrase(sentence("{place} is encrypted; give its passphrase", place=path))
    return passphrase


def _copy(source: IO[bytes], out: IO[bytes]) -> int:
    copied = 0
    for chunk in chunks_of(source):
        out.write(chunk)
        copied += len(chunk)
    return copied


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
