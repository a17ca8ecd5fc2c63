"""The life of a service process: start in order, run until stopped, stop in reverse order.

::

    async def main(process: Process) -> None:
        settings = load(Settings, os.environ)
        database = await process.enter(Database(settings.database.url, "registry"))
        signals = await process.enter(Signals(settings.database.url))
        process.background("outbox relay", Relay(database, messaging, signals).run)
        await process.enter(GrpcServer(...))      # last in, first out: no call meets a closed database

    if __name__ == "__main__":
        run(main)
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NoReturn, TypeVar

import uvloop
from loupe.errors import FailedPrecondition, LoupeError
from loupe.settings import SettingsError

from services.kit import tasks, telemetry
from services.kit.retry import Backoff

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Process:
    """A service process: its resources, its background loops, and whether it shall stop."""

    # After a run of this length the count of failures starts again.
    _HEALTHY_S = 60.0
    _MAX_FAILURES = 5

    def __init__(self) -> None:
        self._resources = contextlib.AsyncExitStack()
        self._stopping = asyncio.Event()
        self._crash: BaseException | None = None

    async def enter(self, resource: AbstractAsyncContextManager[T]) -> T:
        """Open a resource; it is closed when the process stops, after everything that was opened later."""
        return await self._resources.enter_async_context(resource)

    def on_stop(self, action: Callable[[], Awaitable[object]]) -> None:
        """Run `action` when the process stops, before everything that was opened earlier is closed."""
        self._resources.push_async_callback(action)

    def background(
        self,
        name: str,
        loop: Callable[[], Awaitable[None]],
        *,
        backoff: Backoff = Backoff(ceiling_s=10.0),  # noqa: B008 -- frozen
    ) -> asyncio.Task[None]:
        """Keep `loop` running until the process stops.

        A transient LoupeError restarts it without limit. After five other failures in a row the process ends
        with exit code 1, and its supervisor restarts it. A loop that returns is not restarted.
        """
        task = asyncio.create_task(self._supervise(name, loop, backoff), name=name)
        self._resources.push_async_callback(tasks.end, task)
        return task

    def stop(self) -> None:
        """Begin to stop."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether the process is stopping."""
        return self._stopping.is_set()

    async def stopped(self) -> None:
        """Return when the process begins to stop."""
        await self._stopping.wait()

    async def _supervise(self, name: str, loop: Callable[[], Awaitable[None]], backoff: Backoff) -> None:
        failures = 0
        while True:
            started_s = time.monotonic()
            try:
                await loop()
            except Exception as error:  # noqa: BLE001 -- the boundary of a loop: it restarts or the process ends
                if time.monotonic() - started_s > self._HEALTHY_S:
                    failures = 0
                failures += 1
                transient = isinstance(error, LoupeError) and error.transient
                extra = {"loop": name, "failures": failures, "error": str(error) or repr(error)}
                if not transient and failures >= self._MAX_FAILURES:
                    _log.critical("a loop keeps failing; the process ends", extra=extra, exc_info=error)
                    self._crash = error
                    self._stopping.set()
                    return
                _log.error("a loop failed; restarting it", extra=extra, exc_info=None if transient else error)
                await asyncio.sleep(backoff.delay_s(failures))
            else:
                _log.info("a loop ended", extra={"loop": name})
                return

    async def live(self, main: Callable[["Process"], Awaitable[None]]) -> int:
        """Start with `main`, wait for the stop, close all resources; returns the exit code."""
        starting = asyncio.ensure_future(main(self))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            async with self._resources:
                await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if starting.done():
                    starting.result()
                    _settle()
                    await self._stopping.wait()
                else:
                    await tasks.end(starting)
                _log.info("stopping")
        finally:
            stopping.cancel()
        return 1 if self._crash is not None else 0


def _settle() -> None:
    """Exclude what lives as long as the process (modules, contracts, statements) from garbage collection.

    A full collection would take a tenth of a second, in which no call is answered.
    """
    gc.collect()
    gc.freeze()


def every(pause_s: float, action: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """A loop that runs `action`, pauses, and repeats."""

    async def loop() -> None:
        while True:
            await action()
            await asyncio.sleep(pause_s)

    return loop


def run(main: Callable[[Process], Awaitable[None]]) -> NoReturn:
    """Run a process to its end and exit with its code.

    `main` opens what the process consists of and returns; the process then runs until SIGTERM, SIGINT or a
    loop that keeps failing. A second signal ends it at once.
    """

    async def live() -> int:
        process = Process()
        loop = asyncio.get_running_loop()

        def on_signal(number: signal.Signals) -> None:
            if process.stopping:
                os._exit(128 + number)
            process.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal, number)
        return await process.live(main)

    try:
        code = uvloop.run(live())
    except SettingsError as error:
        # For the person who started it; logging is not configured yet.
        print(error, file=sys.stderr)  # noqa: T201
        code = 2
    except FailedPrecondition as error:
        # No bug: what is around the process must change first, and the message says what.
        extra = {"reason": error.reason, "error": error.message}
        if "message_zh" in error.facts:
            extra["error_zh"] = error.facts["message_zh"]
        _log.critical("the process ends", extra=extra)
        code = 1
    except Exception:  # noqa: BLE001 -- the boundary of the process
        _log.exception("the process ends")
        code = 1
    finally:
        telemetry.shutdown()
    sys.exit(code)
