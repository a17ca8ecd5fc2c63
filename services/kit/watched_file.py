"""A small file that is read again when it was replaced, so that what it says changes without a restart."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_Status = tuple[int, int, int]

_log = logging.getLogger(__name__)


class WatchedFile(Generic[T]):
    """Call it for what the file says now. Whoever changes the file replaces it, and does not write into it.

    A file that is gone or makes no sense is told once, and what it said before stays in force. OSError or the
    ValueError of `parse` only at the beginning.
    """

    def __init__(self, path: Path, parse: Callable[[str], T]) -> None:
        self._path = path
        self._parse = parse
        self._seen: _Status | None = self._look()
        self._value = parse(path.read_text())

    def __call__(self) -> T:
        """What it says; costs one look at the file's status."""
        try:
            seen = self._look()
        except OSError as error:
            self._tell(None, error)
            return self._value
        if seen != self._seen:
            try:
                self._value = self._parse(self._path.read_text())
            except (OSError, ValueError) as error:
                self._tell(seen, error)
            else:
                self._seen = seen
                _log.info("a file was replaced", extra={"path": str(self._path)})
        return self._value

    def _look(self) -> _Status:
        # The link's target: orchestrators replace a mounted file by replacing a link.
        status = os.stat(self._path)  # noqa: PTH116 -- the call is on the path of every RPC
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _tell(self, seen: _Status | None, error: Exception) -> None:
        if seen != self._seen:
            self._seen = seen
            _log.error(
                "a file cannot be used; what it said before stays in force",
                extra={"path": str(self._path), "error": str(error)},
            )
