"""An evaluation report: its header, its counts, and its samples. `metrics.py` computes the figures."""

import enum
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loupe.errors import Violation
from loupe.translation import Sentence

from services.evaluator.domain.errors import ReportInvalid
from services.looks import TrainingLooks


class ReportKind(enum.IntEnum):
    """Which samples the report is over. Stored by number."""

    VALIDATION = 1
    """The validation side of a training's split."""
    PREDICTION = 2
    """A question bank."""


class Verdict(enum.IntEnum):
    """How a sample was judged. Stored by number."""

    CORRECT = 1
    MISJUDGED = 2
    NONCONFORMING = 3


class DecidedBy(enum.IntEnum):
    """What decided the predicted code (S3). Stored by number; nonconforming samples are UNDECIDED."""

    UNDECIDED = 0
    SOFTMAX = 1
    FEATURE_DISTANCE = 2
    REGION = 3


@dataclass(frozen=True, slots=True)
class CodeScore:
    """The confidence of the model in one code."""

    code: str
    score: float


ANY_DEFECT = ""
"""Stands in the place of a code where pixels of any defect are counted against the background."""


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """Pixels of a code: in both masks, in the true mask, in the predicted mask."""

    code: str
    intersection: int
    truth: int
    predicted: int

    @property
    def iou(self) -> float | None:
        """Intersection over union, in [0, 1]; None where neither mask has a pixel of the code."""
        union = self.truth + self.predicted - self.intersection
        return self.intersection / union if union else None


@dataclass(frozen=True, slots=True)
class SampleResult:
    """One sample with its prediction and its verdict."""

    file: str
    data_path: str
    sha256: str
    true_code: str
    verdict: Verdict
    predicted_code: str = ""
    confidence: float = 0.0
    top: tuple[CodeScore, ...] = ()
    decided_by: DecidedBy = DecidedBy.UNDECIDED
    reason: str = ""
    message: str = ""
    mask_sha256: str = ""
    predicted_mask_sha256: str = ""
    pixels: tuple[PixelCounts, ...] = ()
    """Of ANY_DEFECT, then of the codes in either mask; empty where the true mask is not known."""
    perceptual_hash: bytes = b""
    """PERCEPTUAL_HASH_BYTES long; empty where the picture was not decoded."""

    @property
    def rank(self) -> float:
        """The sort key among samples of one verdict: what a user should check first comes first (P4).

        Correct samples ascend by confidence, misjudged ones descend; nonconforming ones are equal.
        """
        match self.verdict:
            case Verdict.CORRECT:
                return self.confidence
            case Verdict.MISJUDGED:
                return -self.confidence
            case Verdict.NONCONFORMING:
                return 0.0


PERCEPTUAL_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class StoredSample:
    """A sample of a stored report."""

    report_id: UUID
    ordinal: int
    result: SampleResult

    @property
    def name(self) -> str:
        """The resource name."""
        return f"reports/{self.report_id}/sampleResults/{self.ordinal}"


@dataclass(frozen=True, slots=True)
class TrainingOverlap:
    """How much of a prediction's data its version was trained or validated with (P7)."""

    sample_count: int
    trained_sample_count: int
    trained_group_count: int
    affected_sample_count: int
    """Samples that were trained with or whose group was; a report is official only if this is 0."""

    @property
    def is_possible(self) -> bool:
        """Whether the counts do not contradict each other."""
        ascending = 0 <= self.trained_sample_count <= self.affected_sample_count <= self.sample_count
        return ascending and self.trained_group_count >= 0


_BANK_REVISION = re.compile(r"questionBanks/[^/]+/revisions/[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class ReportHeader:
    """What is known of a report before its samples arrive."""

    job: str
    fencing_token: int
    kind: ReportKind
    task: str
    model_version: str
    weights_sha256: str
    code_list: tuple[str, ...]
    num_of_classes: int
    confidence_threshold: float
    images_per_s: float = 0.0
    data_paths: tuple[str, ...] = ()
    training_overlap: TrainingOverlap | None = None
    """None: the overlap was not measured, or the report is not of a prediction."""
    question_bank: str = ""
    """The revision of a bank, `questionBanks/{bank}/revisions/{number}`; empty: plain data paths (P7)."""
    excluded_sample_count: int = 0
    """Samples left out because the version was trained with them or with their groups."""
    looks: TrainingLooks | None = None
    """Of which look at this validation split the weights are (E4)."""
    training_task: str = ""
    """`tasks/{task}` of a training that is judged before its release; empty: a version is (P8)."""

    def __post_init__(self) -> None:
        """Raise ReportInvalid with all contradictions at once."""
        faults = [
            Violation(name, "INVALID", Sentence(message, ""))
            for name, message, wrong in (
                ("header.job", "names no job", not self.job),
                ("header.fencing_token", "must be positive", self.fencing_token < 1),
                ("header.report.task", "names no task", not self.task),
                ("header.report.code_list", "must name at least one code, each once", self._has_bad_codes),
                (
                    "header.report.num_of_classes",
                    "must be between 1 and the number of codes",
                    not 1 <= self.num_of_classes <= len(self.code_list),
                ),
                (
                    "header.report.confidence_threshold",
                    "must be in [0, 1)",
                    not 0.0 <= self.confidence_threshold < 1.0,
                ),
                (
                    "header.report.training_overlap",
                    "must count no more samples trained with than affected, and no more of these than all",
                    self.training_overlap is not None and not self.training_overlap.is_possible,
                ),
                (
                    "header.report.question_bank",
                    "must be questionBanks/{bank}/revisions/{number}",
                    bool(self.question_bank) and not _BANK_REVISION.fullmatch(self.question_bank),
                ),
                (
                    "header.report.excluded_sample_count",
                    "must not be negative",
                    self.excluded_sample_count < 0,
                ),
            )
            if wrong
        ]
        if faults:
            raise ReportInvalid.of(*faults)

    @property
    def classes(self) -> tuple[str, ...]:
        """The codes of the classifier, without the special ones."""
        return self.code_list[: self.num_of_classes]

    @property
    def _has_bad_codes(self) -> bool:
        return not self.code_list or len(set(self.code_list)) != len(self.code_list)


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts that all figures of a report follow from; codes in the order of `code_list`."""

    confusion: tuple[int, ...]
    """Row-major, true code by predicted code."""
    nonconforming_by_code: tuple[int, ...]
    nonconforming_count: int
    """Of all codes, those outside code_list included."""
    below_threshold_count: int
    pixels: tuple[PixelCounts, ...]
    """Of ANY_DEFECT, then of every code."""
    pixel_sample_count: int
    """Samples whose true mask is known."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """A report without its samples."""

    id: UUID
    header: ReportHeader
    create_time: datetime
    counts: Counts

    @property
    def name(self) -> str:
        """The resource name."""
        return f"reports/{self.id}"
