"""The hot path: what a running job reports many times a second, in one statement (rules M5, T6).

Read what a report builds on, work out what it changes, then store all of it or, if anybody changed the job in
between, nothing: then it is read and worked out again. No lock is held while Python thinks.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from services.kit import outbox
from services.kit.database import Sessions
from services.scheduler.domain.job import Checkpoint, JobKind, JobState, Network, lease_lost
from services.scheduler.domain.loss import POINT_BYTES, slices
from services.scheduler.domain.progress import Phase, Progress, Stage
from services.scheduler.domain.work import CurvePosition, NonconformingSample
from services.scheduler.storage import codec
from services.scheduler.storage.codec import NETWORK_NUMBERS
from services.scheduler.storage.tasks import task_channel

# Whoever changes a job, or the curves of its attempt, writes the job's row: its xmin is their version.
_READ = sa.text(
    """
    SELECT j.task, j.attempt, j.kind, j.state, j.fencing_token, j.checkpoint_sha256,
        CAST(j.xmin AS text) AS version, t.phase, t.stages, t.start_time,
        c.points AS c_points, c.lines AS c_lines, c.step_time AS c_step_time,
        s.points AS s_points, s.lines AS s_lines, s.step_time AS s_step_time
    FROM jobs j
    JOIN tasks t ON t.id = j.task
    JOIN curves c ON c.task = j.task AND c.attempt = j.attempt AND c.network = 1
    JOIN curves s ON s.task = j.task AND s.attempt = j.attempt AND s.network = 2
    WHERE j.id = :job
    """
)

# The task's lock comes before the job's, as everywhere. Everything hangs on `held`: nothing is stored for a
# job that is no longer at the version that was read. `held` stands in subqueries only: joined, it could not
# be looked at again when PostgreSQL finds that a row changed while it waited for the task.
_STORE = sa.text(
    f"""
    WITH locked AS MATERIALIZED (
        SELECT terminating FROM tasks WHERE id = :task FOR NO KEY UPDATE
    ),
    held AS (
        UPDATE jobs SET lease_expire_time = :expires,
            checkpoint_sha256 = coalesce(:sha256, checkpoint_sha256),
            checkpoint_network = coalesce(:network, checkpoint_network),
            checkpoint_iteration = coalesce(:iteration, checkpoint_iteration)
        WHERE id = :job AND fencing_token = :token AND CAST(xmin AS text) = :version
            AND EXISTS (SELECT FROM locked)
        RETURNING CAST(xmin AS text) AS version
    ),
    superseded AS (
        INSERT INTO garbage (key, not_before)
        SELECT :superseded, :not_before WHERE :superseded IS NOT NULL AND EXISTS (SELECT FROM held)
        ON CONFLICT (key) DO UPDATE SET not_before = greatest(garbage.not_before, excluded.not_before)
    ),
    moved AS (
        UPDATE curves SET points = v.points, lines = v.lines, step_time = v.step_time
        FROM unnest(:networks, :next_iterations, :next_lines, :step_times)
            AS v (network, points, lines, step_time)
        WHERE curves.task = :task AND curves.attempt = :attempt AND curves.network = v.network
            AND EXISTS (SELECT FROM held)
    ),
    drawn AS (
        INSERT INTO loss_chunks (task, attempt, network, chunk, points)
        SELECT :task, :attempt, v.network, v.chunk, v.points
        FROM unnest(:chunk_networks, :chunks, :chunk_points) AS v (network, chunk, points)
        WHERE EXISTS (SELECT FROM held)
        ON CONFLICT (task, attempt, network, chunk)
            DO UPDATE SET points = loss_chunks.points || excluded.points
    ),
    logged AS (
        INSERT INTO log_chunks (task, attempt, network, first_line, lines)
        SELECT :task, :attempt, v.network, min(v.number), array_agg(v.line ORDER BY v.number)
        FROM unnest(:line_networks, :line_numbers, :lines) AS v (network, number, line)
        WHERE EXISTS (SELECT FROM held)
        GROUP BY v.network
    ),
    validated AS (
        INSERT INTO validation_points (task, attempt, network, iteration, accuracy)
        SELECT :task, :attempt, v.network, v.iteration, v.accuracy
        FROM unnest(:validation_networks, :validation_iterations, :accuracies)
            AS v (network, iteration, accuracy)
        WHERE EXISTS (SELECT FROM held)
        ON CONFLICT (task, attempt, network, iteration) DO UPDATE SET accuracy = excluded.accuracy
    ),
    set_aside AS (
        INSERT INTO nonconforming_samples
            (task, attempt, data_path, file, sha256, reason, message, width, height)
        SELECT :task, :attempt, v.*
        FROM unnest(:data_paths, :files, :sha256s, :reasons, :messages, :widths, :heights) AS v
        WHERE EXISTS (SELECT FROM held)
        ON CONFLICT (task, attempt, data_path, file) DO UPDATE SET sha256 = excluded.sha256,
            reason = excluded.reason, message = excluded.message,
            width = excluded.width, height = excluded.height
    ),
    changed AS (
        UPDATE tasks SET revision = revision + 1, phase = :phase,
            progress = coalesce(CAST(:progress AS jsonb), progress),
            stages = CAST(:stages AS jsonb)
        WHERE id = :task AND :changes_task AND EXISTS (SELECT FROM held)
    ),
    announced AS ({outbox.INSERT} WHERE EXISTS (SELECT FROM held))
    SELECT terminating, version, CASE WHEN :is_news THEN pg_notify(:channel, '') END FROM locked, held
    """  # noqa: S608 -- of constants
).bindparams(
    *outbox.BINDS,
    *(
        sa.bindparam(name, type_=kind)
        for kind, names in (
            (sa.Text(), "task job version channel sha256 superseded phase progress stages"),
            (sa.SmallInteger(), "network"),
            (sa.Integer(), "attempt"),
            (sa.BigInteger(), "token iteration"),
            (sa.Boolean(), "changes_task is_news"),
            (sa.DateTime(timezone=True), "expires not_before"),
            (
                sa.ARRAY(sa.SmallInteger),
                "networks chunk_networks line_networks validation_networks",
            ),
            (sa.ARRAY(sa.Integer), "chunks widths heights"),
            (sa.ARRAY(sa.BigInteger), "next_iterations next_lines line_numbers validation_iterations"),
            (sa.ARRAY(sa.Double), "accuracies"),
            (sa.ARRAY(sa.LargeBinary), "chunk_points"),
            (sa.ARRAY(sa.Text), "lines data_paths files sha256s reasons messages"),
            (sa.ARRAY(sa.DateTime(timezone=True)), "step_times"),
        )
        for name in names.split()
    ),
)


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that a worker holds, with what a report of it builds on."""

    job: str
    fencing_token: int
    version: str
    task: str
    attempt: int
    kind: JobKind
    phase: Phase | None
    stages: tuple[Stage, ...]
    start_time: datetime | None
    checkpoint_sha256: str
    positions: dict[Network, CurvePosition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """All that a report changes. `positions` holds only networks that moved; `points` and `lines` are new."""

    expires: datetime
    positions: Mapping[Network, CurvePosition]
    points: Mapping[Network, bytes]
    lines: Mapping[Network, Sequence[str]]
    validations: Mapping[tuple[Network, int], float]
    nonconforming: Sequence[NonconformingSample]
    phase: Phase | None
    progress: Progress | None
    stages: tuple[Stage, ...]
    checkpoint: Checkpoint | None
    # The key of an object that the new checkpoint replaces, and when it may go.
    superseded: str | None
    superseded_until: datetime
    # Whether the task itself, and not only its curves, looks different now.
    changes_task: bool
    # Whether anything but the lease is different now.
    is_news: bool
    messages: Sequence[outbox.Announcement]


class Reports:
    """Where reports go."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def running(self, job_id: str, fencing_token: int) -> RunningJob:
        """The job as it is now; LeaseLost unless the token holds it (T6)."""
        row = await self._sessions.one(_READ, {"job": job_id})
        if row is None or row.state != JobState.LEASED.value or row.fencing_token != fencing_token:
            raise lease_lost(f"jobs/{job_id[:64]}", fencing_token)
        return RunningJob(
            job=job_id,
            fencing_token=fencing_token,
            version=row.version,
            task=row.task,
            attempt=row.attempt,
            kind=JobKind(row.kind),
            phase=Phase(row.phase) if row.phase else None,
            stages=codec.stages_from_json(row.stages),
            start_time=row.start_time,
            checkpoint_sha256=row.checkpoint_sha256 or "",
            positions={
                Network.CLASSIFICATION: CurvePosition(row.c_points, row.c_lines, row.c_step_time),
                Network.SEGMENTATION: CurvePosition(row.s_points, row.s_lines, row.s_step_time),
            },
        )

    async def store(self, running: RunningJob, advance: Advance) -> tuple[RunningJob, bool] | None:
        """Move the lease, the curves and the task, and wake who watches.

        Returns the job after that, and whether its task is to be terminated. None, and nothing is stored, if
        the job is not as it was read any more.
        """
        moved = advance.positions
        checkpoint = advance.checkpoint
        chunks = [
            (NETWORK_NUMBERS[network], part.chunk, points[part.start * POINT_BYTES : part.end * POINT_BYTES])
            for network, points in advance.points.items()
            for part in slices(running.positions[network].next_iteration, len(points) // POINT_BYTES)
        ]
        lines = [
            (NETWORK_NUMBERS[network], number, line)
            for network, added in advance.lines.items()
            # PostgreSQL's text has no NUL; a child that prints one must not stop its own reports.
            for number, line in enumerate(
                (line.replace("\x00", "\ufffd") for line in added), running.positions[network].next_line
            )
        ]
        samples = advance.nonconforming
        row = await self._sessions.one(
            _STORE,
            {
                "job": running.job,
                "token": running.fencing_token,
                "version": running.version,
                "task": running.task,
                "attempt": running.attempt,
                "expires": advance.expires,
                "sha256": checkpoint.sha256 if checkpoint else None,
                "network": NETWORK_NUMBERS[checkpoint.network] if checkpoint else None,
                "iteration": checkpoint.next_iteration if checkpoint else None,
                "superseded": advance.superseded,
                "not_before": advance.superseded_until,
                "networks": [NETWORK_NUMBERS[network] for network in moved],
                "next_iterations": [position.next_iteration for position in moved.values()],
                "next_lines": [position.next_line for position in moved.values()],
                "step_times": [position.step_time for position in moved.values()],
                "chunk_networks": [network for network, _, _ in chunks],
                "chunks": [chunk for _, chunk, _ in chunks],
                "chunk_points": [points for _, _, points in chunks],
                "line_networks": [network for network, _, _ in lines],
                "line_numbers": [number for _, number, _ in lines],
                "lines": [line for _, _, line in lines],
                "validation_networks": [NETWORK_NUMBERS[network] for network, _ in advance.validations],
                "validation_iterations": [iteration for _, iteration in advance.validations],
                "accuracies": list(advance.validations.values()),
                "data_paths": [sample.data_path for sample in samples],
                "files": [sample.file for sample in samples],
                "sha256s": [sample.sha256 for sample in samples],
                "reasons": [sample.reason for sample in samples],
                "messages": [sample.message for sample in samples],
                "widths": [sample.width for sample in samples],
                "heights": [sample.height for sample in samples],
                "changes_task": advance.changes_task,
                "is_news": advance.is_news,
                "phase": advance.phase.value if advance.phase else None,
                "progress": None
                if advance.progress is None
                else json.dumps(codec.progress_to_json(advance.progress)),
                "stages": json.dumps(codec.stages_to_json(advance.stages)),
                "channel": task_channel(running.task),
                **outbox.values(advance.messages),
            },
        )
        if row is None:
            return None
        after = replace(
            running,
            version=row.version,
            phase=advance.phase,
            stages=advance.stages,
            checkpoint_sha256=checkpoint.sha256 if checkpoint else running.checkpoint_sha256,
            positions={**running.positions, **moved},
        )
        return after, row.terminating
