"""Child processes that receive orders and send events as JSON lines, and die with their parent.

Orders go to the child's stdin; events come back on a pipe of their own, whose descriptor is in
LOUPE_EVENT_FD; stdout and stderr are left to libraries and captured line by line. The
parent's side is `ChildProcess`, the child's is `ParentLink`.
"""

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self

from loupe.errors import FailedPrecondition, Internal

_log = logging.getLogger(__name__)

EVENT_FD = "LOUPE_EVENT_FD"
OBJECT_FDS = "LOUPE_OBJECT_FDS"
"""The descriptors of the sockets on which a worker gives its child objects, comma-separated."""
_MAX_EVENT_BYTES = 64 * 1024 * 1024
_MAX_LINE_BYTES = 64 * 1024
_PR_SET_PDEATHSIG = 1

Event = dict[str, Any]
OutputStream = Literal["stdout", "stderr"]
OnOutput = Callable[[OutputStream, str], None]

# Loaded before any fork: between fork and exec a child of a threaded process may not import or allocate
# freely.
_libc = ctypes.CDLL(None, use_errno=True)


class DieWithParent:
    """A `preexec_fn`: the kernel kills the child when the *thread* that made it, the main one, ends."""

    def __init__(self, signal_number: int = signal.SIGKILL) -> None:
        self._signal_number = int(signal_number)
        self._parent = os.getpid()

    def __call__(self) -> None:
        """Run in the child, between fork and exec."""
        _libc.prctl(_PR_SET_PDEATHSIG, self._signal_number, 0, 0, 0)
        # The parent may have died before the call above: then nothing would ever kill us.
        if os.getppid() != self._parent:
            os._exit(1)


class ChildProcess:
    """A running child in its own process group; it dies with its parent."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        events: asyncio.StreamReader,
        event_transport: asyncio.BaseTransport,
        output: list[asyncio.Task[None]],
    ) -> None:
        self._process = process
        self._events = events
        self._event_transport = event_transport
        self._output = output
        self._reaper = asyncio.create_task(self._reap(), name=f"child {process.pid}")

    @classmethod
    async def spawn(
        cls,
        argv: Sequence[str],
        *,
        on_output: OnOutput,
        environ: Mapping[str, str] | None = None,
        cwd: str | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> Self:
        """Start `argv`. `environ` is the whole environment (None = ours). Call it from the main thread."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("spawn from the main thread: the child dies with the thread that made it")
        loop = asyncio.get_running_loop()
        read_fd, write_fd = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**(os.environ if environ is None else environ), EVENT_FD: str(write_fd)},
                cwd=cwd,
                pass_fds=(write_fd, *pass_fds),
                start_new_session=True,
                preexec_fn=DieWithParent(),
            )
        except BaseException:
            os.close(read_fd)
            raise
        finally:
            os.close(write_fd)
        events = asyncio.StreamReader(limit=_MAX_EVENT_BYTES)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(events), os.fdopen(read_fd, "rb", buffering=0)
        )
        output = [
            asyncio.create_task(_capture("stdout", process.stdout, on_output)),
            asyncio.create_task(_capture("stderr", process.stderr, on_output)),
        ]
        return cls(process, events, transport, output)

    @property
    def pid(self) -> int:
        """The process id, which is also its group's."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    async def send(self, order: Mapping[str, Any]) -> None:
        """Send an order; FailedPrecondition if the child has ended."""
        if self._process.stdin is None:  # pragma: no cover -- spawn always pipes it
            raise Internal("the child has no stdin")
        try:
            self._process.stdin.write(_line(order))
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError, RuntimeError) as error:
            raise FailedPrecondition(
                f"child {self.pid} is gone; it takes no orders", reason="CHILD_GONE"
            ) from error

    async def events(self) -> AsyncIterator[Event]:
        """The events of the child until its pipe ends; Internal if a line is not a JSON object."""
        while line := await self._events.readline():
            if not line.endswith(b"\n"):
                return  # killed in the middle of a line
            event = json.loads(line)
            if not isinstance(event, dict):
                raise Internal(f"child {self.pid} told {line[:100]!r}", reason="CHILD_PROTOCOL")
            yield event

    async def wait(self) -> int:
        """The exit code, when the process has ended and its output was captured."""
        return await asyncio.shield(self._reaper)

    async def terminate(self, grace_s: float) -> int:
        """SIGTERM to the child, SIGKILL to its whole group after `grace_s`; returns the exit code."""
        # Only the child gets SIGTERM: if its helpers died first, it could not end in order. Not by
        # Process.terminate, which polls first: its poll and asyncio's waiting thread would race for the exit
        # code, and the second one reports 255.
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                return await self.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """SIGKILL to the whole group; returns the exit code."""
        self._kill_group()
        return await self.wait()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _reap(self) -> int:
        try:
            returncode = await self._process.wait()
        finally:
            # Kills what the child started too, which closes the pipes.
            self._kill_group()
        await asyncio.gather(*self._output, return_exceptions=True)
        return returncode

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(self.kill())
        self._event_transport.close()


class ParentLink:
    """The child's side, blocking: orders from stdin, events to the parent. `emit` is thread-safe.

    A signal handler may emit, whatever it interrupts, but should not raise there: an exception in the middle
    of a line breaks the line.
    """

    def __init__(self, event_fd: int) -> None:
        self._event_fd = event_fd
        # Reentrant: a signal handler runs in a thread that may hold the lock already.
        self._lock = threading.RLock()
        self._lines: deque[bytes] = deque()
        self._writing = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The link that the parent made; FailedPrecondition when started by hand."""
        text = environ.get(EVENT_FD)
        if text is None:
            raise FailedPrecondition(
                f"{EVENT_FD} is not set: this program is started by its worker", reason="NO_PARENT"
            )
        # Grandchildren must not hold the pipe open.
        os.set_inheritable(int(text), False)
        return cls(int(text))

    def emit(self, event: Mapping[str, Any]) -> None:
        """Send one event; blocks while the pipe is full. BrokenPipeError if the parent has ended.

        In a signal handler that interrupts an emit, the interrupted emit writes the line after its own.
        """
        self._lines.append(_line(event))
        with self._lock:
            # Test the lines again after `_writing` is cleared: a signal handler may have added one.
            while self._lines and not self._writing:
                self._writing = True
                try:
                    self._write_lines()
                finally:
                    self._writing = False

    def _write_lines(self) -> None:
        while self._lines:
            rest = memoryview(self._lines.popleft())
            while rest:
                rest = rest[os.write(self._event_fd, rest) :]

    def orders(self) -> Iterator[Event]:
        """The orders, until the parent closes stdin."""
        for line in sys.stdin.buffer:
            yield json.loads(line)


def _line(value: Mapping[str, Any]) -> bytes:
    # NaN is not JSON: the caller sends null instead.
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode() + b"\n"


async def _capture(name: OutputStream, reader: asyncio.StreamReader | None, on_output: OnOutput) -> None:
    if reader is None:  # pragma: no cover -- spawn always pipes it
        return
    pending = b""
    while chunk := await reader.read(_MAX_LINE_BYTES):
        # Progress bars end their lines with a carriage return.
        *lines, pending = (pending + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        if len(pending) >= _MAX_LINE_BYTES:
            lines.append(pending)
            pending = b""
        for line in lines:
            _deliver(on_output, name, line)
    if pending:
        _deliver(on_output, name, pending)


def _deliver(on_output: OnOutput, name: OutputStream, line: bytes) -> None:
    try:
        on_output(name, line.decode("utf-8", "replace"))
    except Exception:  # noqa: BLE001 -- see below
        # A full pipe would block the child, so go on reading whatever the listener raises.
        _log.exception("a line of the child's output could not be handled")
