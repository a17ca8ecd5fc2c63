"""Which reports and samples are wanted, and where in their order a page begins."""

import enum
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.evaluator.domain.report import DecidedBy, ReportKind, Verdict


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Keeps the reports that have all of what is set."""

    task: str = ""
    model_version: str = ""
    kind: ReportKind | None = None
    comparable_with: UUID | None = None
    """Only other reports that have a data path, and a code of the classifiers, in common with this one."""
    official: bool = False
    """Of each version only the newest prediction over data that it was surely not trained with (P2, P7)."""


@dataclass(frozen=True, slots=True)
class ReportKey:
    """A report's place in the listing, newest first."""

    create_time: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class SampleFilter:
    """Keeps the samples that have all of what is set."""

    true_code: str = ""
    predicted_code: str = ""
    verdict: Verdict | None = None
    decided_by: DecidedBy | None = None
    below_threshold: bool = False

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts that samples it keeps may have."""
        wanted = set(Verdict) if self.verdict is None else {self.verdict}
        if self.true_code and self.predicted_code:
            right = self.true_code == self.predicted_code
            wanted &= {Verdict.CORRECT if right else Verdict.MISJUDGED}
        elif self.predicted_code or self.below_threshold:
            wanted -= {Verdict.NONCONFORMING}
        return tuple(sorted(wanted))


class SampleOrder(enum.StrEnum):
    """In which order samples are listed; as AIP-132 writes it."""

    DESERVES_A_LOOK = ""
    """By verdict, then rank, then file."""
    CONFIDENCE = "confidence"
    CONFIDENCE_DESC = "confidence desc"
    FILE = "file"
    """By true code, then file."""


@dataclass(frozen=True, slots=True)
class SampleKey:
    """A sample's place among its report's, in any order."""

    verdict: Verdict
    rank: float
    true_code: str
    file: str
    ordinal: int

    @property
    def confidence(self) -> float:
        """Which is what it ranks by."""
        return abs(self.rank)
