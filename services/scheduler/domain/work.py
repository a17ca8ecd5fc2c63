"""Leases, heartbeats and outcomes: what a worker and the scheduler exchange about one job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.looks import TrainingLooks
from services.scheduler.domain.job import Checkpoint, Job, JobKind, Network
from services.scheduler.domain.loss import POINT_BYTES
from services.scheduler.domain.progress import Phase, Progress, Stage
from services.scheduler.domain.task import Failure, Task


@dataclass(frozen=True, slots=True)
class Lease:
    """A job that was granted, and the task it belongs to."""

    job: Job
    task: Task
    duration_s: float


@dataclass(frozen=True, slots=True)
class CurvePosition:
    """Where a network's curve and log continue; `step_time`: when the last point was computed."""

    next_iteration: int
    next_line: int
    step_time: datetime | None


@dataclass(frozen=True, slots=True)
class Points:
    """Consecutive loss values, packed as little-endian float32."""

    network: Network
    first_iteration: int
    packed: bytes
    step_time: datetime | None

    @property
    def end_iteration(self) -> int:
        """The iteration after the last."""
        return self.first_iteration + len(self.packed) // POINT_BYTES


@dataclass(frozen=True, slots=True)
class LogLines:
    """Consecutive lines of a network's log."""

    network: Network
    first_line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NonconformingSample:
    """A sample that was set aside (M1, D4)."""

    data_path: str
    file: str
    sha256: str
    reason: str
    message: str
    width: int
    height: int
    message_zh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """What a heartbeat reports; stored whole or not at all."""

    phase: Phase | None = None
    progress: Progress | None = None
    stages: tuple[Stage, ...] = ()
    points: tuple[Points, ...] = ()
    logs: tuple[LogLines, ...] = ()
    validations: tuple[tuple[Network, int, float], ...] = ()
    nonconforming: tuple[NonconformingSample, ...] = ()
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """The answer to a heartbeat."""

    lease_expire_time: datetime
    cancel_requested: bool
    positions: dict[Network, CurvePosition]
    # The worker is drained, and must give the job back.
    release_requested: bool = False


@dataclass(frozen=True, slots=True)
class Trained:
    """The weights are stored."""

    weights_sha256: str
    split_sha256: str
    # In images/s, of the networks that this lease trained for the greater part. For estimates only (W14).
    throughputs: Mapping[Network, float] = field(default_factory=dict, hash=False)
    # Absent from workers from before looks were kept.
    looks: TrainingLooks | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """The report is stored."""

    report: str


@dataclass(frozen=True, slots=True)
class Packaged:
    """The package is stored; the task has its version and format."""

    sha256: str
    size_bytes: int
    abi_version: int
    format_version: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The job cannot continue; `retryable` if the infrastructure is at fault."""

    failure: Failure
    retryable: bool


@dataclass(frozen=True, slots=True)
class Terminated:
    """The user ended the job, and its process is gone."""


Outcome = Trained | Reported | Packaged | Failed | Terminated

_FITTING: dict[JobKind, tuple[type, ...]] = {
    JobKind.TRAIN: (Trained, Failed, Terminated),
    JobKind.EVALUATE: (Reported, Failed, Terminated),
    JobKind.PREDICT: (Reported, Failed, Terminated),
    JobKind.PACKAGE: (Packaged, Failed, Terminated),
}


def fits(outcome: Outcome, kind: JobKind) -> bool:
    """Whether a job of this kind can have this outcome."""
    return isinstance(outcome, _FITTING[kind])
