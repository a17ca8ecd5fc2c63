"""Whose turn it is: what decisions build on, and decisions stored (rules T6, T8).

Read what there is, decide, then store the decisions or, if anybody else has decided in between, none of them:
then they are made again. No lock is held while Python thinks.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit import outbox
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import Job, JobKind
from services.scheduler.domain.queue import MOST_URGENT, Line, Queue, Waiting, Worker
from services.scheduler.domain.task import Task
from services.scheduler.storage.jobs import announced
from services.scheduler.storage.tasks import task_channel

# Whoever gives a job out, or announces what it has, raises the number of the turn.
_WORKERS = sa.text(
    """
    SELECT (SELECT number FROM turns) AS turn, a.name, w.kinds, w.compute_resources, w.gpus, w.cpus,
        w.memory_bytes, w.start_time, w.last_seen, w.version, w.torch_version, w.device,
        held.gpus AS held_gpus, held.cpus AS held_cpus, held.memory_bytes AS held_memory_bytes,
        -- The planner takes no line for long, but one may be: read its first, do not sort it. And plan once.
        set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true),
        set_config('plan_cache_mode', 'force_generic_plan', true)
    FROM unnest(:names) AS a (name)
    LEFT JOIN workers w ON w.name = a.name
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(gpus), 0) AS gpus, coalesce(sum(cpus), 0) AS cpus,
            CAST(coalesce(sum(memory_bytes), 0) AS bigint) AS memory_bytes
        FROM jobs WHERE worker = a.name AND state = 'LEASED'
    ) held
    """
).bindparams(sa.bindparam("names", type_=sa.ARRAY(sa.Text)))

# The leases of an earlier process of the name run out now.
_ANNOUNCE = sa.text(
    """
    WITH turn AS (UPDATE turns SET number = number + 1 RETURNING number),
    orphaned AS (
        UPDATE jobs SET lease_expire_time = :now
        WHERE worker = :name AND state = 'LEASED'
            AND EXISTS (SELECT FROM workers WHERE name = :name AND start_time < :start_time)
    )
    INSERT INTO workers (name, kinds, compute_resources, gpus, cpus, memory_bytes, start_time, last_seen,
        version, torch_version, device)
    SELECT :name, :kinds, :compute_resources, :gpus, :cpus, :memory_bytes, :start_time, :now,
        :version, :torch_version, :device FROM turn
    ON CONFLICT (name) DO UPDATE SET kinds = excluded.kinds, compute_resources = excluded.compute_resources,
        gpus = excluded.gpus, cpus = excluded.cpus, memory_bytes = excluded.memory_bytes,
        start_time = excluded.start_time, last_seen = excluded.last_seen, version = excluded.version,
        torch_version = excluded.torch_version, device = excluded.device
    WHERE workers.start_time <= excluded.start_time
    RETURNING name
    """
).bindparams(
    sa.bindparam("kinds", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("compute_resources", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("now", type_=sa.DateTime(timezone=True)),
    sa.bindparam("start_time", type_=sa.DateTime(timezone=True)),
)

# How urgent the first of a line is (T8): the line gains priority while none of its jobs is given out; a job
# that was given out before had its turn and does not wait for another.
_URGENCY = f"""
    CASE WHEN j.fencing_token > 0 THEN {MOST_URGENT + 1}
        ELSE least({MOST_URGENT}, j.priority + greatest(0, CAST(floor(extract(
            epoch FROM :now - greatest(lines.served_time, j.queue_time)) / :aging_s) AS integer)))
    END
"""
_RUNNING = "SELECT creator, count(*) AS n FROM jobs WHERE state = 'LEASED' GROUP BY creator"
_ORDER = "urgency DESC, running, queue_time, id"

# A loose scan of the index finds the first of every line, however long it is. So many decisions as are asked
# for fall to the first so many users, and to what they have waiting before the next user's first. What none
# of those who ask could ever take is left to others.
_FRONT = sa.text(
    f"""
    WITH RECURSIVE asked AS (
        SELECT DISTINCT * FROM unnest(:resources, :kinds, :gpus, :cpus, :memory_bytes)
            AS a (compute_resource, kind, gpus, cpus, memory_bytes)
    ),
    line AS (
        SELECT first.*
        FROM (SELECT DISTINCT compute_resource, kind FROM asked) a CROSS JOIN LATERAL (
            SELECT compute_resource, kind, creator, priority FROM jobs
            WHERE state = 'QUEUED' AND compute_resource = a.compute_resource AND kind = a.kind
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
    running AS MATERIALIZED ({_RUNNING}),
    first AS (
        SELECT a.*, line.creator, line.priority, lines.served_time, coalesce(running.n, 0) AS running,
            j.queue_time, j.id, {_URGENCY} AS urgency
        FROM asked a JOIN line USING (compute_resource, kind)
        CROSS JOIN LATERAL (
            SELECT * FROM jobs
            WHERE state = 'QUEUED' AND compute_resource = line.compute_resource AND kind = line.kind
                AND creator = line.creator AND priority = line.priority AND available_time <= :now
                AND gpus <= a.gpus AND cpus <= a.cpus AND memory_bytes <= a.memory_bytes
            ORDER BY queue_time, id LIMIT 1
        ) j
        LEFT JOIN lines ON lines.compute_resource = line.compute_resource AND lines.kind = line.kind
            AND lines.creator = line.creator AND lines.priority = line.priority
        LEFT JOIN running ON running.creator = line.creator
    ),
    best AS (
        SELECT *, row_number() OVER (
            PARTITION BY compute_resource, kind, gpus, cpus, memory_bytes, creator ORDER BY {_ORDER}
        ) = 1 AS of_user
        FROM first
    ),
    near AS (
        SELECT *, count(*) FILTER (WHERE of_user) OVER (
            PARTITION BY compute_resource, kind, gpus, cpus, memory_bytes ORDER BY {_ORDER}
        ) AS users
        FROM best
    )
    SELECT lines.compute_resource, lines.kind, lines.creator, lines.priority, lines.running,
        j.id, j.task, j.gpus, j.cpus, j.memory_bytes, j.queue_time, {_URGENCY} AS urgency
    FROM near lines CROSS JOIN LATERAL (
        SELECT * FROM jobs
        WHERE state = 'QUEUED' AND compute_resource = lines.compute_resource AND kind = lines.kind
            AND creator = lines.creator AND priority = lines.priority AND available_time <= :now
            AND gpus <= lines.gpus AND cpus <= lines.cpus AND memory_bytes <= lines.memory_bytes
        ORDER BY queue_time, id LIMIT :depth
    ) j
    WHERE users <= :depth
    """  # noqa: S608 -- of constants
).bindparams(
    sa.bindparam("resources", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("kinds", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("gpus", type_=sa.ARRAY(sa.Integer)),
    sa.bindparam("cpus", type_=sa.ARRAY(sa.Integer)),
    sa.bindparam("memory_bytes", type_=sa.ARRAY(sa.BigInteger)),
    sa.bindparam("now", type_=sa.DateTime(timezone=True)),
    sa.bindparam("depth", type_=sa.BigInteger()),
)

# The same order, told as positions: a user's k-th job competes as if the k - 1 before it ran.
_RANKING = sa.text(
    f"""
    WITH running AS ({_RUNNING}),
    queued AS (
        SELECT j.task, j.id, j.creator, j.compute_resource, j.kind = 'TRAIN' AS pool, j.queue_time,
            CASE WHEN j.fencing_token = 0 AND row_number() OVER (
                PARTITION BY j.compute_resource, j.kind, j.creator, j.priority ORDER BY j.queue_time, j.id
            ) > 1 THEN j.priority ELSE {_URGENCY} END AS urgency
        FROM jobs j LEFT JOIN lines USING (compute_resource, kind, creator, priority)
        WHERE j.state = 'QUEUED'
    ),
    ranked AS (
        SELECT q.*, coalesce(r.n, 0) + row_number() OVER (
            PARTITION BY q.compute_resource, q.pool, q.urgency, q.creator ORDER BY q.queue_time, q.id
        ) AS running
        FROM queued q LEFT JOIN running r ON r.creator = q.creator
    )
    SELECT array_agg(task ORDER BY {_ORDER}) AS tasks
    FROM ranked GROUP BY compute_resource, pool
    """  # noqa: S608 -- of constants
).bindparams(sa.bindparam("now", type_=sa.DateTime(timezone=True)))

# What is stored of each decision; the message is of its transition, if there is one.
_GIVEN: dict[str, sa.types.TypeEngine[Any]] = {
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
    "start_time": sa.DateTime(timezone=True),
    "attempt": sa.Integer(),
    "message_id": sa.Uuid(),
    "subject": sa.Text(),
    "payload": sa.LargeBinary(),
    "headers": sa.Text(),
}

# The turn's lock comes first, then the task's, then the job's. A task that somebody changes at this moment is
# left out, and one that was changed since it was read: it may wait no more. Messages keep the turns' order.
_GRANT = sa.text(
    f"""
    WITH turn AS (UPDATE turns SET number = number + 1 WHERE number = :turn RETURNING number),
    given AS MATERIALIZED (
        SELECT * FROM unnest({", ".join(f":{name}" for name in _GIVEN)})
            WITH ORDINALITY AS v ({", ".join(_GIVEN)}, place)
    ),
    locked AS MATERIALIZED (
        SELECT id FROM tasks
        WHERE id = ANY(:task) AND revision = (:seen_revision)[array_position(:task, id)]
            AND EXISTS (SELECT FROM turn)
        FOR NO KEY UPDATE SKIP LOCKED
    ),
    granted AS (
        UPDATE jobs j SET state = 'LEASED', worker = v.worker, fencing_token = v.token,
            lease_expire_time = :expires
        FROM given v
        WHERE j.id = v.job AND j.state = 'QUEUED' AND v.task IN (SELECT id FROM locked)
        RETURNING j.id, j.task, j.compute_resource, j.kind, j.creator, j.priority
    ),
    served AS (
        INSERT INTO lines (compute_resource, kind, creator, priority, served_time)
        SELECT DISTINCT compute_resource, kind, creator, priority, CAST(:now AS timestamptz) FROM granted
        ON CONFLICT (compute_resource, kind, creator, priority)
            DO UPDATE SET served_time = excluded.served_time
    ),
    changed AS (
        UPDATE tasks t SET state = v.state, phase = v.phase, start_time = v.start_time,
            revision = v.revision, state_revision = v.state_revision
        FROM given v WHERE t.id = v.task AND t.id IN (SELECT task FROM granted)
    ),
    entered AS (SELECT * FROM given WHERE message_id IS NOT NULL AND task IN (SELECT task FROM granted)),
    recorded AS (
        INSERT INTO transitions (task, revision, from_state, to_state, time, cause, attempt)
        SELECT task, revision, from_state, state, :now, worker, attempt FROM entered
    ),
    announced AS (
        INSERT INTO outbox (message_id, subject, payload, headers)
        SELECT message_id, subject, payload, CAST(headers AS jsonb) FROM entered ORDER BY place
    )
    SELECT v.job, pg_notify(v.channel, '') FROM turn LEFT JOIN (
        SELECT granted.id AS job, '{task_channel("")}' || granted.task AS channel FROM granted
    ) v ON true
    """  # noqa: S608 -- of constants
).bindparams(
    *(sa.bindparam(name, type_=sa.ARRAY(kind)) for name, kind in _GIVEN.items()),
    sa.bindparam("turn", type_=sa.BigInteger()),
    sa.bindparam("now", type_=sa.DateTime(timezone=True)),
    sa.bindparam("expires", type_=sa.DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class KnownWorker:
    """What a worker announced last, if it ever did, and when; and what its leases take."""

    announced: Worker | None
    last_seen: datetime | None
    held: Amounts


@dataclass(frozen=True, slots=True)
class Grant:
    """A job that is given out, its task before and after, and the message that tells of it."""

    job: Job
    seen: Task
    task: Task
    message: outbox.Announcement | None


class Turns:
    """The decisions of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def known(self, names: Collection[str]) -> tuple[int, dict[str, KnownWorker]]:
        """The number of the turn, and what is known of these workers."""
        rows = (await self._session.execute(_WORKERS, {"names": sorted(set(names))})).all()
        return rows[0].turn, {
            row.name: KnownWorker(
                announced(row) if row.last_seen else None,
                row.last_seen,
                Amounts(row.held_gpus, row.held_cpus, row.held_memory_bytes),
            )
            for row in rows
        }

    async def announce(self, worker: Worker, now: datetime) -> None:
        """Remember that a worker asks for work; the leases of an earlier process of its name run out now."""
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
            },
        )

    async def front(
        self, workers: Collection[Worker], held: dict[str, Amounts], now: datetime, aging_s: float
    ) -> Queue:
        """As much of the queue as decides what these workers get next, one job each."""
        asked = [
            (resource, kind.value, worker.capacity)
            for worker in workers
            for resource in worker.compute_resources
            for kind in worker.kinds
        ]
        rows = await self._session.execute(
            _FRONT,
            {
                "resources": [resource for resource, _, _ in asked],
                "kinds": [kind for _, kind, _ in asked],
                "gpus": [capacity.gpus for _, _, capacity in asked],
                "cpus": [capacity.cpus for _, _, capacity in asked],
                "memory_bytes": [capacity.memory_bytes for _, _, capacity in asked],
                "now": now,
                "aging_s": aging_s,
                "depth": len(workers),
            },
        )
        queue = Queue(held)
        for row in rows:
            line = Line(row.compute_resource, JobKind(row.kind), row.creator, row.priority)
            takes = Amounts(row.gpus, row.cpus, row.memory_bytes)
            queue.lines.setdefault(line, {})[row.id] = Waiting(
                row.queue_time, row.id, row.task, takes, row.urgency
            )
            queue.running[row.creator] = row.running
        return queue

    async def ranking(self, now: datetime, aging_s: float) -> dict[str, int]:
        """Every queued task's position in its queue, from 1."""
        rows = await self._session.execute(_RANKING, {"now": now, "aging_s": aging_s})
        return {task: position for row in rows for position, task in enumerate(row.tasks, start=1)}

    async def grant(self, turn: int, grants: Sequence[Grant], now: datetime) -> set[str] | None:
        """Store the decisions of a turn; which jobs were given out. None: somebody else had that turn."""
        rows = (
            await self._session.execute(
                _GRANT,
                {
                    "turn": turn,
                    "now": now,
                    "expires": grants[0].job.lease_expire_time,
                    "job": [one.job.id for one in grants],
                    "worker": [one.job.worker for one in grants],
                    "token": [one.job.fencing_token for one in grants],
                    "task": [one.task.id for one in grants],
                    "seen_revision": [one.seen.revision for one in grants],
                    "revision": [one.task.revision for one in grants],
                    "state_revision": [one.task.state_revision for one in grants],
                    "from_state": [one.seen.state.value for one in grants],
                    "state": [one.task.state.value for one in grants],
                    "phase": [one.task.phase.value if one.task.phase else None for one in grants],
                    "start_time": [one.task.start_time for one in grants],
                    "attempt": [one.task.attempt for one in grants],
                    "message_id": [one.message and one.message.message_id for one in grants],
                    "subject": [one.message and one.message.subject for one in grants],
                    "payload": [one.message and one.message.payload for one in grants],
                    "headers": [one.message and json.dumps(one.message.headers) for one in grants],
                },
            )
        ).all()
        return {row.job for row in rows if row.job is not None} if rows else None
