"""A report: its origin, the counts that all its numbers follow from, and its samples."""

import enum
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from loupe.errors import Violation

from services.evaluator.domain.errors import ReportInvalid


class ReportKind(enum.IntEnum):
    """What the samples were. Stored by number."""

    VALIDATION = 1
    PREDICTION = 2


class Verdict(enum.IntEnum):
    """What became of a sample. Stored by number."""

    CORRECT = 1
    MISJUDGED = 2
    NONCONFORMING = 3


class DecidedBy(enum.IntEnum):
    """Which way decided (S3). Stored by number; UNDECIDED is a nonconforming sample's."""

    UNDECIDED = 0
    SOFTMAX = 1
    FEATURE_DISTANCE = 2
    REGION = 3


@dataclass(frozen=True, slots=True)
class CodeScore:
    """How much the model believed in a code."""

    code: str
    score: float


ANY_DEFECT = ""
"""What stands for a code where any defect is counted against the background."""


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """Pixels of a code: in both masks, in the true one, in the predicted one."""

    code: str
    intersection: int
    truth: int
    predicted: int


@dataclass(frozen=True, slots=True)
class SampleResult:
    """One sample and what became of it."""

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
    """Of ANY_DEFECT, then of the codes in either mask; empty where the truth is not known pixel by pixel."""
    perceptual_hash: bytes = b""
    """PERCEPTUAL_HASH_BYTES of them, or none where nobody looked at the picture."""

    @property
    def rank(self) -> float:
        """Where it stands among those of its verdict: what most deserves a look comes first (P4).

        The least confident of the correct, the most confident of the misjudged; nonconforming ones by file.
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
    """A sample of a report, by its number there."""

    report_id: UUID
    ordinal: int
    result: SampleResult

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"reports/{self.report_id}/sampleResults/{self.ordinal}"


@dataclass(frozen=True, slots=True)
class TrainingOverlap:
    """How much of a prediction's data its version was trained or validated with (P7)."""

    sample_count: int
    trained_sample_count: int
    trained_group_count: int
    affected_sample_count: int
    """Samples that were trained with, or whose group was; 0: the report may be official."""

    @property
    def is_possible(self) -> bool:
        """Whether the counts agree with each other."""
        counts = (0, self.trained_sample_count, self.affected_sample_count, self.sample_count)
        return list(counts) == sorted(counts) and self.trained_group_count >= 0


@dataclass(frozen=True, slots=True)
class ReportHeader:
    """What is known of a report before its samples."""

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
    """None: nobody looked, or it is no prediction."""

    def __post_init__(self) -> None:
        """Refuse a header that contradicts itself, all faults together."""
        faults = [
            Violation(field, "INVALID", message)
            for field, message, wrong in (
                ("header.job", "names no job", not self.job),
                ("header.fencing_token", "must be positive", self.fencing_token < 1),
                ("header.report.task", "names no task", not self.task),
                ("header.report.code_list", "must name at least one code, each once", self._codes_wrong),
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
            )
            if wrong
        ]
        if faults:
            raise ReportInvalid.of(*faults)

    @property
    def _codes_wrong(self) -> bool:
        return not self.code_list or len(set(self.code_list)) != len(self.code_list)


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything that a report's numbers follow from; codes in the order of its code_list."""

    confusion: tuple[int, ...]
    """Row-major, true code by predicted code."""
    nonconforming_by_code: tuple[int, ...]
    nonconforming_count: int
    """All of them, those of codes outside code_list too."""
    below_threshold_count: int
    pixels: tuple[PixelCounts, ...]
    """Of ANY_DEFECT, then of every code."""
    pixel_sample_count: int
    """Samples whose truth is known pixel by pixel."""


@dataclass(slots=True)
class Tally:
    """Counts samples one by one; memory grows with the codes, not with the samples."""

    code_list: tuple[str, ...]
    confidence_threshold: float
    _index: dict[str, int] = field(init=False)
    _confusion: list[int] = field(init=False)
    _nonconforming: list[int] = field(init=False)
    _nonconforming_count: int = 0
    _below_threshold: int = 0
    _pixels: dict[str, tuple[int, int, int]] = field(init=False)
    _pixel_sample_count: int = 0

    def __post_init__(self) -> None:
        """Start from nothing."""
        self._pixels = dict.fromkeys((ANY_DEFECT, *self.code_list), (0, 0, 0))
        self._index = {code: index for index, code in enumerate(self.code_list)}
        self._confusion = [0] * len(self.code_list) ** 2
        self._nonconforming = [0] * len(self.code_list)

    def add(self, result: SampleResult) -> None:
        """Count one; ReportInvalid if its verdict is not what its codes say."""
        true = self._index.get(result.true_code)
        if len(result.perceptual_hash) not in {0, PERCEPTUAL_HASH_BYTES}:
            raise _invalid(result, f"perceptual_hash must have {PERCEPTUAL_HASH_BYTES} bytes, or none")
        if result.verdict is Verdict.NONCONFORMING:
            if result.pixels:
                raise _invalid(result, "NONCONFORMING, but with pixels of a predicted mask")
            self._nonconforming_count += 1
            if true is not None:
                self._nonconforming[true] += 1
            return
        predicted = self._index.get(result.predicted_code)
        if true is None or predicted is None:
            code = result.true_code if true is None else result.predicted_code
            raise _invalid(result, f"code {code!r} is not in code_list")
        if (true == predicted) is not (result.verdict is Verdict.CORRECT):
            raise _invalid(
                result, f"{result.verdict.name} contradicts {result.true_code} → {result.predicted_code}"
            )
        if not 0.0 <= result.confidence <= 1.0:
            raise _invalid(result, f"confidence {result.confidence} is not in [0, 1]")
        self._confusion[true * len(self.code_list) + predicted] += 1
        self._below_threshold += result.confidence < self.confidence_threshold
        self._add_pixels(result)

    def _add_pixels(self, result: SampleResult) -> None:
        if not result.pixels:
            return
        counted = {pixels.code: pixels for pixels in result.pixels}
        if len(counted) != len(result.pixels) or ANY_DEFECT not in counted:
            raise _invalid(result, "pixels must name any defect (no code), and each code once")
        for code, pixels in counted.items():
            if code not in self._pixels:
                raise _invalid(result, f"code {code!r} of its pixels is not in code_list")
            if not 0 <= pixels.intersection <= min(pixels.truth, pixels.predicted):
                raise _invalid(
                    result,
                    f"{pixels.intersection} pixels of {code or 'any defect'} cannot be in both masks of "
                    f"{pixels.truth} and {pixels.predicted}",
                )
            both, truth, predicted = self._pixels[code]
            self._pixels[code] = (
                both + pixels.intersection,
                truth + pixels.truth,
                predicted + pixels.predicted,
            )
        self._pixel_sample_count += 1

    def counts(self) -> Counts:
        """What was counted."""
        return Counts(
            confusion=tuple(self._confusion),
            nonconforming_by_code=tuple(self._nonconforming),
            nonconforming_count=self._nonconforming_count,
            below_threshold_count=self._below_threshold,
            pixels=tuple(PixelCounts(code, *summed) for code, summed in self._pixels.items()),
            pixel_sample_count=self._pixel_sample_count,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report."""

    id: UUID
    header: ReportHeader
    create_time: datetime
    counts: Counts

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"reports/{self.id}"


def _invalid(result: SampleResult, fault: str) -> ReportInvalid:
    return ReportInvalid.of(Violation("batch.results", "INVALID", f"{result.file}: {fault}"))
