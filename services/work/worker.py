"""The loop of a worker: one job at a time, in a child of its own, under a lease.

A lease becomes an order to the warm child; its events become reports, its end an outcome and FinishJob.
Three things end it early:

- the lease is lost: SIGKILL, and nothing is told;
- the user cancels: SIGTERM, SIGKILL after 5 s, FinishJob(terminated);
- the worker is drained: SIGTERM, the last checkpoint is stored, ReleaseJob.
"""

import asyncio
import contextlib
import enum
import logging
import shutil
import signal
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from loupe.errors import FailedPrecondition, InvalidArgument, LoupeError

from services.kit import tasks
from services.kit.backoff import Backoff
from services.kit.object_store import ObjectStore
from services.kit.process import Clock
from services.work import machine
from services.work.child import Child, WarmChild
from services.work.events import Listener, UnreadableEvent, failure, stage_of
from services.work.job import JobInHand
from services.work.jobs import Jobs
from services.work.values import (
    Failed,
    JobKind,
    Lease,
    LeaseLost,
    Network,
    Outcome,
    Packaged,
    Reported,
    Terminated,
    Trained,
)

_log = logging.getLogger(__name__)

_POLL_S = 25.0
_TERMINATE_GRACE_S = 5.0
_DRAIN_GRACE_S = 10.0
# For the last upload and report; supervisors kill after 20 s.
_DRAIN_REPORT_S = 6.0
_RELEASE_S = 2.0
_LOG_TAIL_LINES = 40


class WorkerState(enum.Enum):
    """As `loupe.trainer.v1.WorkerState`."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What runs here."""

    name: str
    compute_resource: str
    state: WorkerState
    task: str
    job: str
    child_pid: int
    start_time: datetime


class Assignment(Protocol):
    """What one service makes of one job."""

    @property
    def order(self) -> Mapping[str, Any]:
        """The order for the child."""
        ...

    @property
    def data_paths(self) -> Mapping[str, str]:
        """Names of data paths by the SHA-256 of their manifests."""
        ...

    @property
    def max_iterations(self) -> Mapping[Network, int]:
        """How long each network is trained; empty for a job that trains nothing."""
        ...

    async def hear(self, event: Mapping[str, Any], job: JobInHand) -> bool:
        """Take in an event that not all crafts have; False if it is unknown here too."""
        ...

    async def conclude(self, event: Mapping[str, Any], job: JobInHand) -> Outcome:
        """Store what the child finished; only then is it named to the scheduler."""
        ...


class Craft(Protocol):
    """What a service's worker can do."""

    @property
    def kinds(self) -> tuple[JobKind, ...]:
        """The jobs it takes."""
        ...

    def assign(self, lease: Lease, folder: Path) -> Assignment:
        """Prepare a job; `folder` is its own, and removed when it is over."""
        ...


class Worker:
    """Takes one job after another until it is drained."""

    def __init__(  # noqa: PLR0913 -- the parts of a worker
        self,
        *,
        name: str,
        compute_resource: str,
        craft: Craft,
        jobs: Jobs,
        child: WarmChild,
        objects: ObjectStore,
        folder: Path,
        clock: Clock,
        max_silence_s: float = 600.0,
        max_unreported_bytes: int = 8 << 20,
    ) -> None:
        """`folder` is this worker's alone; a child silent for `max_silence_s` is taken for hung."""
        self._name = name
        self._compute_resource = compute_resource
        self._craft = craft
        self._jobs = jobs
        self._child = child
        self._objects = objects
        self._folder = folder
        self._clock = clock
        self._max_silence_s = max_silence_s
        self._max_unreported_bytes = max_unreported_bytes
        self._start_time = clock.now()
        self._draining = asyncio.Event()
        self._ended = asyncio.Event()
        self._lease: Lease | None = None
        self._at_work: Child | None = None

    @property
    def status(self) -> WorkerStatus:
        """What runs here now."""
        if self._draining.is_set():
            state = WorkerState.DRAINING
        elif self._lease is not None:
            state = WorkerState.BUSY
        else:
            state = WorkerState.IDLE if self._child.is_ready else WorkerState.STARTING
        return WorkerStatus(
            name=self._name,
            compute_resource=self._compute_resource,
            state=state,
            task="" if self._lease is None else self._lease.task,
            job="" if self._lease is None else self._lease.job,
            child_pid=self._child.pid or 0,
            start_time=self._start_time,
        )

    def drain(self) -> None:
        """Take no new job, give back the running one from its last checkpoint; `run` then ends."""
        self._draining.set()

    async def drained(self) -> None:
        """Drain, and return when `run` has ended, or took too long: the lease then runs out by itself."""
        self.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_GRACE_S + _DRAIN_REPORT_S + _RELEASE_S):
                await self._ended.wait()

    async def run(self) -> None:
        """Work until drained; give it to `background`. The scheduler being away only makes it wait."""
        # What an earlier process left when it was killed.
        shutil.rmtree(self._folder, ignore_errors=True)
        backoff = Backoff(first_s=0.1, ceiling_s=2.0)
        failures = 0
        self._ended.clear()
        try:
            while not self._draining.is_set():
                try:
                    lease = await self._unless_draining(self._next_lease())
                except LoupeError as error:
                    failures += 1
                    if failures == 1:
                        _log.warning(
                            "no jobs to be had", extra={"reason": error.reason, "error": error.message}
                        )
                    await self._unless_draining(asyncio.sleep(backoff.delay_s(failures)))
                    continue
                failures = 0
                if lease is not None:
                    await self._take(lease)
        finally:
            self._ended.set()

    async def _next_lease(self) -> Lease | None:
        # A job is asked for only when it could begin at once; else it would wait here while others are free.
        await self._child.ready()
        return await self._jobs.acquire(self._craft.kinds, _POLL_S)

    async def _unless_draining(self, wish: Any) -> Any:  # noqa: ANN401 -- any awaitable's result
        """The result; None if the worker is drained first."""
        wanted = asyncio.ensure_future(wish)
        draining = asyncio.create_task(self._draining.wait())
        try:
            await asyncio.wait({wanted, draining}, return_when=asyncio.FIRST_COMPLETED)
            return wanted.result() if wanted.done() else None
        finally:
            await tasks.end(wanted, draining)

    async def _take(self, lease: Lease) -> None:
        folder = self._folder / f"{lease.job.rpartition('/')[2]}-{lease.fencing_token}"
        extra = {
            "job": lease.job,
            "task": lease.task,
            "kind": lease.kind,
            "fencing_token": lease.fencing_token,
        }
        _log.info("job begins", extra=extra)
        self._lease = lease
        job = JobInHand(lease, self._jobs, self._objects, max_unreported_bytes=self._max_unreported_bytes)
        held = asyncio.create_task(job.run(), name=f"heartbeat of {lease.job}")
        try:
            folder.mkdir(parents=True)
            outcome = await self._work(lease, job, held, folder)
            if outcome is not None:
                await tasks.end(held)
                await self._jobs.finish(lease, outcome)
            elif self._draining.is_set():
                await tasks.end(held)
                await self._jobs.release(lease)
            _log.info("job ends", extra={**extra, "outcome": _told(outcome)})
        except LeaseLost as lost:
            _log.warning("lease lost; the job is dropped", extra={**extra, "detail": lost.message})
        except LoupeError as error:
            # The scheduler refused what we said and will again. The lease runs out, and T5 decides.
            _log.exception("job given up", extra={**extra, "reason": error.reason})
        finally:
            await tasks.end(held)
            self._lease = None
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            await asyncio.to_thread(self._child.sweep)

    async def _work(
        self, lease: Lease, job: JobInHand, held: asyncio.Task[None], folder: Path
    ) -> Outcome | None:
        """The outcome; None where there is none to tell because the job goes on elsewhere."""
        driver = asyncio.create_task(self._drive(lease, job, folder), name=f"child of {lease.job}")
        cancelled = asyncio.create_task(job.cancel_requested.wait())
        draining = asyncio.create_task(self._draining.wait())
        try:
            await asyncio.wait({driver, held, cancelled, draining}, return_when=asyncio.FIRST_COMPLETED)
            if driver.done() and not held.done():
                outcome = driver.result()
                if not isinstance(outcome, Failed) or not outcome.retryable:
                    job.drop_checkpoint()
                await _first(job.flush(), held)
                return outcome
            if held.done():
                held.result()
            if cancelled.done():
                await self._stop_child(driver, _TERMINATE_GRACE_S, conclude_s=0.5)
                return Terminated()
            return await self._drain(job, driver, held)
        finally:
            # The driver kills its child when it is cancelled; only then is the process gone.
            await tasks.end(driver, cancelled, draining)

    async def _drain(
        self, job: JobInHand, driver: "asyncio.Task[Outcome]", held: asyncio.Task[None]
    ) -> Outcome | None:
        # One deadline for all of it: what is not told by then is told again from the last checkpoint.
        outcome: Outcome | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_GRACE_S + _DRAIN_REPORT_S):
                await self._stop_child(driver, _DRAIN_GRACE_S, conclude_s=_DRAIN_REPORT_S)
                outcome = driver.result() if driver.done() and not driver.cancelled() else None
                await _first(job.flush(), held)
        # It may have finished while it was asked to stop. That it died is what was wished.
        return outcome if isinstance(outcome, Trained | Reported | Packaged) else None

    async def _stop_child(
        self, driver: "asyncio.Task[Outcome]", grace_s: float, *, conclude_s: float
    ) -> None:
        """SIGTERM; its last events are heard until it is gone, or killed after `grace_s`."""
        child = self._at_work
        if child is None:
            return
        await child.process.terminate(grace_s)
        # What is left in the pipe is read in no time, unless the scheduler holds up the reports.
        await asyncio.wait({driver}, timeout=conclude_s)

    async def _drive(self, lease: Lease, job: JobInHand, folder: Path) -> Outcome:
        """Give the order, hear the events out, store what came of it."""
        try:
            assignment = self._craft.assign(lease, folder)
        except (KeyError, TypeError, ValueError) as error:
            return Failed(
                "BAD_ORDER",
                f"this worker cannot read the job ({error!r}); the operator should update the worker",
                f"工作节点无法读取该任务（{error!r}）；请运维人员升级工作节点",
                retryable=False,
            )
        child = await self._child.take()
        self._at_work = child
        finished = False
        log: deque[str] = deque(maxlen=_LOG_TAIL_LINES)
        try:
            await job.begun()
            outcome, finished = await self._hear(job, assignment, child, log)
        except LeaseLost:
            raise
        except LoupeError as error:
            # Storage or the report's owner refused what the child made.
            retryable = not isinstance(error, InvalidArgument | FailedPrecondition)
            outcome = Failed(
                error.reason,
                f"the result could not be stored: {error.message}",
                f"结果无法保存（{error.reason}）：{error.message}",
                retryable=retryable,
                log_tail=_tail(log),
            )
        except TimeoutError:
            outcome = Failed(
                "CHILD_HUNG",
                f"the process reported nothing for {self._max_silence_s:g} s and was killed",
                f"训练进程 {self._max_silence_s:g} 秒没有任何响应，已被终止",
                retryable=True,
                log_tail=_tail(log),
            )
        except (KeyError, TypeError, ValueError, OSError) as error:
            outcome = Failed(
                "CHILD_PROTOCOL",
                f"the worker does not understand what its process reported: {error!r}",
                f"工作节点无法理解其进程的消息：{error!r}",
                retryable=True,
                log_tail=_tail(log),
            )
        finally:
            self._at_work = None
            await asyncio.shield(self._child.give_back(child, keep=finished))
        return outcome

    async def _hear(
        self, job: JobInHand, assignment: Assignment, child: Child, log: deque[str]
    ) -> tuple[Outcome, bool]:
        """The outcome, and whether the child came to a clean end and can be kept."""
        kills = machine.out_of_memory_kills()
        with contextlib.suppress(FailedPrecondition):  # it is gone; its exit code says more, below
            await child.process.send(assignment.order)
        listener = Listener(job.unreported, assignment.data_paths, assignment.max_iterations)
        while (event := await self._next_event(child)) is not None:
            match event.get("event"):
                case "finished":
                    return await assignment.conclude(event, job), True
                case "failed":
                    return failure(event, _tail(log)), False
                case "checkpoint":
                    network = Network(event.get("network", Network.CLASSIFICATION))
                    job.keep_checkpoint(Path(event["path"]), int(event["iteration"]), network)
                case kind:
                    if kind == "log":
                        log.append(str(event.get("text")))
                    if not listener.hear(event, self._clock.now()) and not await assignment.hear(event, job):
                        raise UnreadableEvent(f"event {kind!r}")
                    if kind == "stage" and (path := event.get("contact_sheet_path")):
                        job.keep_contact_sheet(Path(path), stage_of(event))
                    await job.heard()
        # It closed its pipe; one that lives on without is of no use.
        returncode = await child.process.terminate(2.0)
        return _died(returncode, _tail(log), starved=machine.out_of_memory_kills() > kills), False

    async def _next_event(self, child: Child) -> Mapping[str, Any] | None:
        async with asyncio.timeout(self._max_silence_s):
            return await anext(child.events, None)


def _died(returncode: int, log_tail: str, *, starved: bool) -> Failed:
    """A job whose child is gone without a word (T5).

    Not the user's fault, to be taken up again; unless the kernel killed for want of memory (`starved`): the
    same job would take as much again.
    """
    if returncode == -signal.SIGKILL and starved:
        return Failed(
            "OUT_OF_MEMORY",
            "the machine ran out of memory; lower batch_size or choose a compute resource with more memory",
            "机器内存不足；请减小 batch_size，或选择内存更大的计算资源",
            retryable=False,
            log_tail=log_tail,
        )
    how, how_zh = (
        (f"by signal {-returncode}", f"信号 {-returncode}")
        if returncode < 0
        else (f"with exit code {returncode}", f"退出码 {returncode}")
    )
    return Failed(
        "CHILD_DIED",
        f"the process ended unexpectedly {how}; the worker's log has more",
        f"训练进程意外结束（{how_zh}）；工作节点的日志中有详细信息",
        retryable=True,
        log_tail=log_tail,
    )


def _tail(log: deque[str]) -> str:
    """The end of the task's log. What the process wrote to stderr is for the operator's log only (M6)."""
    return "\n".join(log)


def _told(outcome: Outcome | None) -> str:
    if isinstance(outcome, Failed):
        return f"failed {outcome.code}"
    return "given back" if outcome is None else type(outcome).__name__.lower()


async def _first(wish: Any, held: asyncio.Task[None]) -> None:  # noqa: ANN401 -- any coroutine
    """Await `wish`; raise what ends the lease if that comes first."""
    wanted = asyncio.ensure_future(wish)
    try:
        await asyncio.wait({wanted, held}, return_when=asyncio.FIRST_COMPLETED)
        if held.done():
            held.result()
        wanted.result()
    finally:
        await tasks.end(wanted)
