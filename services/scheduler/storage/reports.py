"""The hot path: what a running job reports ten times a second, in few statements (rules M5, T6)."""

import json
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduler.domain.job import Checkpoint, JobKind, JobState, Network, lease_lost
from services.scheduler.domain.progress import Phase, Progress, Stage
from services.scheduler.domain.work import CurvePosition
from services.scheduler.storage import codec
from services.scheduler.storage.codec import NETWORK_NUMBERS
from services.scheduler.storage.tasks import task_channel

# The task's lock guards its jobs and curves.
_LOCK = sa.text(
    """
    SELECT j.task, j.attempt, j.kind, j.state, j.fencing_token, j.checkpoint_sha256,
        t.terminating, t.phase, t.stages, t.start_time, t.revision,
        c.points AS c_points, c.lines AS c_lines, c.step_time AS c_step_time,
        s.points AS s_points, s.lines AS s_lines, s.step_time AS s_step_time
    FROM jobs j
    JOIN tasks t ON t.id = j.task
    JOIN curves c ON c.task = j.task AND c.attempt = j.attempt AND c.network = 1
    JOIN curves s ON s.task = j.task AND s.attempt = j.attempt AND s.network = 2
    WHERE j.id = :job
    FOR NO KEY UPDATE OF t
    """
)


_TIME = sa.DateTime(timezone=True)

_HEARTBEAT = sa.text("UPDATE jobs SET lease_expire_time = :expires WHERE id = :job").bindparams(
    sa.bindparam("expires", type_=_TIME)
)

_STORE = sa.text(
    """
    WITH held AS (
        UPDATE jobs SET lease_expire_time = :expires,
            checkpoint_sha256 = coalesce(CAST(:sha256 AS text), checkpoint_sha256),
            checkpoint_network = coalesce(CAST(:network AS smallint), checkpoint_network),
            checkpoint_iteration = coalesce(CAST(:iteration AS bigint), checkpoint_iteration)
        WHERE id = :job
    ),
    drawn AS (
        UPDATE curves SET points = v.points, lines = v.lines, step_time = v.step_time
        FROM unnest(CAST(:networks AS smallint[]), CAST(:points AS bigint[]), CAST(:lines AS bigint[]),
            CAST(:step_times AS timestamptz[])) AS v (network, points, lines, step_time)
        WHERE curves.task = :task AND curves.attempt = :attempt AND curves.network = v.network
    )
    UPDATE tasks SET revision = revision + CAST(:changed AS integer), phase = :phase,
        progress = coalesce(CAST(:progress AS jsonb), progress),
        stages = coalesce(CAST(:stages AS jsonb), stages)
    WHERE id = :task
    RETURNING pg_notify(:channel, '')
    """
).bindparams(
    sa.bindparam("expires", type_=_TIME),
    sa.bindparam("networks", type_=sa.ARRAY(sa.SmallInteger)),
    sa.bindparam("points", type_=sa.ARRAY(sa.BigInteger)),
    sa.bindparam("lines", type_=sa.ARRAY(sa.BigInteger)),
    sa.bindparam("step_times", type_=sa.ARRAY(_TIME)),
)


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that a worker holds, with what a report of it builds on."""

    job: str
    task: str
    attempt: int
    kind: JobKind
    terminating: bool
    phase: Phase | None
    stages: tuple[Stage, ...]
    start_time: datetime | None
    checkpoint_sha256: str
    positions: dict[Network, CurvePosition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What a report changes besides rows of its own. `positions` holds only networks that moved."""

    expires: datetime
    positions: dict[Network, CurvePosition]
    phase: Phase | None
    progress: Progress | None
    stages: tuple[Stage, ...] | None
    checkpoint: Checkpoint | None
    # Whether the task itself, and not only its curves, looks different now.
    changes_task: bool


class Reports:
    """Reports of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self, job_id: str, fencing_token: int) -> RunningJob:
        """The job under its task's lock; LeaseLost unless the token holds it (T6)."""
        row = (await self._session.execute(_LOCK, {"job": job_id})).one_or_none()
        if row is None or row.state != JobState.LEASED.value or row.fencing_token != fencing_token:
            raise lease_lost(f"jobs/{job_id[:64]}", fencing_token)
        return RunningJob(
            job=job_id,
            task=row.task,
            attempt=row.attempt,
            kind=JobKind(row.kind),
            terminating=row.terminating,
            phase=Phase(row.phase) if row.phase else None,
            stages=codec.stages_from_json(row.stages),
            start_time=row.start_time,
            checkpoint_sha256=row.checkpoint_sha256 or "",
            positions={
                Network.CLASSIFICATION: CurvePosition(row.c_points, row.c_lines, row.c_step_time),
                Network.SEGMENTATION: CurvePosition(row.s_points, row.s_lines, row.s_step_time),
            },
        )

    async def beat(self, running: RunningJob, expires: datetime) -> None:
        """Nothing but a sign of life."""
        await self._session.execute(_HEARTBEAT, {"job": running.job, "expires": expires})

    async def store(self, running: RunningJob, advance: Advance) -> None:
        """Move the lease, the curves and the task, and wake who watches."""
        moved = advance.positions
        checkpoint = advance.checkpoint
        await self._session.execute(
            _STORE,
            {
                "job": running.job,
                "task": running.task,
                "attempt": running.attempt,
                "expires": advance.expires,
                "sha256": checkpoint.sha256 if checkpoint else None,
                "network": NETWORK_NUMBERS[checkpoint.network] if checkpoint else None,
                "iteration": checkpoint.next_iteration if checkpoint else None,
                "networks": [NETWORK_NUMBERS[network] for network in moved],
                "points": [position.next_iteration for position in moved.values()],
                "lines": [position.next_line for position in moved.values()],
                "step_times": [position.step_time for position in moved.values()],
                "changed": int(advance.changes_task),
                "phase": advance.phase.value if advance.phase else None,
                "progress": None
                if advance.progress is None
                else json.dumps(codec.progress_to_json(advance.progress)),
                "stages": None
                if advance.stages is None
                else json.dumps(codec.stages_to_json(advance.stages)),
                "channel": task_channel(running.task),
            },
        )
