"""A pool of confined child processes that work on bytes of strangers; see `services.kit.confinement`.

An order is a JSON line; its bytes go through memory that parent and child share and only the parent writes.
A child that exceeds its time, crashes, or is killed is replaced, and its order ends with a named failure.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from loupe.errors import FailedPrecondition, Internal, Unavailable

from services.kit import machine
from services.kit.child_process import ChildProcess, Event
from services.kit.confined_child import BYTES_FD, MEMORY_BYTES
from services.kit.fair_queue import FairQueue

_log = logging.getLogger(__name__)

_PASSED_ON = ("LD_LIBRARY_PATH",)
"""Of our environment, which is full of secrets. Libraries that use threads get settings of their own."""
_READY_TIMEOUT_S = 120.0
_WALL_FACTOR = 10
"""In so many times its processor time a child must get some of it, however busy the machine is."""
_SOME = 0.05
_RETIRES_AFTER = 5
"""After so many times the processor time of one order a child is replaced: what the kernel counts against the
limit differs from what was used, by a hundredth on a busy machine."""
_NICE = 5
"""Long decoding must not slow down the server's answers to others. More than 5 would starve it where other
programs keep all cores busy."""
_COPIED_IN_LOOP_BYTES = 2**20
_TRIES = 2
_CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSYS}
)
_CLOCK_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

Read = Callable[[], Awaitable[Sequence[bytes]]]


class WorkFailed(Exception):
    """The child ended at the work."""


class TookTooLong(WorkFailed):
    """The work takes more processor time than it may."""


class Crashed(WorkFailed):
    """The work ends the process, and would do so again."""


class Interrupted(WorkFailed):
    """The child was killed from outside, on every try: nothing is known of the work."""


class ConfinedPool:
    """Children of one program, made when they are needed, each with one order at a time."""

    def __init__(self, module: str, *, children: int, memory_bytes: int, cpu_s: int) -> None:
        self._module = module
        self._queue = FairQueue(children)
        self._memory_bytes = memory_bytes
        self._cpu_s = cpu_s
        self._idle: deque[_Child] = deque()
        self._spare: asyncio.Task[_Child] | None = None
        """Starts for whoever comes next: that takes half a second, and much longer beside work."""
        self._warned = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._spare is not None:
            self._spare.cancel()
            await asyncio.wait({self._spare})
            if not self._spare.cancelled() and not self._spare.exception():
                self._idle.append(self._spare.result())
        while self._idle:
            await self._idle.popleft().end()

    async def work(self, caller: str, order: Mapping[str, Any], read: Read) -> Event:
        """The answer to an order about the bytes that `read` returns; it reads when it is `caller`'s turn.

        WorkFailed if the child ended; whatever `read` raises.
        """
        async with self._queue.slot(caller):
            pieces = await read()
            for attempt in range(1, _TRIES + 1):
                try:
                    child = await self._child(fresh=attempt > 1)
                    answer = await self._answer(child, order, pieces)
                except Interrupted:
                    if attempt == _TRIES:
                        raise
                else:
                    await self._give_back(child)
                    return answer
            raise AssertionError("the last try returns or raises")  # pragma: no cover

    @staticmethod
    async def _answer(child: "_Child", order: Mapping[str, Any], pieces: Sequence[bytes]) -> Event:
        try:
            return await child.work(order, pieces)
        except BaseException:
            await asyncio.shield(child.end())
            raise

    async def _give_back(self, child: "_Child") -> None:
        if child.has_done_enough:
            await asyncio.shield(child.end())
        else:
            self._idle.append(child)

    async def _child(self, *, fresh: bool) -> "_Child":
        child = await self._started() if fresh else await self._ready()
        # Each slot that is held has a child, or starts one: with a free one there is room for the spare.
        if not self._idle and self._spare is None and self._queue.free:
            self._spare = asyncio.create_task(self._started())
        return child

    async def _ready(self) -> "_Child":
        while self._idle:
            # The one that worked last: it is the least likely to be swapped out.
            child = self._idle.pop()
            if child.is_alive:
                return child
            await child.end()
        spare, self._spare = self._spare, None
        if spare is not None:
            with contextlib.suppress(Internal, Unavailable, Interrupted):  # then another try says why
                return await spare
        return await self._started()

    async def _started(self) -> "_Child":
        child = await _Child.start(self._module, self._memory_bytes, self._cpu_s)
        if not child.filtered and not self._warned:
            self._warned = True
            _log.warning(
                "the kernel does not filter the system calls of processes that read files of strangers; "
                "their limits of memory, time, files and sockets hold all the same",
                extra={"program": self._module},
            )
        return child


class _Child:
    """One child with the memory through which it gets bytes."""

    def __init__(self, process: ChildProcess, bytes_fd: int, cpu_s: int, said: deque[str]) -> None:
        self._process = process
        self._events = process.events()
        self._bytes_fd = bytes_fd
        self._cpu_s = cpu_s
        self._said = said
        self._laid_out: asyncio.Future[None] | None = None
        self.filtered = False

    @classmethod
    async def start(cls, module: str, memory_bytes: int, cpu_s: int) -> Self:
        """A child that is ready; Internal if it does not start, Unavailable if that takes too long.

        Interrupted if it was killed from outside meanwhile.
        """
        bytes_fd = os.memfd_create("loupe-bytes", os.MFD_CLOEXEC)
        said: deque[str] = deque(maxlen=20)
        read_only = os.open(f"/proc/self/fd/{bytes_fd}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            process = await ChildProcess.spawn(
                [sys.executable, "-P", "-m", module],
                on_output=lambda _, line: said.append(line),
                environ=_environment(read_only, memory_bytes),
                cwd="/",
                pass_fds=(read_only,),
            )
        except BaseException:
            os.close(bytes_fd)
            raise
        finally:
            os.close(read_only)
        child = cls(process, bytes_fd, cpu_s, said)
        try:
            await child._become_ready()
        except BaseException:
            await asyncio.shield(child.end())
            raise
        return child

    async def _become_ready(self) -> None:
        machine.offer_to_out_of_memory_killer(self._process.pid)
        machine.let_others_go_first(self._process.pid, _NICE)
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                ready = await anext(self._events, None)
        except TimeoutError:
            raise Unavailable(f"a confined process is not ready after {_READY_TIMEOUT_S:.0f} s") from None
        if ready is None:
            returncode = await self._process.wait()
            if _was_killed(returncode):
                raise Interrupted(_ending(returncode))
            raise Internal(
                f"a confined process did not start ({_ending(returncode)}): {' | '.join(self._said)[-500:]}",
                reason="CHILD_DID_NOT_START",
            )
        self.filtered = ready["filtered"]

    @property
    def is_alive(self) -> bool:
        """Whether it runs, as far as is known."""
        return self._process.returncode is None

    @property
    def has_done_enough(self) -> bool:
        """Whether its next order should go to another child."""
        try:
            return self._used_s() > _RETIRES_AFTER * self._cpu_s
        except FileNotFoundError:
            return True

    async def work(self, order: Mapping[str, Any], pieces: Sequence[bytes]) -> Event:
        """The answer; WorkFailed. After a failure only `end` may be called."""
        if sum(map(len, pieces)) <= _COPIED_IN_LOOP_BYTES:
            self._lay_out(pieces)
        else:
            self._laid_out = asyncio.get_running_loop().run_in_executor(None, self._lay_out, pieces)
            await asyncio.shield(self._laid_out)
        try:
            self._limit_cpu()
            await self._process.send({**order, "sizes": [len(piece) for piece in pieces]})
            answer = await self._answer()
        except TimeoutError:
            raise Interrupted("it did not get enough of a processor") from None
        except (FailedPrecondition, ProcessLookupError, FileNotFoundError):
            answer = None  # it has ended
        except (Internal, ValueError) as error:
            raise Crashed("it answered with no JSON object") from error
        if answer is None:
            raise self._failure(await self._process.wait())
        os.ftruncate(self._bytes_fd, 0)  # gives the memory back
        return answer

    async def _answer(self) -> Event | None:
        """The next event, None if it has ended; TimeoutError where it neither answers nor computes."""
        answer = asyncio.ensure_future(anext(self._events, None))
        try:
            while True:
                used_s = self._used_s()
                await asyncio.wait({answer}, timeout=_WALL_FACTOR * self._cpu_s)
                if answer.done():
                    return answer.result()
                if self._used_s() - used_s < self._cpu_s * _SOME:
                    raise TimeoutError
        finally:
            answer.cancel()

    async def end(self) -> None:
        """Kill it, if it runs, and free what it had."""
        if self._laid_out is not None:
            # Whoever gave up did not stop the thread, which must not write to what the number means next.
            await asyncio.wait({self._laid_out})
        if self._bytes_fd >= 0:
            os.close(self._bytes_fd)
            self._bytes_fd = -1
        async with self._process:
            pass

    def _lay_out(self, pieces: Sequence[bytes]) -> None:
        at = 0
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                written = os.pwrite(self._bytes_fd, rest, at)
                rest, at = rest[written:], at + written

    def _limit_cpu(self) -> None:
        """From here: the child itself may not change its limits."""
        _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_CPU)
        resource.prlimit(
            self._process.pid, resource.RLIMIT_CPU, (int(self._used_s()) + 1 + self._cpu_s, hard)
        )

    def _used_s(self) -> float:
        # The name, in parentheses, may hold spaces; user and system time are the 12th and 13th after it.
        with open(f"/proc/{self._process.pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 -- it is no file
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS_A_SECOND

    def _failure(self, returncode: int) -> WorkFailed:
        if returncode == -signal.SIGXCPU:
            return TookTooLong(f"more than {self._cpu_s} s of a processor")
        if _was_killed(returncode):
            return Interrupted(_ending(returncode))
        _log.warning("a confined process crashed", extra={"returncode": returncode, "said": list(self._said)})
        return Crashed(_ending(returncode))


def _was_killed(returncode: int) -> bool:
    """Whether a child was ended from outside."""
    return returncode < 0 and -returncode not in _CRASHES


def _ending(returncode: int) -> str:
    return signal.Signals(-returncode).name if returncode < 0 else f"exit code {returncode}"


def _environment(bytes_fd: int, memory_bytes: int) -> dict[str, str]:
    """All that the child knows of ours: where modules are, and no secret."""
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path),
        # No thread could be started in it.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        BYTES_FD: str(bytes_fd),
        MEMORY_BYTES: str(memory_bytes),
    }
