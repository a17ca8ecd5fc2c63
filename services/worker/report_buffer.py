"""What a running job has said and the scheduler has not confirmed yet.

Nothing leaves here because it was sent, only because it was confirmed: points and lines by the positions
in the scheduler's answer, the rest by the answer to the report that carried it.
So a report may be repeated at will, and a scheduler that was away misses nothing.
"""

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime

from services.worker.values import (
    Checkpoint,
    LogLines,
    LossPoints,
    Network,
    Nonconforming,
    Phase,
    Position,
    Progress,
    Report,
    Stage,
    StageName,
    Validation,
)

_FLOAT_BYTES = 4
# What an object costs beside its text; coarse, as the bound that it serves is.
_OBJECT_BYTES = 64


class Gap(ValueError):
    """The child skipped iterations: its curve would have a hole."""


class _Curve:
    """Unconfirmed points of one network, in order and without holes."""

    def __init__(self) -> None:
        self.runs: deque[LossPoints] = deque()
        self.end: int | None = None
        self.points = 0

    def add(self, points: LossPoints) -> None:
        if self.end is not None and points.first_iteration > self.end:
            raise Gap(f"{points.network} goes on at iteration {points.first_iteration}, expected {self.end}")
        if self.end is not None:
            points = _from(points, self.end)
        if points.values:
            self.runs.append(points)
            self.end = points.end_iteration
            self.points += len(points.values)

    def confirm(self, next_iteration: int) -> None:
        while self.runs and self.runs[0].first_iteration < next_iteration:
            run = self.runs.popleft()
            rest = _from(run, next_iteration)
            self.points -= len(run.values) - len(rest.values)
            if rest.values:
                self.runs.appendleft(rest)

    def first(self, max_points: int) -> LossPoints | None:
        """The first of the unconfirmed points, runs joined: one message for all that fit."""
        if not self.runs or max_points < 1:
            return None
        values = array("f")
        step_time = self.runs[0].step_time
        for run in self.runs:
            room = max_points - len(values)
            if room <= 0:
                break
            values.extend(run.values[:room])
            step_time = run.step_time
        return LossPoints(self.runs[0].network, self.runs[0].first_iteration, values, step_time)


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

    def first(self, max_bytes: int) -> tuple[tuple[str, ...], int]:
        """The first lines that fit, one at least, and their size."""
        taken: list[str] = []
        size = 0
        for line in self.lines:
            if taken and size + _line_bytes(line) > max_bytes:
                break
            taken.append(line)
            size += _line_bytes(line)
        return tuple(taken), size


class Unreported:
    """Collects what the child says; gives it out in reports of bounded size until it is confirmed."""

    def __init__(self, *, max_report_bytes: int = 1 << 20) -> None:
        self._max_report_bytes = max_report_bytes
        self._curves: dict[Network, _Curve] = {}
        self._logs: dict[Network, _Log] = {}
        self._phase: Phase | None = None
        self._sent_phase: Phase | None = None
        self._progress: Progress | None = None
        self._stages: dict[StageName, Stage] = {}
        self._validations: deque[Validation] = deque()
        self._nonconforming: deque[Nonconforming] = deque()
        self._checkpoint: Checkpoint | None = None
        self._next_lines: dict[Network, int] = {}

    def begin(self, positions: Iterable[Position]) -> None:
        """Start where an earlier worker's log of this attempt ended; before the first line is added."""
        self._next_lines = {position.network: position.next_line for position in positions}

    @property
    def size_bytes(self) -> int:
        """About how much memory is held."""
        return (
            sum(
                curve.points * _FLOAT_BYTES + len(curve.runs) * _OBJECT_BYTES
                for curve in self._curves.values()
            )
            + sum(log.bytes for log in self._logs.values())
            + len(self._validations) * _OBJECT_BYTES
            + sum(_nonconforming_bytes(sample) for sample in self._nonconforming)
        )

    @property
    def is_empty(self) -> bool:
        """Whether the scheduler knows all of it."""
        return not (
            self._progress
            or self._stages
            or self._validations
            or self._nonconforming
            or self._checkpoint
            or self._phase is not self._sent_phase
            or any(curve.runs for curve in self._curves.values())
            or any(log.lines for log in self._logs.values())
        )

    def add_losses(
        self, network: Network, first_iteration: int, values: Sequence[float], step_time: datetime
    ) -> None:
        """Points that follow those before; Gap if they do not, and what is known already is left out."""
        curve = self._curves.setdefault(network, _Curve())
        curve.add(LossPoints(network, first_iteration, array("f", values), step_time))

    def add_lines(self, network: Network, lines: Iterable[str]) -> None:
        """Lines of the network's log."""
        if network not in self._logs:
            self._logs[network] = _Log(self._next_lines.get(network, 0))
        self._logs[network].add(lines)

    def add_validation(self, validation: Validation) -> None:
        """One more point of the accuracy beside the loss."""
        self._validations.append(validation)

    def add_nonconforming(self, samples: Iterable[Nonconforming]) -> None:
        """Samples that were set aside."""
        self._nonconforming.extend(samples)

    def set_phase(self, phase: Phase) -> None:
        """The job is in this phase from now on."""
        self._phase = phase

    def set_stage(self, stage: Stage) -> None:
        """The stage as it stands; what was said of it before and not sent is no longer of interest."""
        self._stages[stage.name] = stage

    def set_progress(self, progress: Progress) -> None:
        """How far the job is; replaces what was not sent yet."""
        self._progress = progress

    def set_checkpoint(self, checkpoint: Checkpoint | None) -> None:
        """A stored checkpoint; goes out only with, or after, all points before it. None takes it back."""
        self._checkpoint = checkpoint

    def next_report(self) -> Report:
        """What to send now, at most about `max_report_bytes` of it. The same again until it is confirmed."""
        room = self._max_report_bytes
        losses = []
        complete_to: dict[Network, int] = {}
        for network, curve in self._curves.items():
            points = curve.first(room // _FLOAT_BYTES)
            if points is not None:
                losses.append(points)
                room -= len(points.values) * _FLOAT_BYTES
                complete_to[network] = points.end_iteration
        logs = []
        for network, log in self._logs.items():
            if log.lines and room > 0:
                lines, size = log.first(room)
                logs.append(LogLines(network, log.first_line, lines))
                room -= size
        nonconforming: list[Nonconforming] = []
        for sample in self._nonconforming:
            if room <= 0:
                break
            nonconforming.append(sample)
            room -= _nonconforming_bytes(sample)
        checkpoint = self._checkpoint
        if checkpoint is not None and not self._covers(checkpoint, complete_to):
            checkpoint = None
        return Report(
            phase=self._phase if self._phase is not self._sent_phase else None,
            progress=self._progress,
            stages=tuple(self._stages.values()),
            losses=tuple(losses),
            logs=tuple(logs),
            validations=tuple(self._validations),
            nonconforming=tuple(nonconforming),
            checkpoint=checkpoint,
        )

    def confirm(self, report: Report, positions: Iterable[Position]) -> None:
        """The scheduler has stored `report`; `positions` say where its curves and logs go on."""
        for position in positions:
            if position.network in self._curves:
                self._curves[position.network].confirm(position.next_iteration)
            if position.network in self._logs:
                self._logs[position.network].confirm(position.next_line)
        self._sent_phase = report.phase or self._sent_phase
        if self._progress is report.progress:
            self._progress = None
        for stage in report.stages:
            if self._stages.get(stage.name) is stage:
                del self._stages[stage.name]
        for _ in report.validations:
            self._validations.popleft()
        for _ in report.nonconforming:
            self._nonconforming.popleft()
        if self._checkpoint is report.checkpoint:
            self._checkpoint = None

    def _covers(self, checkpoint: Checkpoint, complete_to: dict[Network, int]) -> bool:
        """Whether every unconfirmed point before the checkpoint is in the report that is being made."""
        curve = self._curves.get(checkpoint.network)
        if curve is None or not curve.runs or curve.runs[0].first_iteration >= checkpoint.next_iteration:
            return True
        return complete_to.get(checkpoint.network, 0) >= min(checkpoint.next_iteration, curve.end or 0)


def _from(points: LossPoints, iteration: int) -> LossPoints:
    """The points without those before `iteration`."""
    if points.first_iteration >= iteration:
        return points
    values = points.values[iteration - points.first_iteration :]
    return LossPoints(points.network, iteration, values, points.step_time)


def _line_bytes(line: str) -> int:
    return len(line) + _OBJECT_BYTES


def _nonconforming_bytes(sample: Nonconforming) -> int:
    return len(sample.file) + len(sample.data_path) + len(sample.message) + 2 * _OBJECT_BYTES
