"""Keeps a set of processes running: starts them in order, restarts what ends, stops them in reverse."""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deploy.embedded.errors import StartFailed
from deploy.embedded.logs import Log, failure
from deploy.embedded.process import ProcessSpec, listens, start
from deploy.embedded.state import ProcessState, State

FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 5.0
HEALTHY_AFTER_S = 30.0
"""After a process was ready this long, its back-off begins anew: the next restart is quick."""

_FIRST_PROBE_INTERVAL_S = 0.02
_MAX_PROBE_INTERVAL_S = 0.25
_STUCK_INTERVAL_S = 2.0

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Supervised:
    spec: ProcessSpec
    state: ProcessState
    log: Log
    was_ready: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Supervisor:
    """Runs processes in the order of their `after`, in the event loop of the main thread."""

    def __init__(
        self,
        processes: Sequence[ProcessSpec],
        *,
        log_dir: Path,
        on_change: Callable[[ProcessState], None] = lambda _: None,
    ) -> None:
        self._on_change = on_change
        self._kill = False
        self._started_s = time.time()
        self._levels = _levels(processes)
        self._log_dir = log_dir
        self._supervised = {spec.name: self._supervise(spec) for level in self._levels for spec in level}

    def _supervise(self, spec: ProcessSpec) -> _Supervised:
        state = ProcessState(name=spec.name, address=spec.address, monitoring=spec.monitoring)
        return _Supervised(spec, state, Log(self._log_dir / f"{spec.name}.log"))

    @property
    def processes(self) -> tuple[ProcessState, ...]:
        """All of them as they are now, in starting order."""
        return tuple(supervised.state for supervised in self._supervised.values())

    def process(self, name: str) -> ProcessState:
        """One of them as it is now."""
        return self._supervised[name].state

    def start(self) -> None:
        """Begin to start the processes; `wait_ready` returns when all are ready."""
        self._started_s = time.time()
        for supervised in self._supervised.values():
            supervised.task = asyncio.create_task(self._keep_running(supervised), name=supervised.spec.name)

    def add(self, spec: ProcessSpec) -> None:
        """Begin to start one more process, after `start`. ValueError if one has its name."""
        if spec.name in self._supervised:
            raise ValueError("two processes have the same name")
        self._levels = _levels([*(each.spec for each in self._supervised.values()), spec])
        supervised = self._supervise(spec)
        self._supervised[spec.name] = supervised
        supervised.task = asyncio.create_task(self._keep_running(supervised), name=spec.name)

    async def remove(self, name: str) -> None:
        """Stop one that no other needs, as `stop` does, and forget it; ValueError if another needs it."""
        supervised = self._supervised[name]
        rest = [each.spec for each in self._supervised.values() if each is not supervised]
        levels = _levels(rest)
        supervised.stop.set()
        if supervised.task is not None:
            # Not `await task`: whoever gives up waiting must not end what ends the process.
            await asyncio.wait({supervised.task})
        if self._supervised.pop(name, None) is not None:
            self._levels = levels
        self._tell(supervised)

    async def wait_ready(self, *, timeout_s: float | None = None, max_restarts: int | None = None) -> None:
        """Return when all have been ready once; StartFailed for one that ended too often, or at the timeout.

        What fails is still being restarted afterwards: to give up is the caller's decision.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while missing := [s for s in self._supervised.values() if not s.was_ready.is_set()]:
            for supervised in missing:
                if max_restarts is not None and supervised.state.restarts > max_restarts:
                    raise self._failure(supervised, f"does not come up ({supervised.state.detail})")
            if deadline is not None and time.monotonic() > deadline:
                raise self._failure(missing[0], f"is not ready after {timeout_s:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(missing[0].was_ready.wait(), 0.05)

    async def stop(self, *, kill: bool = False) -> None:
        """Stop everything, last started first; processes that do not need each other stop together.

        `kill` sends SIGKILL at once: for what need not be whole afterwards.
        """
        self._kill = kill
        for level in reversed(self._levels):
            tasks = []
            for spec in level:
                supervised = self._supervised[spec.name]
                supervised.stop.set()
                if supervised.task is not None:
                    tasks.append(supervised.task)
            await asyncio.gather(*tasks)

    def _failure(self, supervised: _Supervised, reason: str) -> StartFailed:
        supervised.log.settle()
        return failure(supervised.spec.name, reason, supervised.log.path, since_s=self._started_s)

    def _change(self, supervised: _Supervised, **changes: Any) -> None:  # noqa: ANN401 - fields of ProcessState
        supervised.state = replace(supervised.state, **changes)
        self._tell(supervised)

    def _tell(self, supervised: _Supervised) -> None:
        # Whoever writes it down may find the disk full: the process is looked after all the same.
        with contextlib.suppress(OSError):
            self._on_change(supervised.state)

    async def _keep_running(self, supervised: _Supervised) -> None:
        needed = [self._supervised[name].was_ready.wait() for name in supervised.spec.after]
        if not await _finished_before(supervised.stop, _all(needed)):
            self._change(supervised, state=State.STOPPED)
            return
        backoff_s = FIRST_BACKOFF_S
        while True:
            healthy_s, reason = await self._run_once(supervised)
            if supervised.stop.is_set():
                break
            if healthy_s >= HEALTHY_AFTER_S:
                backoff_s = FIRST_BACKOFF_S
            _log.warning("%s %s; starting it again in %.1f s", supervised.spec.name, reason, backoff_s)
            self._change(
                supervised,
                state=State.BACKOFF,
                pid=None,
                restarts=supervised.state.restarts + 1,
                detail=reason,
            )
            if not await _finished_before(supervised.stop, asyncio.sleep(backoff_s)):
                break
            backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
        self._change(supervised, state=State.STOPPED, pid=None)

    async def _run_once(self, supervised: _Supervised) -> tuple[float, str]:
        """Run the process once; returns how long it was ready, and why it ended."""
        spec = supervised.spec
        self._change(supervised, state=State.STARTING, started_at=time.time())
        try:
            if spec.before_start is not None:
                await asyncio.to_thread(spec.before_start)
            launch = await asyncio.to_thread(spec.prepare)
            if supervised.stop.is_set():
                return 0.0, ""
            child = await start(launch, log=supervised.log, orphan_signal=spec.orphan_signal)
        except Exception as error:  # noqa: BLE001 - the process boundary: whatever it is, it is reported and retried
            _log.debug("%s could not be started", spec.name, exc_info=True)
            return 0.0, f"could not be started: {error}"
        self._change(supervised, pid=child.pid)
        ready_since: float | None = None
        exited = asyncio.create_task(child.wait())
        if (
            await _finished_before(supervised.stop, _first(exited, self._probed(spec, child.pid)))
            and not exited.done()
        ):
            ready_since = time.monotonic()
            self._change(supervised, state=State.READY, ready_at=supervised.state.ready_at or time.time())
            supervised.was_ready.set()
            await _finished_before(supervised.stop, _first(exited, self._stuck(supervised)))
        restarted = spec.stuck is not None and not exited.done() and not supervised.stop.is_set()
        if not exited.done():
            self._change(supervised, state=State.STOPPING)
            await self._end(child, exited, spec.stop_signal, 0.0 if self._kill else spec.stop_timeout_s)
        healthy_s = 0.0 if ready_since is None else time.monotonic() - ready_since
        status = await exited
        # Before the end is reported: a reader of that report finds the reason in the log.
        await asyncio.to_thread(supervised.log.settle)
        if spec.clear is not None:
            try:
                await asyncio.to_thread(spec.clear)
            except OSError:
                _log.warning("the files that %s left could not be removed", spec.name, exc_info=True)
        return healthy_s, spec.stuck.reason if restarted and spec.stuck else _describe_exit(status)

    @staticmethod
    async def _stuck(supervised: _Supervised) -> None:
        """Return when the process is stuck, and a restart helps."""
        stuck = supervised.spec.stuck
        if stuck is None:
            await asyncio.Event().wait()
            return
        supervised.log.listen_for(stuck.says)
        was_over = False
        while True:
            await asyncio.sleep(_STUCK_INTERVAL_S)
            # What it said before the cause was gone does not count.
            is_over, says_it = stuck.is_over(), supervised.log.heard()
            if is_over and says_it and was_over:
                return
            was_over = is_over

    @staticmethod
    async def _probed(spec: ProcessSpec, pid: int) -> None:
        if spec.probe is None:
            await asyncio.sleep(spec.settle_s)
            return
        interval_s = _FIRST_PROBE_INTERVAL_S
        while True:
            try:
                if await spec.probe() and await _is_its_own_answer(spec, pid):
                    return
            except Exception:  # noqa: BLE001 - a probe that fails says "not yet"; the process's log says why
                _log.warning("the readiness probe of %s failed", spec.name, exc_info=True)
                interval_s = _MAX_PROBE_INTERVAL_S
            await asyncio.sleep(interval_s)
            interval_s = min(interval_s * 1.5, _MAX_PROBE_INTERVAL_S)

    @staticmethod
    async def _end(
        child: asyncio.subprocess.Process,
        exited: asyncio.Task[int],
        stop_signal: signal.Signals,
        timeout_s: float,
    ) -> None:
        try:
            if timeout_s > 0:
                # Not by Process.send_signal, which polls first and so may take the exit code from asyncio.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, stop_signal)
                await asyncio.wait_for(asyncio.shield(exited), timeout_s)
                return
        except TimeoutError:
            _log.warning("process %d did not stop within %g s; killing it", child.pid, timeout_s)
        # The process leads its own session, so the processes that it started are killed too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await exited


async def _is_its_own_answer(spec: ProcessSpec, pid: int) -> bool:
    """Whether the process itself answered the probe, and no other that has its port."""
    if spec.address is None:
        return True
    return await asyncio.to_thread(listens, pid, int(spec.address.rpartition(":")[2]))


async def _all(waits: Sequence[Coroutine[Any, Any, Any]]) -> None:
    await asyncio.gather(*waits)


async def _first(exited: asyncio.Task[int], probed: Coroutine[Any, Any, None]) -> None:
    """Return as soon as the process ended or answered its probe."""
    probe = asyncio.create_task(probed)
    try:
        await asyncio.wait({exited, probe}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)


async def _finished_before(stop: asyncio.Event, work: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> bool:
    """Whether the work ended before the stop was asked for; it is cancelled otherwise."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return not stop.is_set()
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def _describe_exit(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-status).name}"
    return f"exited with status {status}"


def _levels(processes: Sequence[ProcessSpec]) -> list[list[ProcessSpec]]:
    """Group the processes so that each needs only those of earlier groups."""
    waiting = {spec.name: spec for spec in processes}
    if len(waiting) < len(processes):
        raise ValueError("two processes have the same name")
    if unknown := {name for spec in processes for name in spec.after} - waiting.keys():
        raise ValueError(f"no process is named {', '.join(sorted(unknown))}")
    levels: list[list[ProcessSpec]] = []
    while waiting:
        level = [spec for spec in waiting.values() if not any(name in waiting for name in spec.after)]
        if not level:
            raise ValueError(f"{', '.join(sorted(waiting))} wait for each other")
        levels.append(level)
        for spec in level:
            del waiting[spec.name]
    return levels
