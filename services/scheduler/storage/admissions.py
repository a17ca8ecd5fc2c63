"""Admission: what decisions are based on, and storing them (rules T6, T8).

Optimistic concurrency: read the queue, decide, then store all decisions, or none if another process stored
decisions in between; the caller then reads and decides again. No lock is held while Python computes.

The epoch is the only row of the table `turns`. Granting a job, announcing or draining a worker increments it.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit import outbox
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import REVOKED, Job, JobKind
from services.scheduler.domain.queue import MOST_URGENT, Lane, Queue, WaitingJob, Worker
from services.scheduler.domain.task import Task
from services.scheduler.storage import sql
from services.scheduler.storage.jobs import announced
from services.scheduler.storage.tables import workers
from services.scheduler.storage.tasks import task_channel

_TIME = sa.DateTime(timezone=True)
_URGENCY = sql.load("urgency", most_urgent=MOST_URGENT)
# T8: the order of jobs among those of one compute resource.
_QUEUE_ORDER = "urgency DESC, running, queue_time, id"

_WORKERS = sa.text(
    """
    SELECT (SELECT number FROM turns) AS admission_epoch, clock_timestamp() AS now,
        a.name, w.kinds, w.compute_resources, w.gpus, w.cpus, w.memory_bytes, w.start_time, w.last_seen,
        w.version, w.torch_version, w.device, w.drain_time IS NOT NULL AS drained,
        held.gpus AS held_gpus, held.cpus AS held_cpus, held.memory_bytes AS held_memory_bytes
    FROM unnest(:names) AS a (name)
    LEFT JOIN workers w ON w.name = a.name
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(gpus), 0) AS gpus, coalesce(sum(cpus), 0) AS cpus,
            CAST(coalesce(sum(memory_bytes), 0) AS bigint) AS memory_bytes
        FROM jobs WHERE worker = a.name AND state = 'LEASED'
    ) held
    """
).bindparams(sa.bindparam("names", type_=sa.ARRAY(sa.Text)))

_ANNOUNCE = sa.text(sql.load("admission_announce")).bindparams(
    sa.bindparam("kinds", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("compute_resources", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("now", type_=_TIME),
    sa.bindparam("revoked", type_=_TIME),
    sa.bindparam("start_time", type_=_TIME),
)

# A lane can hold thousands of jobs, and only its first are needed: index scans, no bitmaps to be sorted. A
# generic plan, because planning takes longer than the statement. A block, because that is one round trip.
_FORCE_INDEX_SCANS = sa.text(
    """
    DO $$ BEGIN
        SET LOCAL enable_bitmapscan = off;
        SET LOCAL enable_seqscan = off;
        SET LOCAL plan_cache_mode = force_generic_plan;
    END $$
    """
)

_FRONT = sa.text(sql.load("admission_front", urgency=_URGENCY, queue_order=_QUEUE_ORDER)).bindparams(
    sa.bindparam("resources", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("kinds", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("gpus", type_=sa.ARRAY(sa.Integer)),
    sa.bindparam("cpus", type_=sa.ARRAY(sa.Integer)),
    sa.bindparam("memory_bytes", type_=sa.ARRAY(sa.BigInteger)),
    sa.bindparam("depth", type_=sa.BigInteger()),
)

_RANKING = sa.text(sql.load("queue_ranking", urgency=_URGENCY, queue_order=_QUEUE_ORDER))

# One value of each for every grant. `message_id` to `headers` are of the event, if the task's state changes.
_GRANT_COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    "job": sa.Text(),
    "worker": sa.Text(),
    "token": sa.BigInteger(),
    "task": sa.Text(),
    "seen_revision": sa.BigInteger(),
    "revision": sa.BigInteger(),
    "state_revision": sa.BigInteger(),
    "from_state": sa.Text(),
    "state": sa.Text(),
    "phase": sa.Text(),
    "start_time": _TIME,
    "attempt": sa.Integer(),
    "message_id": sa.Uuid(),
    "subject": sa.Text(),
    "payload": sa.LargeBinary(),
    "headers": sa.Text(),
}
_GRANT = sa.text(sql.load("admission_grant", task_channel=task_channel(""))).bindparams(
    *(sa.bindparam(name, type_=sa.ARRAY(kind)) for name, kind in _GRANT_COLUMNS.items()),
    sa.bindparam("epoch", type_=sa.BigInteger()),
    sa.bindparam("now", type_=_TIME),
    sa.bindparam("expires", type_=_TIME),
)


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """What a worker announced last, and when; None if it never did. `held`: the amounts its leases take.

    `drained`: it gets no job.
    """

    announced: Worker | None
    last_seen: datetime | None
    held: Amounts
    drained: bool


@dataclass(frozen=True, slots=True)
class JobGrant:
    """A job that is leased, its task as read and as changed, and the event if the task's state changes."""

    job: Job
    seen: Task
    task: Task
    message: outbox.Message | None


class Admissions:
    """The admission of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def known(self, names: Collection[str]) -> tuple[int, datetime, dict[str, WorkerRecord]]:
        """The admission epoch, the time, and the records of these workers."""
        rows = (await self._session.execute(_WORKERS, {"names": sorted(set(names))})).all()
        records = {
            row.name: WorkerRecord(
                announced(row) if row.last_seen else None,
                row.last_seen,
                Amounts(row.held_gpus, row.held_cpus, row.held_memory_bytes),
                row.drained,
            )
            for row in rows
        }
        return rows[0].admission_epoch, rows[0].now, records

    async def next_start_time(self, name: str) -> datetime:
        """Now; or later, if a process of that name started later, because the clock was set back."""
        after = sa.func.max(workers.c.start_time) + timedelta(microseconds=1)
        latest = sa.func.greatest(sa.func.clock_timestamp(), after, type_=_TIME)
        return (await self._session.execute(sa.select(latest).where(workers.c.name == name))).scalar_one()

    async def announce(self, worker: Worker, now: datetime) -> None:
        """Store what a worker announced. The leases of an earlier process of its name are revoked."""
        await self._session.execute(
            _ANNOUNCE,
            {
                "name": worker.name,
                "kinds": [kind.value for kind in worker.kinds],
                "compute_resources": list(worker.compute_resources),
                **asdict(worker.capacity),
                **asdict(worker.build),
                "start_time": worker.start_time,
                "now": now,
                "revoked": REVOKED,
            },
        )

    async def front(self, workers: Collection[Worker], held: dict[str, Amounts], ageing_s: float) -> Queue:
        """The part of the queue that decides which job each of these workers gets next."""
        await self._session.execute(_FORCE_INDEX_SCANS)
        requests = [
            (resource, kind.value, worker.capacity)
            for worker in workers
            for resource in worker.compute_resources
            for kind in worker.kinds
        ]
        rows = await self._session.execute(
            _FRONT,
            {
                "resources": [resource for resource, _, _ in requests],
                "kinds": [kind for _, kind, _ in requests],
                "gpus": [capacity.gpus for _, _, capacity in requests],
                "cpus": [capacity.cpus for _, _, capacity in requests],
                "memory_bytes": [capacity.memory_bytes for _, _, capacity in requests],
                "ageing_s": ageing_s,
                "depth": len(workers),
            },
        )
        queue = Queue(held)
        for row in rows:
            lane = Lane(row.compute_resource, JobKind(row.kind), row.creator, row.priority)
            takes = Amounts(row.gpus, row.cpus, row.memory_bytes)
            queue.lanes.setdefault(lane, {})[row.id] = WaitingJob(
                row.queue_time, row.id, row.task, takes, row.urgency
            )
            queue.running[row.creator] = row.running
        return queue

    async def ranking(self, ageing_s: float) -> dict[str, int]:
        """The position of every queued task in its queue, from 1."""
        rows = await self._session.execute(_RANKING, {"ageing_s": ageing_s})
        return {task: position for row in rows for position, task in enumerate(row.tasks, start=1)}

    async def grant(self, epoch: int, grants: Sequence[JobGrant], now: datetime) -> set[str] | None:
        """Store grants that were decided in an epoch; returns the leased jobs. None if the epoch is over."""
        rows = (
            await self._session.execute(
                _GRANT,
                {
                    "epoch": epoch,
                    "now": now,
                    "expires": grants[0].job.lease_expire_time,
                    "job": [grant.job.id for grant in grants],
                    "worker": [grant.job.worker for grant in grants],
                    "token": [grant.job.fencing_token for grant in grants],
                    "task": [grant.task.id for grant in grants],
                    "seen_revision": [grant.seen.revision for grant in grants],
                    "revision": [grant.task.revision for grant in grants],
                    "state_revision": [grant.task.state_revision for grant in grants],
                    "from_state": [grant.seen.state.value for grant in grants],
                    "state": [grant.task.state.value for grant in grants],
                    "phase": [grant.task.phase.value if grant.task.phase else None for grant in grants],
                    "start_time": [grant.task.start_time for grant in grants],
                    "attempt": [grant.task.attempt for grant in grants],
                    "message_id": [grant.message and grant.message.message_id for grant in grants],
                    "subject": [grant.message and grant.message.subject for grant in grants],
                    "payload": [grant.message and grant.message.payload for grant in grants],
                    "headers": [grant.message and json.dumps(grant.message.headers) for grant in grants],
                },
            )
        ).all()
        return {row.job for row in rows if row.job is not None} if rows else None
