"""Jobs, the queue they wait in, and the workers that take them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import notify
from services.scheduler.domain.job import Checkpoint, Job, JobKind, JobState
from services.scheduler.domain.listing import QueuePlace
from services.scheduler.domain.task import Task
from services.scheduler.storage.codec import NETWORK_NUMBERS, NETWORKS
from services.scheduler.storage.tables import jobs, tasks, workers

# Woken when there is a job to take.
QUEUE_CHANNEL = "scheduler:jobs"
# Longer than the longest poll of an idle worker.
WORKER_SEEN = timedelta(seconds=45)

# T8: priority, which grows with waiting so that nobody starves; then the user with least running; then age.
_NEXT_JOB = sa.text(
    """
    SELECT j.id
    FROM jobs j
    JOIN tasks t ON t.id = j.task
    LEFT JOIN (SELECT creator, count(*) AS n FROM jobs WHERE state = 'LEASED' GROUP BY creator) running
        ON running.creator = j.creator
    WHERE j.state = 'QUEUED' AND j.compute_resource = :resource AND j.kind = ANY(:kinds)
        AND j.available_time <= :now
    ORDER BY j.priority + floor(extract(epoch FROM :now - j.queue_time) / :aging_s) DESC,
        coalesce(running.n, 0), j.queue_time, j.id
    LIMIT 1
    FOR NO KEY UPDATE OF j, t SKIP LOCKED
    """
).bindparams(
    sa.bindparam("kinds", type_=sa.ARRAY(sa.Text)), sa.bindparam("now", type_=sa.DateTime(timezone=True))
)

# The same order, told as a position. A creator's k-th job competes as if its first k - 1 ran already.
_POSITIONS = sa.text(
    """
    WITH running AS (SELECT creator, count(*) AS n FROM jobs WHERE state = 'LEASED' GROUP BY creator),
    queued AS (
        SELECT j.task, j.kind, j.compute_resource, j.queue_time, j.available_time, j.recoveries, j.id,
            j.creator,
            j.kind = 'TRAIN' AS pool,
            j.priority + floor(extract(epoch FROM :now - j.queue_time) / :aging_s) AS priority
        FROM jobs j WHERE j.state = 'QUEUED'
    ),
    ranked AS (
        SELECT q.*, coalesce(r.n, 0) + row_number() OVER (
            PARTITION BY q.pool, q.compute_resource, q.priority, q.creator ORDER BY q.queue_time, q.id
        ) AS turn
        FROM queued q LEFT JOIN running r ON r.creator = q.creator
    ),
    placed AS (
        SELECT ranked.*, row_number() OVER (
            PARTITION BY pool, compute_resource ORDER BY priority DESC, turn, queue_time, id
        ) AS position
        FROM ranked
    )
    SELECT p.task, p.position, p.queue_time, p.available_time, p.recoveries,
        EXISTS (
            SELECT FROM workers w
            WHERE w.compute_resource = p.compute_resource AND p.kind = ANY(w.kinds)
                AND w.last_seen > :seen_after
        ) OR EXISTS (
            SELECT FROM jobs l
            WHERE l.state = 'LEASED' AND l.compute_resource = p.compute_resource
                AND (l.kind = 'TRAIN') = p.pool
        ) AS served
    FROM placed p WHERE p.task = ANY(:tasks)
    """
).bindparams(
    sa.bindparam("tasks", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("now", type_=sa.DateTime(timezone=True)),
    sa.bindparam("seen_after", type_=sa.DateTime(timezone=True)),
)


class Jobs:
    """The jobs of one transaction. A task's lock guards its jobs: who changes one locks the task first."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, job: Job, task: Task) -> None:
        """Queue a new job of a task and wake who waits for one."""
        await self._session.execute(
            sa.insert(jobs).values(
                id=job.id,
                task=job.task,
                attempt=job.attempt,
                kind=job.kind.value,
                compute_resource=job.compute_resource,
                creator=task.creator,
                priority=task.priority,
                queue_time=job.queue_time,
                **_changing(job),
            )
        )
        await notify(self._session, QUEUE_CHANNEL)

    async def next_for(
        self, resource: str, kinds: Iterable[JobKind], now: datetime, *, aging_s: float
    ) -> Job | None:
        """The job whose turn it is, locked together with its task; None if there is none."""
        job_id = await self._session.scalar(
            _NEXT_JOB,
            {"resource": resource, "kinds": [kind.value for kind in kinds], "now": now, "aging_s": aging_s},
        )
        return None if job_id is None else await self.find(job_id)

    async def find(self, job_id: str) -> Job | None:
        """The job, if it exists still."""
        row = (await self._session.execute(sa.select(jobs).where(jobs.c.id == job_id))).one_or_none()
        return None if row is None else _job(row)

    async def open_of(self, task_id: str) -> Job | None:
        """The task's job that is not done, if there is one."""
        row = (
            await self._session.execute(
                sa.select(jobs).where(jobs.c.task == task_id, jobs.c.state != JobState.DONE.value)
            )
        ).one_or_none()
        return None if row is None else _job(row)

    async def all_of(self, task_id: str) -> list[Job]:
        """Every job that the task ever had."""
        rows = await self._session.execute(sa.select(jobs).where(jobs.c.task == task_id))
        return [_job(row) for row in rows]

    async def next_expired(self, now: datetime) -> Job | None:
        """A job whose lease ran out, locked together with its task; None if there is none."""
        row = (
            await self._session.execute(
                sa.select(jobs)
                .join(tasks, tasks.c.id == jobs.c.task)
                .where(jobs.c.state == JobState.LEASED.value, jobs.c.lease_expire_time < now)
                .limit(1)
                .with_for_update(key_share=True, skip_locked=True, of=[jobs, tasks])
            )
        ).one_or_none()
        return None if row is None else _job(row)

    async def save(self, job: Job) -> None:
        """Store a job whose task is locked; wakes who waits for one if it is queued."""
        await self._session.execute(sa.update(jobs).where(jobs.c.id == job.id).values(_changing(job)))
        if job.state is JobState.QUEUED:
            await notify(self._session, QUEUE_CHANNEL)

    async def places(
        self, task_ids: Sequence[str], now: datetime, *, aging_s: float
    ) -> dict[str, QueuePlace]:
        """Where the queued ones among these tasks stand."""
        rows = await self._session.execute(
            _POSITIONS,
            {"tasks": list(task_ids), "now": now, "aging_s": aging_s, "seen_after": now - WORKER_SEEN},
        )
        return {
            row.task: QueuePlace(
                row.position, row.available_time if row.recoveries else row.queue_time, row.served
            )
            for row in rows
        }

    async def worker_seen(self, worker: str, kinds: Iterable[JobKind], resource: str, now: datetime) -> None:
        """Remember that a worker asks for work."""
        values = {
            "kinds": sorted(kind.value for kind in kinds),
            "compute_resource": resource,
            "last_seen": now,
        }
        await self._session.execute(
            insert(workers)
            .values(name=worker, **values)
            .on_conflict_do_update(index_elements=[workers.c.name], set_=values)
        )

    async def forget_workers(self, unseen_since: datetime) -> None:
        """Drop workers that are gone for long."""
        await self._session.execute(sa.delete(workers).where(workers.c.last_seen < unseen_since))


def _changing(job: Job) -> dict[str, Any]:
    return {
        "available_time": job.available_time,
        "state": job.state.value,
        "fencing_token": job.fencing_token,
        "worker": job.worker,
        "lease_expire_time": job.lease_expire_time,
        "recoveries": job.recoveries,
        "checkpoint_sha256": job.checkpoint.sha256 if job.checkpoint else None,
        "checkpoint_network": NETWORK_NUMBERS[job.checkpoint.network] if job.checkpoint else None,
        "checkpoint_iteration": job.checkpoint.next_iteration if job.checkpoint else None,
        "finished_token": job.finished_token,
        "outcome": job.outcome,
    }


def _job(row: Any) -> Job:  # noqa: ANN401 -- a row
    checkpoint = None
    if row.checkpoint_sha256 is not None:
        checkpoint = Checkpoint(
            row.checkpoint_sha256, NETWORKS[row.checkpoint_network], row.checkpoint_iteration
        )
    return Job(
        id=row.id,
        task=row.task,
        attempt=row.attempt,
        kind=JobKind(row.kind),
        compute_resource=row.compute_resource,
        queue_time=row.queue_time,
        available_time=row.available_time,
        state=JobState(row.state),
        fencing_token=row.fencing_token,
        worker=row.worker,
        lease_expire_time=row.lease_expire_time,
        recoveries=row.recoveries,
        checkpoint=checkpoint,
        finished_token=row.finished_token,
        outcome=row.outcome,
    )
