"""Log files of the stack's processes: bounded while they grow, and read when a start fails.

A process writes into a pipe, and a thread of its supervisor moves that to the file. So a log changes its file
between two lines, nothing is lost, and no program has to open its log again. What a process wrote before it
was killed is in the pipe and still reaches the file. Only a supervisor that is killed loses what its threads
have not read yet.
"""

import contextlib
import json
import os
import select
import threading
from datetime import datetime
from pathlib import Path

from deploy.embedded.errors import StartFailed
from deploy.embedded.files import tail

MAX_LOG_BYTES = 10 * 1024 * 1024
"""A log of this size is renamed over the one before: each process has at most twice this size."""

_MAX_LINE_BYTES = 1024 * 1024
"""A longer line may be cut: a program that never ends its line must not fill the disk."""
_CHUNK_BYTES = 64 * 1024
_MAX_PIPE_BYTES = 1024 * 1024
_COMPLAINTS = frozenset({"WARNING", "ERROR", "CRITICAL"})


class Log:
    """The log of one process: its last lines in `path`, those before in `path` with `.1` added."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_LOG_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._heard = b""
        self._was_heard = False
        self._pipes: set[int] = set()

    def open_pipe(self) -> int:
        """A descriptor to write to, for a process that is started; the caller closes it."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        with self._lock:
            self._pipes.add(read_end)
        threading.Thread(
            target=self._move, args=(read_end,), name=f"log {self.path.name}", daemon=True
        ).start()
        return write_end

    def listen_for(self, words: bytes) -> None:
        """Have `heard` tell whether a process writes these words."""
        self._heard = words

    def heard(self) -> bool:
        """Whether a process has written the words since this was asked last, also to a full disk."""
        with self._lock:
            was_heard, self._was_heard = self._was_heard, False
        return was_heard

    def settle(self) -> None:
        """Return when everything that was written before this call is in the file."""
        with self._lock:
            for read_end in self._pipes:
                self._take(read_end)

    def _move(self, read_end: int) -> None:
        poll = select.poll()
        poll.register(read_end, select.POLLIN)
        may_come = True
        while may_come:
            poll.poll()
            with self._lock:
                may_come = self._take(read_end)
        with self._lock:
            self._pipes.remove(read_end)
            os.close(read_end)
            if not self._pipes:
                self._close()

    def _take(self, read_end: int) -> bool:
        """Copy what is in the pipe; False once it has no writer any more."""
        for _ in range(_MAX_PIPE_BYTES // _CHUNK_BYTES):
            try:
                chunk = os.read(read_end, _CHUNK_BYTES)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self._was_heard |= bool(self._heard) and self._heard in chunk
            # A full disk must not stop the process: what cannot be written is dropped.
            with contextlib.suppress(OSError):
                self._write(chunk)
        return True

    def _write(self, chunk: bytes) -> None:
        if self._descriptor is None:
            self._descriptor = open_log(self.path)
        length = os.fstat(self._descriptor).st_size + len(chunk)
        end = chunk.rfind(b"\n") + 1
        if length < self._max_bytes or (end == 0 and length < self._max_bytes + _MAX_LINE_BYTES):
            os.write(self._descriptor, chunk)
            return
        end = end or len(chunk)
        os.write(self._descriptor, chunk[:end])
        self._close()
        _move_aside(self.path)
        self._descriptor = open_log(self.path)
        os.write(self._descriptor, chunk[end:])

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def open_log(path: Path) -> int:
    """A descriptor that appends to the log; one that has grown too long is moved aside first."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > MAX_LOG_BYTES:
            _move_aside(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def bound_own_log(path: Path) -> None:
    """Begin a new log if this process's own output goes to `path` and that has grown too long."""
    ours = [number for number in (1, 2) if _is_open_as(number, path)]
    if not ours or path.stat().st_size <= MAX_LOG_BYTES:
        return
    descriptor = open_log(path)
    for number in ours:
        os.dup2(descriptor, number)
    os.close(descriptor)


def failure(process: str, reason: str, path: Path, *, since_s: float) -> StartFailed:
    """Why a process does not come up, with what its log said last since that time."""
    last_lines = tail(path)
    said = _last_complaint(last_lines, since_s)
    return StartFailed(process, f"{reason}: {said}" if said else reason, path, last_lines)


def _last_complaint(lines: str, since_s: float) -> str:
    """The message of the last warning or error in a service's log; empty if there is none."""
    for line in reversed(lines.splitlines()):
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            entry = json.loads(line)
            if entry["level"] in _COMPLAINTS and datetime.fromisoformat(entry["ts"]).timestamp() >= since_s:
                exception = entry.get("exception", "").rpartition("\n")[2]
                parts = (entry.get("what") or entry["message"], entry.get("error") or exception)
                return ": ".join(part for part in parts if part)
    return ""


def _move_aside(path: Path) -> None:
    path.replace(path.with_name(path.name + ".1"))


def _is_open_as(number: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), path.stat())
    except OSError:
        return False
