"""One child process, kept warm: started ahead of need, and again whenever it is gone."""

import asyncio
import itertools
import logging
import shutil
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from loupe.errors import LoupeError

from services.kit.backoff import Backoff
from services.kit.child_process import ChildProcess, Event, OutputStream
from services.work import machine

_log = logging.getLogger(__name__)

_READY_TIMEOUT_S = 180.0
_TAIL_LINES = 50
# A child that lived so long was healthy: what ended it is no reason to wait before the next.
_HEALTHY_S = 10.0


class Child:
    """A warm child. Whoever has taken it reads its events to the end, or gives it back to be replaced."""

    def __init__(self, process: ChildProcess) -> None:
        self.process = process
        self.events = process.events()
        self.taken = False
        self.returned = asyncio.Event()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid


class WarmChild:
    """Keeps a child ready for the next order. `run` is its life; give it to `background`.

    Every child gets a folder of its own below `scratch` as TMPDIR, for itself and for its libraries: one
    that is killed removes nothing. `scratch` is this worker's alone.
    """

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], *, scratch: Path) -> None:
        self._argv = tuple(argv)
        self._environ = dict(environ)
        self._scratch = scratch
        self._lives = itertools.count()
        self._temporary: Path | None = None
        self._ready: asyncio.Future[Child] | None = None
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the child that is ready or at work."""
        return None if self._child is None else self._child.pid

    @property
    def is_ready(self) -> bool:
        """Whether an order would be taken at once."""
        return self._child is not None

    async def ready(self) -> Child:
        """The child, as soon as there is one that takes orders."""
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
        """The order is done. Keep it only after a clean end: a failure may leave anything on the device."""
        if not keep:
            await child.process.kill()
        child.taken = False
        child.returned.set()

    def sweep(self) -> None:
        """Remove what dead children left. Blocks; only when nothing of theirs is still to be stored."""
        for folder in self._scratch.glob("*"):
            if folder != self._temporary:
                shutil.rmtree(folder, ignore_errors=True)

    async def run(self) -> None:
        """Keep a child, for ever."""
        try:
            # What an earlier process left when it was killed.
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
        tail: deque[str] = deque(maxlen=_TAIL_LINES)

        def captured(stream: OutputStream, line: str) -> None:
            tail.append(line)
            _log.info("child", extra={"stream": stream, "line": line})

        self._temporary = self._scratch / str(next(self._lives))
        self._temporary.mkdir(mode=0o700, parents=True)
        environ = {**self._environ, "TMPDIR": str(self._temporary)}
        async with await ChildProcess.spawn(self._argv, on_output=captured, environ=environ) as process:
            child = Child(process)
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
                # Its last words are still in the pipe, which closes at the end of this block.
                await child.returned.wait()

    async def _until_ready(self, child: Child) -> bool:
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                event: Event | None = await anext(child.events, None)
        except (TimeoutError, ValueError, LoupeError):
            return False
        return event is not None and event.get("event") == "ready"
