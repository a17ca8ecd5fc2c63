"""Admission: grants waiting jobs to workers that ask (rules T5, T6, T8)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loupe.errors import LoupeError
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit import outbox
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.domain.job import Job, JobKind, JobState, Network
from services.scheduler.domain.queue import Worker, WorkerReplaced
from services.scheduler.domain.task import Task
from services.scheduler.domain.work import Lease
from services.scheduler.storage.admissions import Admissions, JobGrant, WorkerRecord
from services.scheduler.storage.curves import Curves
from services.scheduler.storage.jobs import Jobs
from services.scheduler.storage.tasks import Tasks
from services.scheduler.wire import events

# How many requests are decided with one read of the queue and one commit.
_MAX_BATCH = 8
# A worker's row is written again after this time: often enough for the wait reasons (T4), and rarely enough
# that a worker that asks all the time does not cost a write each time.
_ANNOUNCED_FOR = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, eq=False)
class AdmissionRequest:
    """A worker that asks for a job, and the future that gets its lease, or None."""

    worker: Worker
    answer: "asyncio.Future[Lease | None]"


class Admission:
    """Decides concurrent requests in batches. Of several processes that decide at once, one succeeds."""

    def __init__(self, dependencies: Dependencies, give_back: Callable[[str, int], Awaitable[None]]) -> None:
        self._dependencies = dependencies
        self._give_back = give_back
        self._requests: list[AdmissionRequest] = []
        self._deciding: asyncio.Task[None] | None = None

    async def ask(self, worker: Worker) -> Lease | None:
        """The next job for the worker; None if there is none, or no room for it."""
        request = AdmissionRequest(worker, asyncio.get_running_loop().create_future())
        self._requests.append(request)
        if self._deciding is None or self._deciding.done():
            self._deciding = asyncio.create_task(self._decide_all())
        return await request.answer

    async def announce(self, worker: Worker) -> None:
        """Store that the worker is there, without a job for it; WorkerReplaced as in `ask`."""
        request = AdmissionRequest(worker, asyncio.get_running_loop().create_future())
        async with self._dependencies.sessions.begin() as session:
            admissions = Admissions(session)
            _, now, records = await admissions.known([worker.name])
            await self._announce(admissions, [request], records, now)
        if request.answer.done():
            request.answer.result()

    async def _decide_all(self) -> None:
        while self._requests:
            batch = self._requests[:_MAX_BATCH]
            del self._requests[:_MAX_BATCH]
            try:
                while (leases := await self._decide(batch)) is None:
                    pass
            except Exception as error:  # noqa: BLE001 -- every request of the batch gets it
                for request in batch:
                    if not request.answer.done():
                        request.answer.set_exception(error)
                continue
            unclaimed = [lease.job for request, lease in leases.items() if request.answer.done()]
            for request in batch:
                if not request.answer.done():
                    request.answer.set_result(leases.get(request))
            for job in unclaimed:  # the caller is gone; if giving back fails, the lease expires
                with contextlib.suppress(LoupeError):
                    await self._give_back(job.id, job.fencing_token)

    async def _decide(self, batch: Sequence[AdmissionRequest]) -> dict[AdmissionRequest, Lease] | None:
        """The leases of a batch; None if something changed in between: decide again."""
        scheduling = self._dependencies.scheduling
        async with self._dependencies.sessions.begin() as session:
            admissions = Admissions(session)
            names = [request.worker.name for request in batch]
            epoch, now, records = await admissions.known(names)
            if await self._announce(admissions, batch, records, now):
                epoch, now, records = await admissions.known(names)
            batch = [
                request
                for request in batch
                if not request.answer.done() and not records[request.worker.name].drained
            ]
            held = {name: record.held for name, record in records.items()}
            workers = [request.worker for request in batch]
            queue = await admissions.front(workers, held, scheduling.ageing_s)
            for kind in self._dependencies.held_back:
                queue.hold_back(kind)
            chosen = {
                waiting.job: (request, waiting)
                for request in batch
                if (waiting := queue.grant_next(request.worker)) is not None
            }
            if not chosen:
                return {}
            # Read tasks before jobs: every change of a job increments the revision of its task, so a change
            # between the two reads is noticed.
            tasks = await Tasks(session).get_many([waiting.task for _, waiting in chosen.values()])
            jobs = await Jobs(session).get_many(chosen)
            if any(job_id not in jobs or jobs[job_id].state is not JobState.QUEUED for job_id in chosen):
                return None
            grants = [
                _granted(jobs[job_id], tasks[waiting.task], request.worker, now, scheduling.lease_s)
                for job_id, (request, waiting) in chosen.items()
            ]
            granted = await admissions.grant(epoch, grants, now)
            if granted is None:
                return None
            leases = {}
            for grant in grants:
                if grant.job.id in granted:
                    request, _ = chosen[grant.job.id]
                    leases[request] = Lease(grant.job, grant.task, scheduling.lease_s)
                    if grant.job.kind is JobKind.TRAIN and grant.job.fencing_token > 1:
                        await _cut_back(session, grant.job)
        return leases

    async def _announce(
        self,
        admissions: Admissions,
        batch: Sequence[AdmissionRequest],
        records: dict[str, WorkerRecord],
        now: datetime,
    ) -> bool:
        """Store workers that changed or were not stored for a while; returns whether there were any."""
        stored = False
        for request in batch:
            worker, record = request.worker, records[request.worker.name]
            if record.announced is not None and record.announced.start_time > worker.start_time:
                request.answer.set_exception(
                    WorkerReplaced(
                        f"another process took the name {worker.name} after this one had started; "
                        "give each worker a name of its own",
                        worker=worker.name,
                    )
                )
            elif (
                record.announced != worker
                or record.last_seen is None
                or now - record.last_seen > _ANNOUNCED_FOR
            ):
                await admissions.announce(worker, now)
                stored = True
        return stored


def _granted(job: Job, task: Task, worker: Worker, now: datetime, lease_s: float) -> JobGrant:
    after, transition = task.taken_up(worker.name, now)
    message = None
    if transition is not None:
        event = events.state_changed(after, transition, releaser="")
        message = outbox.Message.of(events.state_subject(after), event)
    return JobGrant(job.granted(worker.name, now, lease_s), task, after, message)


async def _cut_back(session: AsyncSession, job: Job) -> None:
    """Delete the points after the checkpoint: the next worker computes them again, so none is doubled."""
    curves = Curves(session, job.task, job.attempt)
    after_checkpoint = False
    for network in Network:  # in the order in which they are trained
        if job.checkpoint is not None and network is job.checkpoint.network:
            await curves.truncate(network, job.checkpoint.next_iteration)
            after_checkpoint = True
        elif job.checkpoint is None or after_checkpoint:
            await curves.truncate(network, 0)
