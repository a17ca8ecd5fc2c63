"""The loop of a worker: one job at a time, in a warm child, under a lease.

A lease becomes an order to the child; its events become heartbeats, its last event an outcome and FinishJob.
Three things end a job early:

- the lease is lost: SIGKILL, and nothing is reported;
- the user cancels: SIGTERM, SIGKILL after 5 s, FinishJob(terminated);
- the worker is drained, by the scheduler or because its process ends: SIGTERM, the last checkpoint is stored,
  ReleaseJob.
"""

import asyncio
import contextlib
import logging
import math
import shutil
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from loupe.errors import FailedPrecondition, LoupeError
from loupe.scheduler.v1 import job_pb2
from loupe.trainer.v1 import worker_service_pb2

from services.kit import tasks
from services.kit.clock import Clock
from services.kit.object_store import ObjectStore
from services.kit.retry import Backoff
from services.worker import outcomes
from services.worker.handler import JobHandler
from services.worker.held_job import HeldJob
from services.worker.job_execution import JobExecution
from services.worker.jobs import Jobs, LeaseLost
from services.worker.outcomes import Outcome
from services.worker.warm_child import WarmChild

_log = logging.getLogger(__name__)

_POLL_S = 25.0
# The scheduler takes a worker that was silent for 45 s for gone.
_SAY_STARTING_S = 15.0
_TERMINATE_GRACE_S = 5.0
# How long the last events of a cancelled child may take: its pipe is read at once, unless heartbeats wait.
_TERMINATED_READ_S = 0.5
_DRAIN_GRACE_S = 10.0
# For the last upload and heartbeat; supervisors kill after 20 s.
_DRAIN_REPORT_S = 6.0
_RELEASE_S = 2.0

T = TypeVar("T")


class Worker:
    """Executes one job after another until it is drained."""

    def __init__(  # noqa: PLR0913 -- the parts of a worker
        self,
        *,
        name: str,
        compute_resource: str,
        handler: JobHandler,
        jobs: Jobs,
        child: WarmChild,
        objects: ObjectStore,
        folder: Path,
        clock: Clock,
        max_silence_s: float = 600.0,
        max_unreported_bytes: int = 8 << 20,
        max_idle_s: float = 0.0,
    ) -> None:
        """No other process uses `folder`; a child without an event for `max_silence_s` is killed.

        Without a job for `max_idle_s` it drains itself; 0: never.
        """
        self._name = name
        self._compute_resource = compute_resource
        self._handler = handler
        self._jobs = jobs
        self._child = child
        self._objects = objects
        self._folder = folder
        self._clock = clock
        self._max_silence_s = max_silence_s
        self._max_unreported_bytes = max_unreported_bytes
        self._max_idle_s = max_idle_s
        self._idle_since_s = time.monotonic()
        self._start_time = clock.now()
        self._draining = asyncio.Event()
        self._ended = asyncio.Event()
        self._lease: job_pb2.JobLease | None = None
        self._refusal: LoupeError | None = None

    @property
    def status(self) -> worker_service_pb2.Worker:
        """The worker's state and its running job."""
        if self._draining.is_set():
            state = worker_service_pb2.WORKER_STATE_DRAINING
        elif self._lease is not None:
            state = worker_service_pb2.WORKER_STATE_BUSY
        elif self._child.is_ready:
            state = worker_service_pb2.WORKER_STATE_IDLE
        else:
            state = worker_service_pb2.WORKER_STATE_STARTING
        status = worker_service_pb2.Worker(
            name=f"workers/{self._name}",
            compute_resource=f"computeResources/{self._compute_resource}",
            state=state,
            task="" if self._lease is None else self._lease.task,
            job="" if self._lease is None else self._lease.job,
            child_pid=self._child.pid or 0,
        )
        status.start_time.FromDatetime(self._start_time)
        return status

    async def require_consent(self) -> None:
        """The scheduler's refusal, if it gives this worker no jobs: another has its name (WORKER_REPLACED).

        A scheduler that is away is none: the worker waits for it. FailedPrecondition while it drains.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._draining.is_set():
            raise FailedPrecondition("the worker takes no more jobs", reason="WORKER_DRAINING")

    def drain(self) -> None:
        """Take no new job and give back the running one from its last checkpoint; `run` then returns."""
        self._draining.set()

    async def drained(self) -> None:
        """Drain, and return when `run` has returned, or took too long: the lease then runs out."""
        self.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_GRACE_S + _DRAIN_REPORT_S + _RELEASE_S):
                await self._ended.wait()

    async def run(self) -> None:
        """Work until drained or idle for too long; give it to `background`.

        Waits while the scheduler is away.
        """
        # Files of an earlier process that was killed.
        shutil.rmtree(self._folder, ignore_errors=True)
        backoff = Backoff(first_s=0.1, ceiling_s=2.0)
        failures = 0
        self._ended.clear()
        self._idle_since_s = time.monotonic()
        try:
            while not self._draining.is_set():
                try:
                    lease = await self._unless_draining(self._next_lease())
                except LoupeError as error:
                    failures += 1
                    self._refusal = None if error.transient else error
                    if failures == 1:
                        _log.warning(
                            "the scheduler gives no jobs",
                            extra={"reason": error.reason, "error": error.message},
                        )
                    await self._unless_draining(asyncio.sleep(backoff.delay_s(failures)))
                    continue
                failures = 0
                self._refusal = None
                if lease is not None:
                    await self._take(lease)
                    self._idle_since_s = time.monotonic()
                elif self._max_idle_s and self._idle_left_s() <= 0:
                    _log.info("no job for too long; the worker ends", extra={"max_idle_s": self._max_idle_s})
                    self.drain()
        finally:
            self._ended.set()

    def _idle_left_s(self) -> float:
        return self._idle_since_s + self._max_idle_s - time.monotonic()

    async def _next_lease(self) -> job_pb2.JobLease | None:
        # Ask only when a job could start at once; otherwise it would wait here while other workers are free.
        # Meanwhile say that this worker is there, so that nobody is told to start one (T4).
        ready = asyncio.ensure_future(self._child.ready())
        try:
            while not self._child.is_ready:
                lease = await self._jobs.acquire(self._handler.kinds, 0, starting=True)
                if lease is not None:
                    return lease
                await asyncio.wait({ready}, timeout=_SAY_STARTING_S)
        finally:
            await tasks.end(ready)
        # Whole seconds, and one at least: a worker that was slow to get ready asks once before it ends.
        poll_s = min(_POLL_S, max(1.0, math.ceil(self._idle_left_s()))) if self._max_idle_s else _POLL_S
        return await self._jobs.acquire(self._handler.kinds, poll_s)

    async def _unless_draining(self, action: Coroutine[Any, Any, T]) -> T | None:
        """The action's result; None if the worker is drained before."""
        wanted = asyncio.ensure_future(action)
        draining = asyncio.create_task(self._draining.wait())
        try:
            await asyncio.wait({wanted, draining}, return_when=asyncio.FIRST_COMPLETED)
            return wanted.result() if wanted.done() else None
        finally:
            await tasks.end(wanted, draining)

    async def _take(self, lease: job_pb2.JobLease) -> None:
        folder = self._folder / f"{lease.job.rpartition('/')[2]}-{lease.fencing_token}"
        extra = {
            "job": lease.job,
            "task": lease.task,
            "kind": job_pb2.JobKind.Name(lease.kind).removeprefix("JOB_KIND_").lower(),
            "fencing_token": lease.fencing_token,
        }
        _log.info("job begins", extra=extra)
        self._lease = lease
        job = HeldJob(
            lease,
            self._jobs,
            self._objects,
            max_unreported_bytes=self._max_unreported_bytes,
            folders=(folder, self._child.folder),
        )
        held = asyncio.create_task(job.run(), name=f"heartbeat of {lease.job}")
        try:
            folder.mkdir(parents=True)
            outcome = await self._execute(job, held, folder)
            if outcome is not None:
                await tasks.end(held)
                await self._jobs.finish(lease, outcome)
            elif self._draining.is_set() or job.release_requested.is_set():
                await tasks.end(held)
                await self._jobs.release(lease)
            _log.info("job ends", extra={**extra, "outcome": outcomes.described(outcome)})
        except LeaseLost as lost:
            _log.warning("lease lost; the job is dropped", extra={**extra, "detail": lost.message})
        except LoupeError as error:
            # The scheduler refused a call and will refuse it again. The lease runs out, and T5 decides.
            _log.exception("job given up", extra={**extra, "reason": error.reason})
        finally:
            await tasks.end(held)
            self._lease = None
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            await asyncio.to_thread(self._child.sweep)

    async def _execute(self, job: HeldJob, held: asyncio.Task[None], folder: Path) -> Outcome | None:
        """The outcome; None where the job is resumed elsewhere."""
        execution = JobExecution(
            job,
            self._handler,
            self._child,
            folder=folder,
            clock=self._clock,
            max_silence_s=self._max_silence_s,
        )
        driver = asyncio.create_task(execution.run(), name=f"child of {job.lease.job}")
        cancelled = asyncio.create_task(job.cancel_requested.wait())
        draining = asyncio.create_task(self._draining.wait())
        released = asyncio.create_task(job.release_requested.wait())
        ends = {driver, held, cancelled, draining, released}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if driver.done() and not held.done():
                outcome = driver.result()
                if not outcomes.may_resume(outcome):
                    job.drop_checkpoint()
                await _while_held(job.flush(), held)
                return outcome
            if held.done():
                held.result()
            if cancelled.done():
                if await execution.stop(_TERMINATE_GRACE_S):
                    await asyncio.wait({driver}, timeout=_TERMINATED_READ_S)
                return outcomes.terminated()
            return await self._drain(job, execution, driver, held)
        finally:
            # Cancelling the driver kills its child; only then is the process gone.
            await tasks.end(driver, cancelled, draining, released)

    async def _drain(
        self,
        job: HeldJob,
        execution: JobExecution,
        driver: "asyncio.Task[Outcome]",
        held: asyncio.Task[None],
    ) -> Outcome | None:
        # One deadline for everything: what is not reported by then is done again from the last checkpoint.
        outcome: Outcome | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_GRACE_S + _DRAIN_REPORT_S):
                if await execution.stop(_DRAIN_GRACE_S):
                    await asyncio.wait({driver}, timeout=_DRAIN_REPORT_S)
                outcome = driver.result() if driver.done() and not driver.cancelled() else None
                await _while_held(job.flush(), held)
        # The job may have finished meanwhile. Else the child was stopped on request: its end is no failure.
        return outcome if outcome is not None and outcomes.is_complete(outcome) else None


async def _while_held(action: Coroutine[Any, Any, None], held: asyncio.Task[None]) -> None:
    """Await the action; raise what ends the lease if that happens before."""
    wanted = asyncio.ensure_future(action)
    try:
        await asyncio.wait({wanted, held}, return_when=asyncio.FIRST_COMPLETED)
        if held.done():
            held.result()
        wanted.result()
    finally:
        await tasks.end(wanted)
