"""Jobs, the queue they wait in, and the workers that take them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import notify
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import Checkpoint, Job, JobKind, JobState
from services.scheduler.domain.queue import MOST_URGENT, QueuePlace, Worker, WorkerReplaced
from services.scheduler.domain.task import Task
from services.scheduler.storage.codec import NETWORK_NUMBERS, NETWORKS
from services.scheduler.storage.tables import jobs, lines, tasks, workers

# Woken when there is a job to take.
QUEUE_CHANNEL = "scheduler:jobs"
# Longer than the longest poll of an idle worker.
WORKER_SEEN = timedelta(seconds=45)
# Often enough for that, and seldom enough to cost a worker that asks again and again nothing.
_SEEN_LATELY = timedelta(seconds=10)

# Whose turn it is, is decided by one after another: two who decide at once would both count the same jobs as
# running, and SKIP LOCKED would give the second one's turn to whoever stands behind the first.
_DECIDE = sa.text(
    """
    SELECT pg_advisory_xact_lock(hashtextextended('scheduler:turn', 0)),
        -- The planner takes no line for long, but one may be: read its first, do not sort it. And plan once.
        set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true),
        set_config('plan_cache_mode', 'force_generic_plan', true)
    """
)

# T8: priority; then the user with the least running; then age. A line is what one user has waiting of one
# priority for one resource. Only its first can be next, so this looks at the first of every line, however
# long it is. A line gains priority while none of its jobs is given out; a job that was given out before had
# its turn and does not wait for another. Who is next but does not fit into what the worker has left is waited
# for: if smaller jobs went first, a large one might never find room.
_NEXT_JOB = sa.text(
    """
    WITH RECURSIVE me AS (
        SELECT w.gpus, w.cpus, w.memory_bytes,
            w.gpus - coalesce(sum(j.gpus), 0) AS free_gpus,
            w.cpus - coalesce(sum(j.cpus), 0) AS free_cpus,
            w.memory_bytes - coalesce(sum(j.memory_bytes), 0) AS free_memory_bytes
        FROM workers w LEFT JOIN jobs j ON j.worker = w.name AND j.state = 'LEASED'
        WHERE w.name = :worker
        GROUP BY w.name
    ),
    running AS (SELECT creator, count(*) AS n FROM jobs WHERE state = 'LEASED' GROUP BY creator),
    line AS (
        SELECT first.*
        FROM unnest(:resources) AS r (name) CROSS JOIN unnest(:kinds) AS k (name) CROSS JOIN LATERAL (
            SELECT compute_resource, kind, creator, priority FROM jobs
            WHERE state = 'QUEUED' AND compute_resource = r.name AND kind = k.name
            ORDER BY creator, priority LIMIT 1
        ) first
        UNION ALL
        SELECT following.*
        FROM line CROSS JOIN LATERAL (
            SELECT compute_resource, kind, creator, priority FROM jobs
            WHERE state = 'QUEUED' AND compute_resource = line.compute_resource AND kind = line.kind
                AND (creator, priority) > (line.creator, line.priority)
            ORDER BY creator, priority LIMIT 1
        ) following
    ),
    first AS (
        SELECT head.id, head.queue_time, coalesce(running.n, 0) AS running,
            CASE WHEN head.fencing_token > 0 THEN :most_urgent + 1
                ELSE least(:most_urgent, line.priority + greatest(0, CAST(floor(extract(
                    epoch FROM :now - greatest(lines.served_time, head.queue_time)) / :aging_s) AS integer)))
            END AS urgency
        FROM line
        CROSS JOIN me
        CROSS JOIN LATERAL (
            SELECT j.id, j.queue_time, j.fencing_token FROM jobs j
            WHERE j.state = 'QUEUED' AND j.compute_resource = line.compute_resource AND j.kind = line.kind
                AND j.creator = line.creator AND j.priority = line.priority AND j.available_time <= :now
                AND j.gpus <= me.gpus AND j.cpus <= me.cpus AND j.memory_bytes <= me.memory_bytes
            ORDER BY j.queue_time, j.id LIMIT 1
        ) head
        LEFT JOIN lines USING (compute_resource, kind, creator, priority)
        LEFT JOIN running USING (creator)
    )
    SELECT j.*, j.gpus <= me.free_gpus AND j.cpus <= me.free_cpus
        AND j.memory_bytes <= me.free_memory_bytes AS fits
    FROM first CROSS JOIN me
    JOIN jobs j ON j.id = first.id
    ORDER BY first.urgency DESC, first.running, first.queue_time, first.id
    LIMIT 1
    """
).bindparams(
    sa.bindparam("resources", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("kinds", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("now", type_=sa.DateTime(timezone=True)),
    sa.bindparam("most_urgent", MOST_URGENT),
)

_GRANT = sa.text(
    """
    WITH granted AS (
        UPDATE jobs SET state = :state, worker = :worker, fencing_token = :fencing_token,
            lease_expire_time = :expires
        WHERE id = :job AND state = 'QUEUED'
        RETURNING compute_resource, kind, creator, priority
    )
    INSERT INTO lines (compute_resource, kind, creator, priority, served_time)
    SELECT compute_resource, kind, creator, priority, :now FROM granted
    ON CONFLICT (compute_resource, kind, creator, priority) DO UPDATE SET served_time = excluded.served_time
    RETURNING true
    """
).bindparams(
    sa.bindparam("now", type_=sa.DateTime(timezone=True)),
    sa.bindparam("expires", type_=sa.DateTime(timezone=True)),
)

# The same order, told as positions. A user's k-th job competes as if the k - 1 before it ran already.
_RANKING = sa.text(
    """
    WITH running AS (SELECT creator, count(*) AS n FROM jobs WHERE state = 'LEASED' GROUP BY creator),
    queued AS (
        SELECT j.task, j.id, j.creator, j.compute_resource, j.kind = 'TRAIN' AS pool, j.queue_time,
            CASE WHEN j.fencing_token > 0 THEN :most_urgent + 1
                WHEN row_number() OVER (
                    PARTITION BY j.compute_resource, j.kind, j.creator, j.priority ORDER BY j.queue_time, j.id
                ) > 1 THEN j.priority
                ELSE least(:most_urgent, j.priority + greatest(0, CAST(floor(extract(
                    epoch FROM :now - greatest(lines.served_time, j.queue_time)) / :aging_s) AS integer)))
            END AS urgency
        FROM jobs j LEFT JOIN lines USING (compute_resource, kind, creator, priority)
        WHERE j.state = 'QUEUED'
    ),
    ranked AS (
        SELECT q.*, coalesce(r.n, 0) + row_number() OVER (
            PARTITION BY q.compute_resource, q.pool, q.urgency, q.creator ORDER BY q.queue_time, q.id
        ) AS turn
        FROM queued q LEFT JOIN running r ON r.creator = q.creator
    )
    SELECT array_agg(task ORDER BY urgency DESC, turn, queue_time, id) AS tasks
    FROM ranked GROUP BY compute_resource, pool
    """
).bindparams(sa.bindparam("now", type_=sa.DateTime(timezone=True)), sa.bindparam("most_urgent", MOST_URGENT))

# A worker that is busy does not ask for work: it is there while it holds a lease.
_WAITING = sa.text(
    """
    WITH there AS (
        SELECT * FROM workers w
        WHERE w.last_seen > :seen_after
            OR EXISTS (SELECT FROM jobs l WHERE l.worker = w.name AND l.state = 'LEASED')
    )
    SELECT j.task, j.queue_time, j.available_time, j.recoveries,
        count(w.name) > 0 AS served,
        coalesce(bool_or(
            j.gpus <= w.gpus AND j.cpus <= w.cpus AND j.memory_bytes <= w.memory_bytes), false) AS fits
    FROM jobs j
    LEFT JOIN there w ON j.compute_resource = ANY(w.compute_resources) AND j.kind = ANY(w.kinds)
    WHERE j.task = ANY(:tasks) AND j.state = 'QUEUED'
    GROUP BY j.id
    """
).bindparams(
    sa.bindparam("tasks", type_=sa.ARRAY(sa.Text)),
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
                **asdict(job.takes),
                queue_time=job.queue_time,
                **_changing(job),
            )
        )
        await notify(self._session, QUEUE_CHANNEL)

    async def decide_alone(self) -> None:
        """Nobody else decides whose turn it is, nor what a worker has, until the transaction ends."""
        await self._session.execute(_DECIDE)

    async def next_for(self, worker: Worker, now: datetime, *, aging_s: float) -> Job | None:
        """The job whose turn it is; None if there is none, or no room for it."""
        row = (
            await self._session.execute(
                _NEXT_JOB,
                {
                    "worker": worker.name,
                    "resources": list(worker.compute_resources),
                    "kinds": [kind.value for kind in worker.kinds],
                    "now": now,
                    "aging_s": aging_s,
                },
            )
        ).one_or_none()
        return None if row is None or not row.fits else _job(row)

    async def grant(self, job: Job, now: datetime) -> bool:
        """Store a job that was given out, and that its line was served; False if it waits no more."""
        granted = await self._session.scalar(
            _GRANT,
            {
                "job": job.id,
                "state": job.state.value,
                "worker": job.worker,
                "fencing_token": job.fencing_token,
                "expires": job.lease_expire_time,
                "now": now,
            },
        )
        return bool(granted)

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

    async def ranking(self, now: datetime, *, aging_s: float) -> dict[str, int]:
        """Every queued task's position in its queue, from 1."""
        rows = await self._session.execute(_RANKING, {"now": now, "aging_s": aging_s})
        return {task: position for row in rows for position, task in enumerate(row.tasks, start=1)}

    async def places(
        self, task_ids: Sequence[str], ranking: Mapping[str, int], now: datetime
    ) -> dict[str, QueuePlace]:
        """Where the queued ones among these tasks stand, and whether any worker could take them."""
        rows = await self._session.execute(
            _WAITING, {"tasks": list(task_ids), "seen_after": now - WORKER_SEEN}
        )
        return {
            row.task: QueuePlace(
                position=ranking.get(row.task, len(ranking) + 1),
                since=row.available_time if row.recoveries else row.queue_time,
                served=row.served,
                fits=row.fits,
            )
            for row in rows
        }

    async def worker_seen(self, worker: Worker, now: datetime) -> None:
        """Remember that a worker asks for work; the leases of an earlier process of its name run out now."""
        values = {
            "kinds": sorted(kind.value for kind in worker.kinds),
            "compute_resources": sorted(worker.compute_resources),
            **asdict(worker.capacity),
            "start_time": worker.start_time,
        }
        known = (
            await self._session.execute(sa.select(workers).where(workers.c.name == worker.name))
        ).one_or_none()
        if known is not None:
            if known.start_time > worker.start_time:
                raise WorkerReplaced(
                    f"another process took the name {worker.name} after this one had started; "
                    "give each worker a name of its own",
                    worker=worker.name,
                )
            if known.start_time < worker.start_time:
                await self._session.execute(
                    sa.update(jobs)
                    .where(jobs.c.worker == worker.name, jobs.c.state == JobState.LEASED.value)
                    .values(lease_expire_time=now)
                )
            seen_lately = now - known.last_seen < _SEEN_LATELY
            if seen_lately and all(getattr(known, name) == value for name, value in values.items()):
                return
        await self._session.execute(
            insert(workers)
            .values(name=worker.name, last_seen=now, **values)
            .on_conflict_do_update(index_elements=[workers.c.name], set_={**values, "last_seen": now})
        )

    async def forget_workers(self, unseen_since: datetime) -> None:
        """Drop workers that are gone for long, and lines that were not served since."""
        await self._session.execute(
            sa.delete(workers).where(
                workers.c.last_seen < unseen_since,
                ~sa.exists().where(jobs.c.worker == workers.c.name, jobs.c.state == JobState.LEASED.value),
            )
        )
        await self._session.execute(sa.delete(lines).where(lines.c.served_time < unseen_since))


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
        takes=Amounts(row.gpus, row.cpus, row.memory_bytes),
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
