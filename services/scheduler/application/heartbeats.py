"""Heartbeats of running jobs: checked against what is stored, and stored (rules M5, T6)."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from services.kit import outbox
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.domain.job import Checkpoint, JobKind, Network, has_advanced
from services.scheduler.domain.loss import POINT_BYTES, LossGap, require_contiguous
from services.scheduler.domain.progress import Phase, Stage, merged
from services.scheduler.domain.work import CurvePosition, JobReport, LogLines, Points, ReportAnswer
from services.scheduler.settings import SchedulingSettings
from services.scheduler.storage.heartbeats import HeartbeatStore, JobUpdate, RunningJob
from services.scheduler.storage.orphan_candidates import CHECKPOINTS, object_key
from services.scheduler.wire import events

# Some kilobytes each.
_MAX_CACHED = 1000

# Packed points, or log lines.
Content = TypeVar("Content", bytes, tuple[str, ...])


class Heartbeats:
    """The use case of JobService that is called most often."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._store = HeartbeatStore(dependencies.sessions)
        # Jobs as their last heartbeats left them, the longest silent one first. If a job was changed by
        # another call since then, storing its next heartbeat fails and the job is read again.
        self._cache: dict[str, RunningJob] = {}

    async def report(self, job_id: str, fencing_token: int, report: JobReport) -> ReportAnswer:
        """Store a heartbeat. LeaseLost, and nothing is stored, under an old fencing token (T6)."""
        cached = self._cache.pop(job_id, None)
        answer = None
        if cached is not None and cached.fencing_token == fencing_token:
            with contextlib.suppress(LossGap):
                answer = await self._try_to_store(cached, report)
        while answer is None:
            answer = await self._try_to_store(await self._store.running(job_id, fencing_token), report)
        return answer

    async def _try_to_store(self, running: RunningJob, report: JobReport) -> ReportAnswer | None:
        """The answer; None if the job is no longer `running`."""
        update = _update(running, report, self._dependencies.scheduling)
        if changed := _changed_stages(running, report, update):
            # Seldom: other heartbeats need no time, and so no second statement.
            now = await self._dependencies.sessions.time()
            messages = (_stage_message(running, stage, update.phase, now) for stage in changed)
            update = replace(update, messages=[*update.messages, *messages])
        stored = await self._store.store(running, update)
        if stored is None:
            return None
        self._cache[running.job] = stored.after
        if len(self._cache) > _MAX_CACHED:
            del self._cache[next(iter(self._cache))]
        return ReportAnswer(
            stored.lease_expire_time, stored.terminating, stored.after.positions, stored.drained
        )


def _update(running: RunningJob, report: JobReport, scheduling: SchedulingSettings) -> JobUpdate:
    """What a heartbeat changes; what is stored already is left out. LossGap if something is missing."""
    positions = dict(running.positions)
    points = [new for one in report.points if (new := _new_points(one, positions)).packed]
    logs = [log for one in report.logs if (log := _new_lines(one, positions)).lines]
    checkpoint = report.checkpoint
    if checkpoint is not None:
        _require_points_before(checkpoint, positions)
    before, superseded = running.checkpoint, None
    if before is not None and checkpoint is not None and before.sha256 != checkpoint.sha256:
        superseded = object_key(CHECKPOINTS, before.sha256)
    advances, reached = _advance(running, report)
    stages = merged(running.stages, report.stages)
    phase = report.phase or running.phase
    return JobUpdate(
        lease=timedelta(seconds=scheduling.lease_s),
        positions={name: at for name, at in positions.items() if at is not running.positions[name]},
        points=_by_network((new.network, new.packed) for new in points),
        lines=_by_network((log.network, log.lines) for log in logs),
        validations={(network, iteration): accuracy for network, iteration, accuracy in report.validations},
        nonconforming=report.nonconforming,
        phase=phase,
        progress=report.progress,
        stages=stages,
        checkpoint=checkpoint,
        advances=advances,
        reached=reached,
        superseded=superseded,
        superseded_kept=timedelta(seconds=scheduling.checkpoint_grace_s),
        changes_task=report.progress is not None or stages != running.stages or phase is not running.phase,
        is_news=report != JobReport(),
        messages=[message for new in points for message in _point_messages(running, new)],
    )


def _advance(running: RunningJob, report: JobReport) -> tuple[bool, float]:
    """Whether the job's recoveries are forgotten, and how far a job without checkpoints is then (T5)."""
    if running.kind is JobKind.TRAIN:
        checkpoint = report.checkpoint
        return checkpoint is not None and checkpoint.is_after(running.checkpoint), running.reached
    fraction = report.progress.fraction if report.progress is not None else 0.0
    advances = has_advanced(running.reached, fraction)
    return advances, fraction if advances else running.reached


def _new_points(points: Points, positions: dict[Network, CurvePosition]) -> Points:
    """The points that are not stored yet; moves the network's position behind them."""
    at = positions[points.network]
    require_contiguous(points.network, points.first_iteration, at.next_iteration)
    new = replace(
        points,
        first_iteration=at.next_iteration,
        packed=points.packed[(at.next_iteration - points.first_iteration) * POINT_BYTES :],
    )
    if new.packed:
        positions[new.network] = replace(
            at, next_iteration=new.end_iteration, step_time=new.step_time or at.step_time
        )
    return new


def _new_lines(log: LogLines, positions: dict[Network, CurvePosition]) -> LogLines:
    """The log lines that are not stored yet; moves the network's position behind them."""
    at = positions[log.network]
    if log.first_line > at.next_line:
        raise LossGap(
            f"the {log.network} log goes on at line {at.next_line}, not at {log.first_line}",
            reason="LOG_GAP",
            expected=at.next_line,
        )
    new = replace(log, first_line=at.next_line, lines=log.lines[at.next_line - log.first_line :])
    if new.lines:
        positions[log.network] = replace(at, next_line=at.next_line + len(new.lines))
    return new


def _require_points_before(checkpoint: Checkpoint, positions: Mapping[Network, CurvePosition]) -> None:
    stored = positions[checkpoint.network].next_iteration
    if checkpoint.next_iteration > stored:
        raise LossGap(
            f"the checkpoint goes on at {checkpoint.next_iteration}, the curve ends before {stored}",
            network=checkpoint.network,
            expected=stored,
        )


def _by_network(parts: Iterable[tuple[Network, Content]]) -> dict[Network, Content]:
    """The parts of each network, concatenated."""
    joined: dict[Network, Content] = {}
    for network, part in parts:
        joined[network] = joined[network] + part if network in joined else part
    return joined


def _point_messages(running: RunningJob, points: Points) -> Iterator[outbox.Message]:
    subject = events.loss_subject(running.task, points.network)
    for message in events.loss_points(running.task, running.attempt, points):
        yield outbox.Message.of(subject, message)


def _changed_stages(running: RunningJob, report: JobReport, update: JobUpdate) -> list[Stage | None]:
    """The stages to announce; None if only the phase changed."""
    changed: list[Stage | None] = [stage for stage in report.stages if stage not in running.stages]
    return changed or ([None] if update.phase is not running.phase else [])


def _stage_message(
    running: RunningJob, stage: Stage | None, phase: Phase | None, now: datetime
) -> outbox.Message:
    return outbox.Message.of(
        events.stage_subject(running.task),
        events.stage_changed(
            running.task, running.attempt, stage=stage, phase=phase, now=now, started=running.start_time
        ),
    )
