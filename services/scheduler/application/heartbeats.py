"""What a running job tells: checked against what is known, and stored (rules M5, T6)."""

import contextlib
from dataclasses import replace
from datetime import datetime, timedelta

from services.kit import outbox
from services.scheduler.application.dependencies import Parts
from services.scheduler.domain.job import Network
from services.scheduler.domain.loss import POINT_BYTES, LossGap, require_contiguous
from services.scheduler.domain.progress import Phase, Stage, merged
from services.scheduler.domain.work import CurvePosition, JobReport, ReportAnswer
from services.scheduler.settings import QueueSettings
from services.scheduler.storage.heartbeats import Advance, Reports, RunningJob
from services.scheduler.storage.orphan_candidates import CHECKPOINTS, object_key
from services.scheduler.wire import events

# Some kilobytes each.
_MAX_REMEMBERED = 1000


class Reporting:
    """The use case of JobService that is called all the time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reports = Reports(parts.sessions)
        # Jobs as their last reports left them, the longest silent first. One that somebody else has changed
        # since is found out when the next report is to be stored.
        self._remembered: dict[str, RunningJob] = {}

    async def report(self, job_id: str, fencing_token: int, report: JobReport) -> ReportAnswer:
        """Store what a running job did; LeaseLost, and nothing stored, under an old token (T6)."""
        remembered = self._remembered.pop(job_id, None)
        answer = None
        if remembered is not None and remembered.fencing_token == fencing_token:
            with contextlib.suppress(LossGap):
                answer = await self._store(remembered, report)
        while answer is None:
            answer = await self._store(await self._reports.running(job_id, fencing_token), report)
        return answer

    async def _store(self, running: RunningJob, report: JobReport) -> ReportAnswer | None:
        advance = _advance(running, report, self._parts.clock.now(), self._parts.queue)
        stored = await self._reports.store(running, advance)
        if stored is None:
            return None
        after, terminating = stored
        self._remembered[running.job] = after
        if len(self._remembered) > _MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        return ReportAnswer(advance.expires, terminating, after.positions)


def _advance(running: RunningJob, report: JobReport, now: datetime, queue: QueueSettings) -> Advance:
    """What the report changes; what is known already is left out. LossGap if it leaves a hole."""
    messages: list[outbox.Announcement] = []
    moved: dict[Network, CurvePosition] = {}
    drawn: dict[Network, bytes] = {}
    for points in report.points:
        at = moved.get(points.network, running.positions[points.network])
        require_contiguous(points.network, points.first_iteration, at.next_iteration)
        new = replace(
            points,
            first_iteration=at.next_iteration,
            packed=points.packed[(at.next_iteration - points.first_iteration) * POINT_BYTES :],
        )
        if new.packed:
            drawn[new.network] = drawn.get(new.network, b"") + new.packed
            moved[new.network] = replace(
                at, next_iteration=new.end_iteration, step_time=new.step_time or at.step_time
            )
            subject = events.loss_subject(running.task, new.network)
            messages += [
                outbox.announcement(subject, message)
                for message in events.loss_points(running.task, running.attempt, new)
            ]
    written: dict[Network, tuple[str, ...]] = {}
    for log in report.logs:
        at = moved.get(log.network, running.positions[log.network])
        if log.first_line > at.next_line:
            raise LossGap(
                f"the {log.network} log goes on at line {at.next_line}, not at {log.first_line}",
                reason="LOG_GAP",
                expected=at.next_line,
            )
        lines = log.lines[at.next_line - log.first_line :]
        if lines:
            written[log.network] = written.get(log.network, ()) + lines
            moved[log.network] = replace(at, next_line=at.next_line + len(lines))
    checkpoint = report.checkpoint
    if checkpoint is not None:
        reported = moved.get(checkpoint.network, running.positions[checkpoint.network]).next_iteration
        if checkpoint.next_iteration > reported:
            raise LossGap(
                f"the checkpoint goes on at {checkpoint.next_iteration}, the curve ends before {reported}",
                network=checkpoint.network,
                expected=reported,
            )
    supersedes = checkpoint is not None and running.checkpoint_sha256 not in ("", checkpoint.sha256)
    stages = merged(running.stages, report.stages)
    phase = report.phase or running.phase
    messages += _stage_messages(running, report, phase, now)
    return Advance(
        expires=now + timedelta(seconds=queue.lease_s),
        positions=moved,
        points=drawn,
        lines=written,
        validations={(network, iteration): accuracy for network, iteration, accuracy in report.validations},
        nonconforming=report.nonconforming,
        phase=phase,
        progress=report.progress,
        stages=stages,
        checkpoint=checkpoint,
        superseded=object_key(CHECKPOINTS, running.checkpoint_sha256) if supersedes else None,
        superseded_until=now + timedelta(seconds=queue.checkpoint_grace_s),
        changes_task=report.progress is not None or stages != running.stages or phase is not running.phase,
        is_news=report != JobReport(),
        messages=messages,
    )


def _stage_messages(
    running: RunningJob, report: JobReport, phase: Phase | None, now: datetime
) -> list[outbox.Announcement]:
    changed: list[Stage | None] = [stage for stage in report.stages if stage not in running.stages]
    if phase is not running.phase and not changed:
        changed.append(None)
    return [
        outbox.announcement(
            events.stage_subject(running.task),
            events.stage_changed(
                running.task,
                running.attempt,
                stage=stage,
                phase=phase,
                now=now,
                started=running.start_time,
            ),
        )
        for stage in changed
    ]
