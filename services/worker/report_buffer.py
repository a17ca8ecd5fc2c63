"""What a running job has reported and the scheduler has not confirmed yet.

Nothing is removed because it was sent, only because it was confirmed: points and lines by the positions in
the scheduler's answer, the rest by the answer to the heartbeat that carried it. So a heartbeat may be
repeated, and a scheduler that was away misses nothing.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from loupe.scheduler.v1 import job_pb2, job_service_pb2, task_pb2

Heartbeat: TypeAlias = job_service_pb2.ReportJobRequest
Network: TypeAlias = task_pb2.Network.ValueType

_FLOAT_BYTES = 4
# What an object takes beside its text; a coarse figure, like the bound that it serves.
_OBJECT_BYTES = 64
_MESSAGE_BYTES = 512
# Points that arrive while older ones wait are appended to the last message, up to this many.
_MAX_RUN_POINTS = 1024


class SequenceGap(ValueError):
    """The child skipped iterations: its curve would have a hole."""


class _Curve:
    """Unconfirmed points of one network, in order and without holes."""

    def __init__(self) -> None:
        self.runs: deque[job_pb2.LossPoints] = deque()
        self.end: int | None = None
        self.points = 0

    def add(self, points: job_pb2.LossPoints) -> None:
        if self.end is not None and points.first_iteration > self.end:
            network = task_pb2.Network.Name(points.network)
            raise SequenceGap(f"{network} goes on at iteration {points.first_iteration}, expected {self.end}")
        if self.end is not None:
            points = _from(points, self.end)
        if not points.losses:
            return
        self.end = _end(points)
        self.points += len(points.losses)
        if self.runs and len(self.runs[-1].losses) < _MAX_RUN_POINTS:
            self.runs[-1].losses.MergeFrom(points.losses)
            self.runs[-1].step_time.CopyFrom(points.step_time)
        else:
            self.runs.append(points)

    def confirm(self, next_iteration: int) -> None:
        while self.runs and self.runs[0].first_iteration < next_iteration:
            run = self.runs.popleft()
            rest = _from(run, next_iteration)
            self.points -= len(run.losses) - len(rest.losses)
            if rest.losses:
                self.runs.appendleft(rest)

    def first(self, max_points: int) -> job_pb2.LossPoints | None:
        """The first of the unconfirmed points, as one message; None if there are none or none fit."""
        if not self.runs or max_points < 1:
            return None
        joined = job_pb2.LossPoints(
            network=self.runs[0].network, first_iteration=self.runs[0].first_iteration
        )
        for run in self.runs:
            room = max_points - len(joined.losses)
            if room <= 0:
                break
            joined.losses.extend(run.losses[:room])
            joined.step_time.CopyFrom(run.step_time)
        return joined


class _Log:
    """Unconfirmed lines of one network, numbered."""

    def __init__(self, first_line: int) -> None:
        self.first_line = first_line
        self.lines: deque[str] = deque()
        self.bytes = 0

    def add(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.lines.append(line)
            self.bytes += _line_bytes(line)

    def confirm(self, next_line: int) -> None:
        while self.lines and self.first_line < next_line:
            self.bytes -= _line_bytes(self.lines.popleft())
            self.first_line += 1

    def first(self, max_bytes: int) -> tuple[list[str], int]:
        """The first lines that fit, one at least, and their size."""
        taken: list[str] = []
        size = 0
        for line in self.lines:
            if taken and size + _line_bytes(line) > max_bytes:
                break
            taken.append(line)
            size += _line_bytes(line)
        return taken, size


@dataclass(frozen=True, slots=True)
class _Sent:
    """What the last heartbeat carried beside points and lines."""

    phase: task_pb2.Phase.ValueType = task_pb2.PHASE_UNSPECIFIED
    progress: task_pb2.Progress | None = None
    stages: tuple[task_pb2.Stage, ...] = ()
    validations: int = 0
    nonconforming: int = 0
    checkpoint: job_pb2.Checkpoint | None = None


class ReportBuffer:
    """Collects what a job reports; returns it in heartbeats of bounded size until it is confirmed.

    A message that was added belongs to the buffer: its caller does not change it any more.
    """

    def __init__(self, *, max_heartbeat_bytes: int = 1 << 20) -> None:
        self._max_heartbeat_bytes = max_heartbeat_bytes
        self._curves: dict[Network, _Curve] = {}
        self._logs: dict[Network, _Log] = {}
        self._phase = self._confirmed_phase = task_pb2.PHASE_UNSPECIFIED
        self._progress: task_pb2.Progress | None = None
        self._stages: dict[task_pb2.StageName.ValueType, task_pb2.Stage] = {}
        self._validations: deque[job_pb2.ValidationReport] = deque()
        self._nonconforming: deque[task_pb2.NonconformingSample] = deque()
        self._checkpoint: job_pb2.Checkpoint | None = None
        self._next_lines: dict[Network, int] = {}
        self._sent = _Sent()

    def begin(self, positions: Iterable[job_pb2.Position]) -> None:
        """Continue the log where an earlier worker of this attempt ended; before the first line is added."""
        self._next_lines = {position.network: position.next_line for position in positions}

    @property
    def size_bytes(self) -> int:
        """About how much memory is held."""
        return (
            sum(
                curve.points * _FLOAT_BYTES + len(curve.runs) * _MESSAGE_BYTES
                for curve in self._curves.values()
            )
            + sum(log.bytes for log in self._logs.values())
            + len(self._validations) * _OBJECT_BYTES
            + sum(_nonconforming_bytes(sample) for sample in self._nonconforming)
        )

    @property
    def is_empty(self) -> bool:
        """Whether the scheduler has confirmed everything."""
        return not (
            self._progress
            or self._stages
            or self._validations
            or self._nonconforming
            or self._checkpoint
            or self._phase != self._confirmed_phase
            or any(curve.runs for curve in self._curves.values())
            or any(log.lines for log in self._logs.values())
        )

    def add_loss_points(self, points: job_pb2.LossPoints) -> None:
        """Add the points that follow; skips known ones. SequenceGap if some are missing."""
        self._curves.setdefault(points.network, _Curve()).add(points)

    def add_lines(self, network: Network, lines: Iterable[str]) -> None:
        """Add lines to the network's log."""
        if network not in self._logs:
            self._logs[network] = _Log(self._next_lines.get(network, 0))
        self._logs[network].add(lines)

    def add_validation(self, validation: job_pb2.ValidationReport) -> None:
        """Add one score on the validation split."""
        self._validations.append(validation)

    def add_nonconforming(self, samples: Iterable[task_pb2.NonconformingSample]) -> None:
        """Add samples that were set aside."""
        self._nonconforming.extend(samples)

    def set_phase(self, phase: task_pb2.Phase.ValueType) -> None:
        """Set the phase that the job is in from now on."""
        self._phase = phase

    def set_stage(self, stage: task_pb2.Stage) -> None:
        """Set the state of a stage; replaces an unconfirmed one."""
        self._stages[stage.name] = stage

    def set_progress(self, progress: task_pb2.Progress) -> None:
        """Set how far the job is; replaces an unconfirmed value."""
        self._progress = progress

    def set_checkpoint(self, checkpoint: job_pb2.Checkpoint | None) -> None:
        """Set a stored checkpoint; it is sent with or after all points before it. None withdraws it."""
        self._checkpoint = checkpoint

    def next_heartbeat(self) -> Heartbeat:
        """What to send now, at most about `max_heartbeat_bytes`. The same again until it is confirmed.

        The lease's names are not set.
        """
        room = self._max_heartbeat_bytes
        heartbeat = Heartbeat()
        complete_to: dict[Network, int] = {}
        for network, curve in self._curves.items():
            points = curve.first(room // _FLOAT_BYTES)
            if points is not None:
                heartbeat.loss_points.append(points)
                room -= len(points.losses) * _FLOAT_BYTES
                complete_to[network] = _end(points)
        for network, log in self._logs.items():
            if log.lines and room > 0:
                lines, size = log.first(room)
                heartbeat.logs.add(network=network, first_line=log.first_line, lines=lines)
                room -= size
        for sample in self._nonconforming:
            if room <= 0:
                break
            heartbeat.nonconforming_samples.append(sample)
            room -= _nonconforming_bytes(sample)
        heartbeat.stages.extend(self._stages.values())
        heartbeat.validations.extend(self._validations)
        if self._phase != self._confirmed_phase:
            heartbeat.phase = self._phase
        if self._progress is not None:
            heartbeat.progress.CopyFrom(self._progress)
        checkpoint = self._checkpoint
        if checkpoint is not None and self._is_covered(checkpoint, complete_to):
            heartbeat.checkpoint.CopyFrom(checkpoint)
        else:
            checkpoint = None
        self._sent = _Sent(
            phase=self._phase,
            progress=self._progress,
            stages=tuple(self._stages.values()),
            validations=len(self._validations),
            nonconforming=len(heartbeat.nonconforming_samples),
            checkpoint=checkpoint,
        )
        return heartbeat

    def confirm(self, positions: Iterable[job_pb2.Position]) -> None:
        """The scheduler has stored the last heartbeat; `positions` say where its curves and logs go on."""
        for position in positions:
            if position.network in self._curves:
                self._curves[position.network].confirm(position.next_iteration)
            if position.network in self._logs:
                self._logs[position.network].confirm(position.next_line)
        sent, self._sent = self._sent, _Sent(phase=self._sent.phase)
        self._confirmed_phase = sent.phase
        # What was replaced while the heartbeat was under way is still to be sent.
        if self._progress is sent.progress:
            self._progress = None
        for stage in sent.stages:
            if self._stages.get(stage.name) is stage:
                del self._stages[stage.name]
        for _ in range(sent.validations):
            self._validations.popleft()
        for _ in range(sent.nonconforming):
            self._nonconforming.popleft()
        if self._checkpoint is sent.checkpoint:
            self._checkpoint = None

    def _is_covered(self, checkpoint: job_pb2.Checkpoint, complete_to: dict[Network, int]) -> bool:
        """Whether the heartbeat has every unconfirmed point before the checkpoint."""
        curve = self._curves.get(checkpoint.network)
        if curve is None or not curve.runs or curve.runs[0].first_iteration >= checkpoint.next_iteration:
            return True
        return complete_to.get(checkpoint.network, 0) >= min(checkpoint.next_iteration, curve.end or 0)


def _end(points: job_pb2.LossPoints) -> int:
    """The iteration after the last one."""
    return points.first_iteration + len(points.losses)


def _from(points: job_pb2.LossPoints, iteration: int) -> job_pb2.LossPoints:
    """The points without those before `iteration`."""
    if points.first_iteration >= iteration:
        return points
    return job_pb2.LossPoints(
        network=points.network,
        first_iteration=iteration,
        losses=points.losses[iteration - points.first_iteration :],
        step_time=points.step_time,
    )


def _line_bytes(line: str) -> int:
    return len(line) + _OBJECT_BYTES


def _nonconforming_bytes(sample: task_pb2.NonconformingSample) -> int:
    return len(sample.file) + len(sample.data_path) + len(sample.message) + 2 * _OBJECT_BYTES
