"""Files that are written atomically, and the end of log files."""

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, text: str, *, mode: int = 0o644, durable: bool = True) -> None:
    """Replace `path` by `text`: a reader, or a start after a crash, finds the old text or the new one.

    `durable=False` spares the disk: after a power loss the file may be empty.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            if durable:
                os.fsync(descriptor)
        os.replace(temporary, path)  # noqa: PTH105 - mkstemp names a str
        if durable:
            flush_folder(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def flush_folder(folder: Path) -> None:
    """Flush the names in a folder: a flush of a file alone may leave its new name to chance."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tail(path: Path, *, lines: int = 30, limit_bytes: int = 64 * 1024) -> str:
    """The last lines of a text file; empty if there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit_bytes))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
