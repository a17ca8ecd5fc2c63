"""The words of leased work as plain values; `wire` has their way into the contracts."""

import enum
from array import array
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.message import Message
from loupe.errors import Aborted


class LeaseLost(Aborted):
    """The job was given away, or ended: what this worker still says of it changes nothing (T6)."""

    reason = "LEASE_LOST"


class JobKind(enum.StrEnum):
    """What a worker can be asked to do."""

    TRAIN = "train"
    EVALUATE = "evaluate"
    PREDICT = "predict"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What a worker says of itself when it asks for a job."""

    name: str
    compute_resource: str
    # What this worker has in all, for jobs that it does together.
    gpus: int
    cpus: int
    memory_bytes: int
    # Of the process: a later one takes the place of an earlier one of the same name.
    start_time: datetime
    # For operators: of this software and of torch, and what it computes with.
    version: str = ""
    torch_version: str = ""
    device: str = ""


class Network(enum.StrEnum):
    """Which of a model's networks a curve or a log belongs to."""

    CLASSIFICATION = "classification"
    SEGMENTATION = "segmentation"


class Phase(enum.StrEnum):
    """Where inside its task a job is."""

    PREPROCESSING = "preprocessing"
    TRAINING = "training"
    EVALUATING = "evaluating"
    PREDICTING = "predicting"
    PACKAGING = "packaging"


class StageName(enum.StrEnum):
    """The three stages of preprocessing (M1)."""

    RESOLUTION_FILTER = "resolution_filter"
    SPLIT = "split"
    AUGMENTATION = "augmentation"


class StageState(enum.StrEnum):
    """How far a stage is."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job. `work` is the contract's message: the craft that can do it reads it."""

    job: str
    task: str
    attempt: int
    fencing_token: int
    duration_s: float
    kind: JobKind
    work: Message = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of preprocessing, as it stands."""

    name: StageName
    state: StageState
    duration_s: float = 0.0
    sample_count: int = 0
    nonconforming_count: int = 0
    train_count: int = 0
    validation_count: int = 0
    contact_sheet_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the job is (M2)."""

    fraction: float
    overall_fraction: float
    iteration: int = 0
    max_iteration: int = 0
    images_per_s: float = 0.0
    learning_rate: float = 0.0
    remaining_s: float | None = None
    remaining_low_s: float | None = None
    remaining_high_s: float | None = None


@dataclass(frozen=True, slots=True)
class LossPoints:
    """Consecutive points of a curve; `values` is an array of float32."""

    network: Network
    first_iteration: int
    values: "array[float]"
    step_time: datetime

    @property
    def end_iteration(self) -> int:
        """The iteration after the last one here."""
        return self.first_iteration + len(self.values)


@dataclass(frozen=True, slots=True)
class LogLines:
    """Consecutive lines of a network's log."""

    network: Network
    first_line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Validation:
    """Accuracy on the validation split at one moment."""

    network: Network
    iteration: int
    accuracy: float


@dataclass(frozen=True, slots=True)
class Nonconforming:
    """A sample that was set aside: the resolution filter's, or D4's."""

    file: str
    data_path: str
    sha256: str
    reason: str
    message: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A stored object from which the job can go on at `next_iteration`."""

    sha256: str
    next_iteration: int
    network: Network


@dataclass(frozen=True, slots=True)
class Position:
    """Where the scheduler's copy of a network's curve and log goes on."""

    network: Network
    next_iteration: int
    next_line: int


@dataclass(frozen=True, slots=True)
class Report:
    """What one ReportJob carries; empty, it is a heartbeat."""

    phase: Phase | None = None
    progress: Progress | None = None
    stages: tuple[Stage, ...] = ()
    losses: tuple[LossPoints, ...] = ()
    logs: tuple[LogLines, ...] = ()
    validations: tuple[Validation, ...] = ()
    nonconforming: tuple[Nonconforming, ...] = ()
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """What the scheduler says to a report."""

    cancel_requested: bool
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class Trained:
    """Outcome of TRAIN: weights and split are stored."""

    weights_sha256: str
    split_sha256: str


@dataclass(frozen=True, slots=True)
class Reported:
    """Outcome of EVALUATE and PREDICT: the report is stored."""

    report: str


@dataclass(frozen=True, slots=True)
class Packaged:
    """Outcome of PACKAGE: the package is stored. The versions are 0 where the format has none."""

    sha256: str
    size_bytes: int
    abi_version: int
    format_version: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Outcome of a job that cannot go on. Retryable: an infrastructure fault, not the user's (T5)."""

    code: str
    message: str
    message_zh: str
    retryable: bool
    log_tail: str = ""


@dataclass(frozen=True, slots=True)
class Terminated:
    """Outcome of a job that was stopped as the user wished; its process is gone (T2)."""


Outcome = Trained | Reported | Packaged | Failed | Terminated
