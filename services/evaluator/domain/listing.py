"""Filters, orders and keys of the lists of reports and samples."""

import enum
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.evaluator.domain.report import DecidedBy, ReportKind, Verdict


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Keeps the reports that match all fields that are set."""

    task: str = ""
    model_version: str = ""
    kind: ReportKind | None = None
    comparable_with: UUID | None = None
    """Only other reports that have a data path, and a code of the classifiers, in common with this one."""
    official: bool = False
    """Of each version only the newest prediction over data that it was not trained with (P2, P7)."""
    question_bank: str = ""
    """A revision of a bank, or a bank, any of whose revisions is meant."""


@dataclass(frozen=True, slots=True)
class ReportKey:
    """The key of a report in the list, newest first."""

    create_time: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class SampleFilter:
    """Keeps the samples that match all fields that are set."""

    true_code: str = ""
    predicted_code: str = ""
    verdict: Verdict | None = None
    decided_by: DecidedBy | None = None
    below_threshold: bool = False

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts that are possible among the samples that the filter keeps."""
        possible = set(Verdict) if self.verdict is None else {self.verdict}
        if self.true_code and self.predicted_code:
            correct = self.true_code == self.predicted_code
            possible &= {Verdict.CORRECT if correct else Verdict.MISJUDGED}
        elif self.predicted_code or self.below_threshold:
            possible -= {Verdict.NONCONFORMING}
        return tuple(sorted(possible))


class SampleOrder(enum.StrEnum):
    """The order of a list of samples, in the syntax of AIP-132."""

    REVIEW = ""
    """By verdict, then rank, then file: what a user should check first comes first."""
    CONFIDENCE = "confidence"
    CONFIDENCE_DESC = "confidence desc"
    FILE = "file"
    """By true code, then file."""


@dataclass(frozen=True, slots=True)
class SampleKey:
    """The key of a sample in a list, whatever its order."""

    verdict: Verdict
    rank: float
    true_code: str
    file: str
    ordinal: int

    @property
    def confidence(self) -> float:
        """The confidence; `SampleResult.rank` is it or its negative."""
        return abs(self.rank)
