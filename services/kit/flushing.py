"""Flushing what another program wrote: an embedded server that acknowledges before its files are on the disk.

The kernel keeps written pages per file, not per writer: whoever may read a file can flush all of it. So the
process that is about to commit a row flushes the files that the row depends on.
"""

import asyncio
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from loupe.errors import Internal

_Version = tuple[int, int, int]
"""Inode, size and time of change: one of them differs after every write, because these servers append."""


class FolderFlusher:
    """Flushes the files of one folder that changed since its last flush. Thread-safe.

    Group commit: calls that come while a flush runs share the next one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._flushed: dict[str, _Version] = {}
        self._flushing = threading.Lock()
        self._counting = threading.Lock()
        self._begun = 0
        self._ended = 0
        self._failure: OSError | None = None

    def flush(self) -> None:
        """Return when everything that was written to the folder before this call is on the disk. Blocks.

        Internal if the disk refuses, from then on for every call: the kernel reports a lost page once and
        forgets it, so a later success would prove nothing.
        """
        with self._counting:
            covering = self._begun + 1
        with self._flushing:
            if self._ended < covering:
                with self._counting:
                    self._begun += 1
                self._flush_once()
                self._ended = self._begun

    async def flush_soon(self) -> None:
        """The same, without blocking the event loop."""
        await asyncio.to_thread(self.flush)

    def _flush_once(self) -> None:
        if self._failure is None:
            try:
                self._flushed = {path: self._flush_entry(path) for path in self._entries()}
            except OSError as error:
                self._failure = error
        if self._failure is not None:
            raise Internal(
                f"{self._folder} cannot be flushed ({self._failure}); look at the disk, then restart",
                reason="NOT_FLUSHED",
            ) from self._failure

    def _entries(self) -> Iterator[str]:
        """Files before the folder that names them; a folder whose entries changed is flushed too."""
        for folder, _, files in os.walk(self._folder, topdown=False):
            yield from (os.path.join(folder, file) for file in files)  # noqa: PTH118 -- pathlib costs five times as much
            yield folder

    def _flush_entry(self, path: str) -> _Version:
        try:
            found = os.lstat(path)
            # Taken before the flush: a write meanwhile makes another version.
            version = (found.st_ino, found.st_size, found.st_mtime_ns)
            if self._flushed.get(path) != version and (
                stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
            ):
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except FileNotFoundError:
            # Compacted into a file that the server flushed itself.
            return (0, 0, 0)
        return version
