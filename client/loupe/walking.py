"""Finds every file below a folder (D7); every other entry is named with the reason why it is not read.

A folder that people fill holds links to nowhere, pipes, names in other encodings, and files that come and go:
none of them may end an import, and none may go unmentioned.
"""

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from loupe.reasons import chinese_of
from loupe.text import as_utf8, encodable
from loupe.translation import sentence

MAX_FILE_BYTES = 64 * 2**20
"""The registry's limit of a picture or mask. A larger file, which may be a hole of terabytes, is not read."""
_CHUNK_BYTES = 2**20
_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not imported, or a part of what it says."""

    file: str
    """Its path below the folder; what UTF-8 has no bytes for is escaped."""
    reason: str
    """Stable, such as NO_CODE, BAD_CODE, NESTED, NOT_AN_IMAGE, MASK_WITHOUT_IMAGE, HIDDEN."""
    message: str
    message_zh: str = ""
    """Where it is not given, what the reason means."""
    is_part: bool = False
    """A part of what an annotation says. `file` is the picture or the annotation, or a name that it gives."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", encodable(self.file))
        object.__setattr__(self, "message_zh", self.message_zh or chinese_of(self.reason))


@dataclass(frozen=True, slots=True)
class Walk:
    """All that lies below a folder."""

    folder: Path
    files: Mapping[str, Path]
    """What can be read, by its path below the folder, in order."""
    folders: frozenset[str]
    """By their path below the folder; hidden ones are left out."""
    left_out: tuple[LeftOut, ...]
    """Every entry besides: what is hidden, no file, or has a name that cannot be sent."""

    @property
    def found(self) -> int:
        """How many entries there are."""
        return len(self.files) + len(self.left_out)


def walk(folder: Path) -> Walk:
    """List `folder`; OSError if it cannot be listed itself."""
    files: dict[str, Path] = {}
    folders: set[str] = set()
    left_out: list[LeftOut] = []
    root = Path(os.path.realpath(folder))
    waiting = [("", folder)]
    while waiting:
        place, directory = waiting.pop()
        try:
            entries = list(directory.iterdir())
        except OSError as error:
            if not place:
                raise
            left_out.append(LeftOut(place, *fault_of(error)))
            continue
        if place and not _is_hidden(place):
            folders.add(place)
        for path in entries:
            entry = as_utf8(path.name)
            name = f"{place}/{entry}" if place else entry
            found = _kind(path, root)
            if found == "folder":
                waiting.append((name, path))
                continue
            fault = _name_fault(name) or found
            if fault is None:
                files[name] = path
            else:
                left_out.append(LeftOut(name, *fault))
    return Walk(
        folder,
        {name: files[name] for name in sorted(files, key=lambda name: name.split("/"))},
        frozenset(folders),
        tuple(sorted(left_out, key=lambda item: item.file)),
    )


def open_file(path: Path) -> BufferedReader:
    """Open a regular file to read it; OSError for anything else, without waiting for a pipe's other end."""
    # O_NONBLOCK does nothing for a regular file. Some systems lack it; some need O_BINARY for bytes.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no regular file")
    return file


def read_file(path: Path, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a regular file; OSError, EFBIG for one that is larger than that."""
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise too_large(max_bytes)
        # In chunks, for it may grow; `read(max_bytes + 1)` takes the memory of the largest file for each.
        data = bytearray()
        while chunk := file.read(_CHUNK_BYTES):
            data += chunk
            if len(data) > max_bytes:
                raise too_large(max_bytes)
    return bytes(data)


def too_large(max_bytes: int = MAX_FILE_BYTES) -> OSError:
    """The fault of a file that is larger than that."""
    return OSError(errno.EFBIG, f"it is larger than {max_bytes:,} bytes")


def fault_of(error: OSError) -> tuple[str, str, str]:
    """Reason and message, in English and Chinese, of a file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return (
            "VANISHED",
            *sentence("it was there when the folder was listed and is gone; import again if it comes back"),
        )
    fact = error.strerror or type(error).__name__
    if error.errno == errno.EFBIG:
        return "TOO_LARGE", f"{fact}; make it smaller, or move it out of the folder", ""
    if isinstance(error, PermissionError):
        return "UNREADABLE", *sentence("it cannot be read: {fact}; mend its permissions", fact=fact)
    return "UNREADABLE", *sentence("it cannot be read: {fact}", fact=fact)


def _is_hidden(name: str) -> bool:
    return "/." in f"/{name}"


def _name_fault(name: str) -> tuple[str, ...] | None:
    """Why an entry is not taken by its name alone. Which characters are taken, the registry says."""
    if _is_hidden(name):
        folder = _is_hidden(name.rpartition("/")[0])
        return "HIDDEN", "in a hidden folder" if folder else "a hidden file"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "BAD_NAME", "its name is not UTF-8; rename it (`convmv -f GBK -t UTF-8 --notest` renames many)"
    return None


def _kind(path: Path, root: Path) -> str | tuple[str, ...] | None:
    """`folder`, or why it is no file, or None for one."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return _link_fault(path, root)
    except OSError as error:
        return fault_of(error)
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return None
    kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "no regular file")
    return "NOT_A_FILE", f"{kind}; only regular files are read"


def _link_fault(path: Path, root: Path) -> tuple[str, ...] | None:
    """Why a link is not read, if it is not; OSError if it is gone."""
    target = encodable(str(path.readlink()))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return (
            "DANGLING_LINK",
            *sentence("a link to {target}, which does not exist; remove or mend it", target=target),
        )
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return "LINK_LOOP", "a link that leads back to itself; remove it"
    if not Path(os.path.realpath(path)).is_relative_to(root):
        return (
            "OUTSIDE_FOLDER",
            *sentence(
                "a link to {target}, outside of the folder; only what lies in it is read: put it there",
                target=target,
            ),
        )
    if stat.S_ISDIR(mode):
        return (
            "LINK_TO_FOLDER",
            *sentence("a link to the folder {target}, which is read at its own place", target=target),
        )
    if stat.S_ISREG(mode):
        return None
    return "NOT_A_FILE", *sentence("a link to {target}, which is no regular file", target=target)
