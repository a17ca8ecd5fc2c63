"""Leases: acquire, finish and give back jobs; recovery when a worker is lost (T5, T6)."""

import json
import logging
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from loupe.errors import InvalidArgument
from loupe.translation import Sentence, sentence
from sqlalchemy.ext.asyncio import AsyncSession

from services.failure_codes import FailureCode
from services.kit.database import database_time
from services.scheduler.application.admission import Admission
from services.scheduler.application.dependencies import (
    Dependencies,
    discard_checkpoint,
    end_terminated,
    log_to_user,
    queue_job,
    record_transition,
)
from services.scheduler.domain.job import Job, JobKind, lease_lost
from services.scheduler.domain.overdue import OverdueLeases
from services.scheduler.domain.queue import Worker
from services.scheduler.domain.spec import BankRunDue, ExportSpec, TrainingSpec
from services.scheduler.domain.task import Failure, Task, TaskKind, TaskNotFound
from services.scheduler.domain.work import (
    Lease,
    Outcome,
    Packaged,
    Reported,
    Terminated,
    Trained,
    fits,
)
from services.scheduler.storage.admissions import Admissions
from services.scheduler.storage.bank_runs import BankRuns
from services.scheduler.storage.jobs import QUEUE_CHANNEL, Jobs
from services.scheduler.storage.tasks import Tasks
from services.scheduler.storage.throughputs import Throughputs

_log = logging.getLogger(__name__)

# The queue is read again after this time: a job may become available later, or a wake-up may be lost.
_POLL_S = 1.0


class Leases:
    """Use cases of JobService, and the sweeper."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._admission = Admission(dependencies, self.give_back)
        self._overdue = OverdueLeases()

    async def introduce(self, worker: Worker) -> Worker:
        """A process that asks for the first time: it started now, and after all others of its name."""
        async with self._dependencies.sessions.reading() as session:
            return replace(worker, start_time=await Admissions(session).next_start_time(worker.name))

    async def announce(self, worker: Worker) -> None:
        """The worker is there, though it can take no job yet (T4)."""
        await self._admission.announce(worker)

    async def acquire(self, worker: Worker, wait_s: float) -> Lease | None:
        """Lease the next job to the worker, if there is room for it; waits for one up to `wait_s`."""
        deadline_s = time.monotonic() + wait_s
        lease = await self._admission.ask(worker)
        if lease is not None or wait_s <= 0:
            return lease
        async with self._dependencies.signals.subscribe(QUEUE_CHANNEL) as signal:
            while True:
                lease = await self._admission.ask(worker)
                left_s = deadline_s - time.monotonic()
                if lease is not None or left_s <= 0:
                    return lease
                await signal.wait(min(_POLL_S, left_s))

    async def finish(self, job_id: str, fencing_token: int, outcome: Outcome) -> None:
        """End the job. A repetition changes nothing."""
        outcome_json = _outcome_json(outcome)
        await self._heard(job_id, fencing_token)
        if isinstance(outcome, Packaged):
            await self._record(job_id, fencing_token, outcome, outcome_json)
        async with self._dependencies.sessions.begin() as session:
            locked = await self._lock(session, job_id, fencing_token)
            job = locked.job
            if _is_repetition(job, fencing_token, outcome, outcome_json):
                return
            if isinstance(outcome, Reported | Packaged):
                report = outcome.report if isinstance(outcome, Reported) else ""
                task, transition = locked.task.completed(report, locked.now, job.worker)
                await self._end(locked, task, outcome_json)
                await record_transition(session, task, transition)
                if task.kind is TaskKind.TRAINING:
                    environment = task.spec.production_environment
                    await BankRuns(session).add(BankRunDue(task.name, task.name, environment, task.creator))
            elif locked.task.terminating or isinstance(outcome, Terminated):
                await self._terminate(locked, outcome_json)
            elif isinstance(outcome, Trained):
                task = locked.task.trained(outcome.weights_sha256, outcome.split_sha256, outcome.looks)
                await self._end(locked, task, outcome_json)
                if isinstance(task.spec, TrainingSpec):
                    await Throughputs(session).add(task, task.spec, outcome.throughputs, locked.now)
                await queue_job(session, task, JobKind.EVALUATE, locked.now)
            elif outcome.retryable:
                lost = replace(job, finished_token=fencing_token, outcome=outcome_json)
                await self._recover(replace(locked, job=lost), job.retry_delay_s(), outcome.failure)
            else:
                await self._fail(locked, outcome.failure, outcome_json)

    async def _heard(self, job_id: str, fencing_token: int) -> None:
        """The holder is there when its lease ends: it did not ask for jobs while it had one (T4).

        In its own transaction: admissions lock a worker before its jobs.
        """
        async with self._dependencies.sessions.begin() as session:
            await Jobs(session).heard_holder(job_id, fencing_token)

    async def _record(self, job_id: str, fencing_token: int, package: Packaged, outcome_json: str) -> None:
        """Have the registry record the package, so that a COMPLETED task means that the version has it.

        Outside the transaction that ends the job, which must not wait for another service. A worker without
        the lease records nothing (T6). If the lease is lost a moment later, the recorded package is still
        right.
        """
        async with self._dependencies.sessions.begin() as session:
            locked = await self._lock(session, job_id, fencing_token)
            if _is_repetition(locked.job, fencing_token, package, outcome_json):
                return
        if isinstance(locked.task.spec, ExportSpec):
            await self._dependencies.registry.record_package(locked.task.spec, package)

    async def give_back(self, job_id: str, fencing_token: int) -> None:
        """Queue the job again for another worker. Not a fault, so it is not counted as a recovery."""
        await self._heard(job_id, fencing_token)
        async with self._dependencies.sessions.begin() as session:
            locked = await self._lock(session, job_id, fencing_token)
            locked.job.require_lease(fencing_token)
            if locked.task.terminating:
                await self._terminate(locked, "terminated")
                return
            await Jobs(session).save(locked.job.handed_back(locked.now))
            await Tasks(session).save(locked.task, locked.task.handed_back())

    async def sweep(self) -> int:
        """Take overdue leases from workers that do not prolong them; returns how many."""
        longest_lease = timedelta(seconds=self._dependencies.scheduling.lease_s * 2)
        async with self._dependencies.sessions.reading() as session:
            overdue = await Jobs(session).overdue(longest_lease)
        swept = 0
        for lease in self._overdue.ended(overdue, time.monotonic()):
            async with self._dependencies.sessions.begin() as session:
                job = await Jobs(session).lock_overdue(lease)
                if job is None:
                    continue
                now = await database_time(session)
                locked = _LockedJob(session, await Tasks(session).get(job.task), job, now)
                _log.warning(
                    "lease expired",
                    extra={"job": job.name, "task": locked.task.name, "worker": job.worker},
                )
                if locked.task.terminating:
                    await self._terminate(locked, "terminated")
                else:
                    await self._recover(locked, 0.0, None)
            swept += 1
        return swept

    async def _lock(self, session: AsyncSession, job_id: str, fencing_token: int) -> "_LockedJob":
        found = await Jobs(session).find(job_id)
        if found is None:
            raise lease_lost(f"jobs/{job_id[:64]}", fencing_token)
        try:
            task = await Tasks(session).lock(found.task)
        except TaskNotFound:
            raise lease_lost(found.name, fencing_token) from None
        # Read it again: it may have changed before its task was locked.
        job = await Jobs(session).find(job_id)
        if job is None:
            raise lease_lost(found.name, fencing_token)
        return _LockedJob(session, task, job, await database_time(session))

    async def _terminate(self, locked: "_LockedJob", outcome_json: str) -> None:
        await self._end_job(locked, outcome_json)
        await end_terminated(locked.session, locked.task, locked.now, locked.job.worker)

    async def _fail(self, locked: "_LockedJob", failure: Failure, outcome_json: str) -> None:
        task, transition = locked.task.failed(failure, locked.now, locked.job.worker)
        await self._end(locked, task, outcome_json)
        await _log_cause(locked, sentence("FAILED"), failure, failure.remedy)
        await record_transition(locked.session, task, transition)

    async def _recover(self, locked: "_LockedJob", delay_s: float, cause: Failure | None) -> None:
        limit = self._dependencies.scheduling.infrastructure_retries
        job = locked.job
        if job.recoveries >= limit:
            last = Sentence("", "")
            if cause is not None:
                last = sentence(
                    "; the last fault was {code}: {message}",
                    code=cause.code,
                    message=Sentence(cause.message, cause.message_zh or cause.message),
                )
            failure = Failure(
                FailureCode.INFRASTRUCTURE_RETRIES,
                *sentence(
                    "the infrastructure failed {limit} times{last}",
                    limit=limit + 1,
                    last=last,
                ),
                cause.log_tail if cause else "",
            )
            await self._fail(locked, failure, job.outcome)
            return
        await Jobs(locked.session).save(job.lost(locked.now, delay_s))
        await _log_cause(locked, sentence("TAKEN UP AGAIN"), cause or _worker_lost(job))
        await Tasks(locked.session).save(locked.task, locked.task.recovering())

    async def _end(self, locked: "_LockedJob", after: Task, outcome_json: str) -> None:
        await self._end_job(locked, outcome_json)
        await Tasks(locked.session).save(locked.task, after)

    async def _end_job(self, locked: "_LockedJob", outcome_json: str) -> None:
        job = locked.job
        if job.checkpoint is not None:
            grace_s = self._dependencies.scheduling.checkpoint_grace_s
            await discard_checkpoint(locked.session, job.checkpoint.sha256, locked.now, grace_s)
        await Jobs(locked.session).save(job.finished(outcome_json))


@dataclass(frozen=True, slots=True)
class _LockedJob:
    """A job and its task, locked in one transaction."""

    session: AsyncSession
    task: Task
    job: Job
    now: datetime


def _worker_lost(job: Job) -> Failure:
    return Failure(FailureCode.WORKER_LOST, *sentence("{worker} stopped reporting", worker=job.worker))


async def _log_cause(
    locked: "_LockedJob", event: Sentence, cause: Failure, remedy: Sentence | None = None
) -> None:
    """Append to the task's logs what happened, why, and what to do, in both languages (M6)."""
    english = f"{event.english} {cause.code}: {cause.message}"
    chinese = f"{event.chinese} {cause.code}：{cause.message_zh or cause.message}"
    if remedy:
        english, chinese = f"{english}; {remedy.english}", f"{chinese}；{remedy.chinese}"
    await log_to_user(locked.session, locked.task, locked.now, english, chinese)


def _is_repetition(job: Job, fencing_token: int, outcome: Outcome, outcome_json: str) -> bool:
    """Whether this FinishJob was applied already. LeaseLost or InvalidArgument if it must not end the job."""
    if job.was_finished_with(fencing_token, outcome_json):
        return True
    job.require_lease(fencing_token)
    if not fits(outcome, job.kind):
        raise InvalidArgument(
            f"{job.name} is a {job.kind} job; it cannot end as {type(outcome).__name__.lower()}",
            reason="OUTCOME_DOES_NOT_FIT",
        )
    return False


def _outcome_json(outcome: Outcome) -> str:
    fields = asdict(outcome)
    # What was measured does not tell outcomes apart: a call may be repeated after an upgrade of the worker.
    fields.pop("throughputs", None)
    fields.pop("looks", None)
    return json.dumps({"outcome": type(outcome).__name__, **fields}, sort_keys=True)
