"""Workers with their leases, and how many jobs wait (T4)."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.signals import notify
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import JobKind
from services.scheduler.domain.queue import WaitCause, wait_cause
from services.scheduler.domain.workers import Drain, KnownWorker, WaitingCount, WorkerLease
from services.scheduler.storage.jobs import (
    PRESENT_WORKERS,
    QUEUE_CHANNEL,
    WORKER_SILENCE_LIMIT,
    announced,
)
from services.scheduler.storage.tables import workers

_LEASES = sa.text(
    """
    SELECT j.worker, j.id, j.task, j.attempt, j.kind, j.compute_resource, j.gpus, j.cpus, j.memory_bytes,
        t.start_time, j.lease_expire_time
    FROM jobs j JOIN tasks t ON t.id = j.task WHERE j.state = 'LEASED' ORDER BY j.worker, j.id
    """
)

_NEXT_EPOCH = sa.text("UPDATE turns SET number = number + 1")

# Jobs of the same amounts fit into the same workers: a few groups, however long the queue is.
_QUEUED = sa.text(
    f"""
    WITH {PRESENT_WORKERS},
    queued AS (
        SELECT j.compute_resource, j.kind, j.gpus, j.cpus, j.memory_bytes,
            j.recoveries > 0 AND t.state <> 'WAITING' AS recovering, count(*) AS n,
            min(CASE WHEN j.recoveries > 0 THEN j.available_time ELSE j.queue_time END) AS oldest
        FROM jobs j JOIN tasks t ON t.id = j.task
        WHERE j.state = 'QUEUED'
        GROUP BY 1, 2, 3, 4, 5, 6
    )
    SELECT q.compute_resource, q.kind, q.recovering, q.n, q.oldest, w.served, w.drained, w.fits
    FROM queued q CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE w.drain_time IS NULL) > 0 AS served, count(w.drain_time) > 0 AS drained,
            coalesce(bool_or(q.gpus <= w.gpus AND q.cpus <= w.cpus AND q.memory_bytes <= w.memory_bytes)
                FILTER (WHERE w.drain_time IS NULL), false) AS fits
        FROM present w WHERE q.compute_resource = ANY(w.compute_resources) AND q.kind = ANY(w.kinds)
    ) w
    """  # noqa: S608 -- of constants
).bindparams(sa.bindparam("silence_limit", WORKER_SILENCE_LIMIT, sa.Interval))


class Workers:
    """Workers and waiting jobs as they are now."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def drain(self, name: str, drainer: str) -> bool:
        """The worker gets no job from now on; returns whether there is such a worker.

        Admissions that are being decided are decided again, as in admission_announce.sql.
        """
        await self._session.execute(_NEXT_EPOCH)
        row = await self._session.execute(
            sa.update(workers)
            .where(workers.c.name == name)
            .values(
                drain_time=sa.func.coalesce(workers.c.drain_time, sa.func.clock_timestamp()),
                drainer=sa.func.coalesce(workers.c.drainer, drainer),
            )
            .returning(workers.c.name)
        )
        return row.one_or_none() is not None

    async def undrain(self, name: str) -> bool:
        """The worker gets jobs again, and asks for one at once; returns whether there is such a worker."""
        row = await self._session.execute(
            sa.update(workers)
            .where(workers.c.name == name)
            .values(drain_time=None, drainer=None)
            .returning(workers.c.name)
        )
        await notify(self._session, QUEUE_CHANNEL)
        return row.one_or_none() is not None

    async def get(self, lease_s: float, name: str) -> KnownWorker | None:
        """The worker; None if there is none of that name."""
        found = await self._found(lease_s, sa.select(workers).where(workers.c.name == name))
        return found[0] if found else None

    async def page(self, lease_s: float, *, after: str = "", limit: int | None = None) -> list[KnownWorker]:
        """Workers by name, from the one after `after` on."""
        return await self._found(
            lease_s, sa.select(workers).where(workers.c.name > after).order_by(workers.c.name).limit(limit)
        )

    async def _found(self, lease_s: float, query: "sa.Select[Any]") -> list[KnownWorker]:
        """The workers of a query of rows.

        A heartbeat prolongs the lease by `lease_s` from its time on, so the lease's end gives that time.
        """
        held: defaultdict[str, list[WorkerLease]] = defaultdict(list)
        for row in await self._session.execute(_LEASES):
            held[row.worker].append(
                WorkerLease(
                    row.id,
                    row.task,
                    row.attempt,
                    JobKind(row.kind),
                    row.compute_resource,
                    Amounts(row.gpus, row.cpus, row.memory_bytes),
                    row.start_time,
                    row.lease_expire_time,
                )
            )
        rows = await self._session.execute(query)
        lease = timedelta(seconds=lease_s)
        return [
            KnownWorker(
                announced(row),
                max([row.last_seen, *(one.expire_time - lease for one in held[row.name])]),
                tuple(held[row.name]),
                None if row.drain_time is None else Drain(row.drain_time, row.drainer),
            )
            for row in rows
        ]

    async def waiting(self, held_back: Collection[JobKind] = ()) -> list[WaitingCount]:
        """How many jobs wait, by compute resource and cause (T4); none of `held_back` is granted."""
        counts: dict[tuple[str, WaitCause], tuple[int, datetime]] = {}
        for row in await self._session.execute(_QUEUED):
            key = (
                row.compute_resource,
                wait_cause(
                    served=row.served,
                    fits=row.fits,
                    drained=row.drained,
                    recovering=row.recovering,
                    held_back=JobKind(row.kind) in held_back,
                ),
            )
            count, oldest = counts.get(key, (0, row.oldest))
            counts[key] = count + row.n, min(oldest, row.oldest)
        return [WaitingCount(*key, *found) for key, found in sorted(counts.items())]
