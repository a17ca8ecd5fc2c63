"""Storing heartbeats, the most frequent call: one statement each (rules M5, T6).

Optimistic concurrency: read the job, compute the update, then store all of it, or nothing if the job changed
in between; the caller then reads and computes again. No lock is held while Python computes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.kit import outbox
from services.kit.database import DatabaseSessions
from services.scheduler.domain.job import Checkpoint, JobKind, JobState, Network, lease_lost
from services.scheduler.domain.loss import POINT_BYTES, slices
from services.scheduler.domain.progress import Phase, Progress, Stage
from services.scheduler.domain.work import CurvePosition, NonconformingSample
from services.scheduler.storage import codec, sql
from services.scheduler.storage.codec import NETWORK_NUMBERS
from services.scheduler.storage.tasks import task_channel

# Every change of a job or of its attempt's curves writes the job's row, so the row's xmin is their version.
_READ = sa.text(
    """
    SELECT j.task, j.attempt, j.kind, j.state, j.fencing_token, j.reached,
        j.checkpoint_sha256, j.checkpoint_network, j.checkpoint_iteration,
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

_STORE = sa.text(sql.load("heartbeat_store", insert_into_outbox=outbox.INSERT)).bindparams(
    *outbox.BINDS,
    *(
        sa.bindparam(name, type_=kind)
        for kind, names in (
            (sa.Text(), "task job version channel sha256 superseded phase progress stages"),
            (sa.SmallInteger(), "network"),
            (sa.Integer(), "attempt"),
            (sa.BigInteger(), "token iteration"),
            (sa.Boolean(), "changes_task is_news advances"),
            (sa.Double(), "reached"),
            (sa.Interval(), "lease grace"),
            (
                sa.ARRAY(sa.SmallInteger),
                "networks chunk_networks line_networks validation_networks",
            ),
            (sa.ARRAY(sa.Integer), "chunks widths heights"),
            (sa.ARRAY(sa.BigInteger), "next_iterations next_lines line_numbers validation_iterations"),
            (sa.ARRAY(sa.Double), "accuracies"),
            (sa.ARRAY(sa.LargeBinary), "chunk_points"),
            (sa.ARRAY(sa.Text), "lines data_paths files sha256s reasons messages messages_zh"),
            (sa.ARRAY(sa.DateTime(timezone=True)), "step_times"),
        )
        for name in names.split()
    ),
)


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A leased job, with the state that its next heartbeat builds on."""

    job: str
    fencing_token: int
    version: str
    task: str
    attempt: int
    kind: JobKind
    phase: Phase | None
    stages: tuple[Stage, ...]
    start_time: datetime | None
    checkpoint: Checkpoint | None
    reached: float
    positions: dict[Network, CurvePosition]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUpdate:
    """Everything that a heartbeat changes.

    `positions` has only the networks whose position moved; `points` and `lines` have only new ones.
    """

    lease: timedelta
    positions: Mapping[Network, CurvePosition]
    points: Mapping[Network, bytes]
    lines: Mapping[Network, Sequence[str]]
    validations: Mapping[tuple[Network, int], float]
    nonconforming: Sequence[NonconformingSample]
    phase: Phase | None
    progress: Progress | None
    stages: tuple[Stage, ...]
    checkpoint: Checkpoint | None
    # Whether its recoveries are forgotten, and how far it was then (T5).
    advances: bool
    reached: float
    # The key of the checkpoint that the new one supersedes, and how long it is kept.
    superseded: str | None
    superseded_kept: timedelta
    # Whether the task itself changes, not only its curves.
    changes_task: bool
    # Whether anything but the lease changes; watchers are woken then.
    is_news: bool
    messages: Sequence[outbox.Message]


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored update: the job after it, and the end of its lease.

    And whether its task is to end, and whether its worker is drained.
    """

    after: RunningJob
    lease_expire_time: datetime
    terminating: bool
    drained: bool


class HeartbeatStore:
    """Reads running jobs, and stores their updates."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def running(self, job_id: str, fencing_token: int) -> RunningJob:
        """The job as it is now. LeaseLost unless the fencing token holds it (T6)."""
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
            checkpoint=codec.checkpoint_of(row),
            reached=row.reached,
            positions={
                Network.CLASSIFICATION: CurvePosition(row.c_points, row.c_lines, row.c_step_time),
                Network.SEGMENTATION: CurvePosition(row.s_points, row.s_lines, row.s_step_time),
            },
        )

    async def store(self, running: RunningJob, update: JobUpdate) -> Stored | None:
        """Store the update, prolong the lease and wake the watchers.

        None if the job changed since it was read; nothing is stored then.
        """
        checkpoint = update.checkpoint
        row = await self._sessions.one(
            _STORE,
            {
                "job": running.job,
                "token": running.fencing_token,
                "version": running.version,
                "task": running.task,
                "attempt": running.attempt,
                "lease": update.lease,
                "advances": update.advances,
                "reached": update.reached,
                "sha256": checkpoint.sha256 if checkpoint else None,
                "network": NETWORK_NUMBERS[checkpoint.network] if checkpoint else None,
                "iteration": checkpoint.next_iteration if checkpoint else None,
                "superseded": update.superseded,
                "grace": update.superseded_kept,
                "changes_task": update.changes_task,
                "is_news": update.is_news,
                "phase": update.phase.value if update.phase else None,
                "progress": None
                if update.progress is None
                else json.dumps(codec.progress_to_json(update.progress)),
                "stages": json.dumps(codec.stages_to_json(update.stages)),
                "channel": task_channel(running.task),
                **_curve_values(running, update),
                **_log_values(running, update),
                **_nonconforming_values(update.nonconforming),
                **outbox.values(update.messages),
            },
        )
        if row is None:
            return None
        after = replace(
            running,
            version=row.version,
            phase=update.phase,
            stages=update.stages,
            checkpoint=checkpoint or running.checkpoint,
            reached=update.reached,
            positions={**running.positions, **update.positions},
        )
        return Stored(after, row.lease_expire_time, row.terminating, row.drained)


def _curve_values(running: RunningJob, update: JobUpdate) -> dict[str, object]:
    """Positions, points in their chunks, and validations."""
    moved = update.positions
    chunks = [
        (NETWORK_NUMBERS[network], part.chunk, points[part.start * POINT_BYTES : part.end * POINT_BYTES])
        for network, points in update.points.items()
        for part in slices(running.positions[network].next_iteration, len(points) // POINT_BYTES)
    ]
    return {
        "networks": [NETWORK_NUMBERS[network] for network in moved],
        "next_iterations": [position.next_iteration for position in moved.values()],
        "next_lines": [position.next_line for position in moved.values()],
        "step_times": [position.step_time for position in moved.values()],
        "chunk_networks": [network for network, _, _ in chunks],
        "chunks": [chunk for _, chunk, _ in chunks],
        "chunk_points": [points for _, _, points in chunks],
        "validation_networks": [NETWORK_NUMBERS[network] for network, _ in update.validations],
        "validation_iterations": [iteration for _, iteration in update.validations],
        "accuracies": list(update.validations.values()),
    }


def _log_values(running: RunningJob, update: JobUpdate) -> dict[str, object]:
    lines = [
        (NETWORK_NUMBERS[network], number, line)
        for network, added in update.lines.items()
        # PostgreSQL's text cannot hold NUL; a child process that prints one must not block its heartbeats.
        for number, line in enumerate(
            (line.replace("\x00", "\ufffd") for line in added), running.positions[network].next_line
        )
    ]
    return {
        "line_networks": [network for network, _, _ in lines],
        "line_numbers": [number for _, number, _ in lines],
        "lines": [line for _, _, line in lines],
    }


def _nonconforming_values(samples: Sequence[NonconformingSample]) -> dict[str, object]:
    return {
        "data_paths": [sample.data_path for sample in samples],
        "files": [sample.file for sample in samples],
        "sha256s": [sample.sha256 for sample in samples],
        "reasons": [sample.reason for sample in samples],
        "messages": [sample.message for sample in samples],
        "widths": [sample.width for sample in samples],
        "heights": [sample.height for sample in samples],
        "messages_zh": [sample.message_zh for sample in samples],
    }
