"""Jobs, the queue they wait in, and the workers that take them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.signals import notify
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import Job, JobKind, JobState
from services.scheduler.domain.overdue import OverdueLease
from services.scheduler.domain.queue import Build, QueuePosition, Worker
from services.scheduler.domain.task import Task
from services.scheduler.storage.codec import NETWORK_NUMBERS, checkpoint_of
from services.scheduler.storage.tables import jobs, lanes, tasks, workers

# Notified when a job is queued.
QUEUE_CHANNEL = "scheduler:jobs"
# An idle worker that has not asked for a job for so long is gone. Longer than the longest poll of a worker.
WORKER_SILENCE_LIMIT = timedelta(seconds=45)

# A busy worker does not ask for jobs: it is present while it holds a lease.
PRESENT_WORKERS = """present AS (
        SELECT * FROM workers w
        WHERE w.last_seen > statement_timestamp() - CAST(:silence_limit AS interval)
            OR EXISTS (SELECT FROM jobs l WHERE l.worker = w.name AND l.state = 'LEASED')
    )"""
_WAITING = sa.text(
    f"""
    WITH {PRESENT_WORKERS}
    SELECT j.task, j.kind, j.queue_time, j.available_time, j.recoveries,
        count(w.name) FILTER (WHERE w.drain_time IS NULL) > 0 AS served,
        count(w.drain_time) > 0 AS drained,
        coalesce(bool_or(j.gpus <= w.gpus AND j.cpus <= w.cpus AND j.memory_bytes <= w.memory_bytes)
            FILTER (WHERE w.drain_time IS NULL), false) AS fits
    FROM jobs j
    LEFT JOIN present w ON j.compute_resource = ANY(w.compute_resources) AND j.kind = ANY(w.kinds)
    WHERE j.task = ANY(:tasks) AND j.state = 'QUEUED'
    GROUP BY j.id
    """  # noqa: S608 -- of constants
).bindparams(
    sa.bindparam("tasks", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("silence_limit", WORKER_SILENCE_LIMIT, sa.Interval),
)


def announced(row: Any) -> Worker:  # noqa: ANN401 -- of any query with the columns of `workers`
    """A worker as it announced itself."""
    return Worker(
        row.name,
        tuple(JobKind(kind) for kind in row.kinds),
        tuple(row.compute_resources),
        Amounts(row.gpus, row.cpus, row.memory_bytes),
        row.start_time,
        Build(row.version, row.torch_version, row.device),
    )


class Jobs:
    """The jobs of one transaction. To change a job, a transaction locks the job's task first."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, job: Job, task: Task) -> None:
        """Queue a new job of a task, and wake the calls that wait for one."""
        await self._session.execute(
            sa.insert(jobs).values(
                id=job.id,
                task=job.task,
                attempt=job.attempt,
                kind=job.kind.value,
                compute_resource=job.compute_resource,
                creator=task.creator,
                priority=task.priority,
                **asdict(job.takes),
                queue_time=job.queue_time,
                **_changing(job),
            )
        )
        await notify(self._session, QUEUE_CHANNEL)

    async def find(self, job_id: str) -> Job | None:
        """The job; None if it was deleted."""
        row = (await self._session.execute(sa.select(jobs).where(jobs.c.id == job_id))).one_or_none()
        return None if row is None else _job(row)

    async def get_many(self, job_ids: Collection[str]) -> dict[str, Job]:
        """The jobs by id, without those that were deleted."""
        wanted = jobs.c.id == sa.any_(sa.cast(list(job_ids), sa.ARRAY(sa.Text)))
        rows = await self._session.execute(sa.select(jobs).where(wanted))
        return {row.id: _job(row) for row in rows}

    async def open_of(self, task_id: str) -> Job | None:
        """The task's job that is not done; None if there is none."""
        row = (
            await self._session.execute(
                sa.select(jobs).where(jobs.c.task == task_id, jobs.c.state != JobState.DONE.value)
            )
        ).one_or_none()
        return None if row is None else _job(row)

    async def all_of(self, task_id: str) -> list[Job]:
        """All jobs of the task, of all attempts."""
        rows = await self._session.execute(sa.select(jobs).where(jobs.c.task == task_id))
        return [_job(row) for row in rows]

    async def overdue(self, longest_lease: timedelta) -> list[OverdueLease]:
        """Leases whose end is past, or further away than any lease is long: the clock was set back."""
        now = sa.func.statement_timestamp()
        end = jobs.c.lease_expire_time
        rows = await self._session.execute(
            sa.select(jobs.c.id, jobs.c.fencing_token, end, tasks.c.terminating)
            .join(tasks, tasks.c.id == jobs.c.task)
            .where(jobs.c.state == JobState.LEASED.value, sa.or_(end < now, end > now + longest_lease))
        )
        return [OverdueLease(*row) for row in rows]

    async def lock_overdue(self, lease: OverdueLease) -> Job | None:
        """The job of the lease, locked together with its task; None if the lease was prolonged or ended."""
        row = (
            await self._session.execute(
                sa.select(jobs)
                .join(tasks, tasks.c.id == jobs.c.task)
                .where(
                    jobs.c.id == lease.job,
                    jobs.c.state == JobState.LEASED.value,
                    jobs.c.fencing_token == lease.fencing_token,
                    jobs.c.lease_expire_time == lease.expire_time,
                )
                .with_for_update(key_share=True, skip_locked=True, of=[jobs, tasks])
            )
        ).one_or_none()
        return None if row is None else _job(row)

    async def save(self, job: Job) -> None:
        """Store a job whose task is locked. If it is queued, wake the calls that wait for one."""
        await self._session.execute(sa.update(jobs).where(jobs.c.id == job.id).values(_changing(job)))
        if job.state is JobState.QUEUED:
            await notify(self._session, QUEUE_CHANNEL)

    async def positions(
        self, task_ids: Sequence[str], ranking: Mapping[str, int], held_back: Collection[JobKind] = ()
    ) -> dict[str, QueuePosition]:
        """Positions of the tasks that are queued, and whether any present worker could take their jobs.

        `held_back` are the kinds of which no job is granted now.
        """
        rows = await self._session.execute(_WAITING, {"tasks": list(task_ids)})
        return {
            row.task: QueuePosition(
                number=ranking.get(row.task, len(ranking) + 1),
                since=row.available_time if row.recoveries else row.queue_time,
                kind=JobKind(row.kind),
                recovering=row.recoveries > 0,
                served=row.served,
                fits=row.fits,
                drained=row.drained,
                held_back=JobKind(row.kind) in held_back,
            )
            for row in rows
        }

    async def heard_holder(self, job_id: str, fencing_token: int) -> None:
        """The worker that holds the job under this token was heard of now."""
        holder = sa.select(jobs.c.worker).where(
            jobs.c.id == job_id,
            jobs.c.fencing_token == fencing_token,
            jobs.c.state == JobState.LEASED.value,
        )
        await self._session.execute(
            sa.update(workers)
            .where(workers.c.name == holder.scalar_subquery())
            .values(last_seen=sa.func.greatest(workers.c.last_seen, sa.func.clock_timestamp()))
        )

    async def delete_gone_workers(self, unseen_since: datetime) -> None:
        """Delete workers that were not seen, and lanes that were not served since then; drained ones stay."""
        await self._session.execute(
            sa.delete(workers).where(
                workers.c.last_seen < unseen_since,
                workers.c.drain_time.is_(None),
                ~sa.exists().where(jobs.c.worker == workers.c.name, jobs.c.state == JobState.LEASED.value),
            )
        )
        await self._session.execute(sa.delete(lanes).where(lanes.c.served_time < unseen_since))


def _changing(job: Job) -> dict[str, Any]:
    return {
        "available_time": job.available_time,
        "state": job.state.value,
        "fencing_token": job.fencing_token,
        "worker": job.worker,
        "lease_expire_time": job.lease_expire_time,
        "recoveries": job.recoveries,
        "reached": job.reached,
        "checkpoint_sha256": job.checkpoint.sha256 if job.checkpoint else None,
        "checkpoint_network": NETWORK_NUMBERS[job.checkpoint.network] if job.checkpoint else None,
        "checkpoint_iteration": job.checkpoint.next_iteration if job.checkpoint else None,
        "finished_token": job.finished_token,
        "outcome": job.outcome,
    }


def _job(row: Any) -> Job:  # noqa: ANN401 -- a row
    return Job(
        id=row.id,
        task=row.task,
        attempt=row.attempt,
        kind=JobKind(row.kind),
        compute_resource=row.compute_resource,
        takes=Amounts(row.gpus, row.cpus, row.memory_bytes),
        queue_time=row.queue_time,
        available_time=row.available_time,
        state=JobState(row.state),
        fencing_token=row.fencing_token,
        worker=row.worker,
        lease_expire_time=row.lease_expire_time,
        recoveries=row.recoveries,
        reached=row.reached,
        checkpoint=checkpoint_of(row),
        finished_token=row.finished_token,
        outcome=row.outcome,
    )
