"""One child process, kept warm: started before it is needed, and replaced when it ends."""

import asyncio
import contextlib
import itertools
import logging
import shutil
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from google.protobuf import json_format
from loupe.errors import LoupeError, Unavailable
from loupe.worker.v1 import event_pb2, order_pb2

from services.kit import machine, tasks
from services.kit.child_confinement import Policy
from services.kit.child_process import OBJECT_FDS, ChildProcess, OutputStream
from services.kit.retry import Backoff
from services.worker.object_share import ObjectShare

_log = logging.getLogger(__name__)

_READY_TIMEOUT_S = 180.0
_TAIL_LINES = 50
# A child that lived longer was healthy: its end is no reason to wait before the next one.
_HEALTHY_S = 10.0


class UnreadableEvent(ValueError):
    """The child sent an event that this worker cannot use."""


class Formation(Protocol):
    """The hosts whose processes a child's train with, from before its start until after its end."""

    @property
    def environ(self) -> Mapping[str, str]:
        """What tells the child of them."""
        ...

    @property
    def descriptors(self) -> Sequence[int]:
        """What it inherits."""
        ...

    async def grant(self, order: order_pb2.Order) -> None:
        """Let the others read the objects of the order, and no others. One that fails to is lost."""
        ...

    async def broken(self) -> None:
        """Return when the child should be gone, because another is lost."""
        ...


class Hosts(Protocol):
    """Where this host meets those with which it trains together."""

    def formed(self) -> AbstractAsyncContextManager[Formation]:
        """Waits until all are there; ends the formation."""
        ...

    async def require(self) -> None:
        """Raise Unavailable unless all are there."""
        ...


class Child:
    """A warm child. Its taker reads its events to the end, or gives it back to be replaced."""

    def __init__(
        self, process: ChildProcess, share: ObjectShare | None = None, formation: Formation | None = None
    ) -> None:
        self.process = process
        self.formation = formation
        self._share = share
        self.events = _events(process)
        self.taken = False
        self.returned = asyncio.Event()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    async def send(self, order: order_pb2.Order) -> None:
        """Give an order, and the objects that it names; FailedPrecondition if the child is gone."""
        if self._share is not None:
            self._share.grant(order)
        if self.formation is not None:
            await self.formation.grant(order)
        await self.process.send(json_format.MessageToDict(order))


async def _events(process: ChildProcess) -> AsyncIterator[event_pb2.Event]:
    """The child's events until it is gone. UnreadableEvent where a line is none."""
    async for line in process.events():
        try:
            event = json_format.ParseDict(line, event_pb2.Event())
        except json_format.ParseError as error:
            raise UnreadableEvent(f"{error} in {str(line)[:300]}") from error
        yield event


async def _end_with(formation: Formation, process: ChildProcess) -> None:
    await formation.broken()
    await process.kill()


class WarmChild:
    """Keeps a child ready for the next order. Give `run` to `background`.

    Every child gets its own folder below `scratch` as TMPDIR, for itself and its libraries: a killed child
    deletes nothing. No other process uses `scratch`.
    """

    def __init__(  # noqa: PLR0913 -- what a child needs
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        *,
        scratch: Path,
        share: ObjectShare | None = None,
        policy: Callable[[Path], Policy] | None = None,
        hosts: Hosts | None = None,
    ) -> None:
        """`argv` gets the objects of its orders from `share`, and a policy for its folder from `policy`.

        Before each child the other `hosts` are waited for; None: there are no others.
        """
        self._hosts = hosts
        self._argv = tuple(argv)
        self._environ = dict(environ)
        self._share = share
        self._policy = policy
        self._scratch = scratch
        self._lives = itertools.count()
        self._temporary: Path | None = None
        self._ready: asyncio.Future[Child] | None = None
        self._child: Child | None = None

    @property
    def folder(self) -> Path:
        """Below which its children write."""
        return self._scratch

    @property
    def pid(self) -> int | None:
        """The process id of the child that is ready or works."""
        return None if self._child is None else self._child.pid

    @property
    def is_ready(self) -> bool:
        """Whether a child would accept an order at once."""
        return self._child is not None

    async def require(self) -> None:
        """Unavailable unless a child would accept an order at once, or works."""
        if self._child is None:
            raise Unavailable("the child is not ready", reason="CHILD_NOT_READY")

    async def ready(self) -> Child:
        """The child, as soon as one accepts orders."""
        while self._child is None:
            if self._ready is None:
                self._ready = asyncio.get_running_loop().create_future()
            # Shielded: several may wait, and one of them may give up.
            await asyncio.shield(self._ready)
        return self._child

    async def take(self) -> Child:
        """The child, for one order. `give_back` when its events have been read."""
        child = await self.ready()
        child.taken = True
        return child

    async def give_back(self, child: Child, *, keep: bool) -> None:
        """The order has ended. Keep the child only after a clean end: a fault may leave device state."""
        if not keep:
            await child.process.kill()
        if self._share is not None:
            self._share.revoke()
        if child.formation is not None and keep:
            await child.formation.grant(order_pb2.Order())
        child.taken = False
        child.returned.set()

    def sweep(self) -> None:
        """Delete the folders of dead children. Blocks; call it when all of their files are stored."""
        for folder in self._scratch.glob("*"):
            if folder != self._temporary:
                shutil.rmtree(folder, ignore_errors=True)

    async def run(self) -> None:
        """Keep a child, until cancelled."""
        try:
            # Files of an earlier process that was killed.
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)
            await self._keep()
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    async def _keep(self) -> None:
        backoff = Backoff(first_s=0.2, ceiling_s=30.0)
        failures = 0
        while True:
            started_s = time.monotonic()
            await self._live_once()
            if time.monotonic() - started_s >= _HEALTHY_S:
                failures = 0
            failures += 1
            await asyncio.sleep(backoff.delay_s(failures) if failures > 1 else 0)

    async def _live_once(self) -> None:
        async with contextlib.AsyncExitStack() as resources:
            formation = None
            if self._hosts is not None:
                formation = await resources.enter_async_context(self._hosts.formed())
            await self._live(formation)

    async def _live(self, formation: Formation | None) -> None:
        tail: deque[str] = deque(maxlen=_TAIL_LINES)

        def captured(stream: OutputStream, line: str) -> None:
            tail.append(line)
            _log.info("child", extra={"stream": stream, "line": line})

        self._temporary = self._scratch / str(next(self._lives))
        self._temporary.mkdir(mode=0o700, parents=True)
        environ = {**self._environ, "TMPDIR": str(self._temporary)}
        if self._policy is not None:
            environ |= {"HOME": str(self._temporary), **self._policy(self._temporary).environ()}
        descriptors: tuple[int, ...] = ()
        if formation is not None:
            # Settings of this process's environment win.
            environ = {**formation.environ, **environ}
            descriptors = tuple(formation.descriptors)
        async with contextlib.AsyncExitStack() as resources:
            connections: list[socket.socket] = []
            if self._share is not None:
                connections = await resources.enter_async_context(self._share.serving())
                environ[OBJECT_FDS] = ",".join(str(connection.fileno()) for connection in connections)
            process = await resources.enter_async_context(
                await ChildProcess.spawn(
                    self._argv,
                    on_output=captured,
                    environ=environ,
                    cwd=None if self._policy is None else str(self._temporary),
                    pass_fds=(*descriptors, *(connection.fileno() for connection in connections)),
                )
            )
            for connection in connections:
                connection.close()
            child = Child(process, self._share, formation)
            if formation is not None:
                breaking = asyncio.create_task(_end_with(formation, process))
                resources.push_async_callback(tasks.end, breaking)
            machine.offer_to_out_of_memory_killer(child.pid)
            if not await self._until_ready(child):
                await process.kill()
                _log.error("the child did not get ready", extra={"pid": child.pid, "tail": list(tail)})
                return
            self._child = child
            if self._ready is not None:
                self._ready.set_result(child)
                self._ready = None
            try:
                returncode = await process.wait()
            finally:
                self._child = None
            _log.info("the child ended", extra={"pid": child.pid, "returncode": returncode})
            if child.taken:
                # Its last events are still in the pipe, which closes at the end of this block.
                await child.returned.wait()

    async def _until_ready(self, child: Child) -> bool:
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                event = await anext(child.events, None)
        except (TimeoutError, ValueError, LoupeError):
            return False
        return event is not None and event.HasField("ready")
