"""Which reports and samples are wanted, and where in their order a page begins."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.evaluator.domain.report import ReportKind, Verdict


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Keeps the reports that have all of what is set."""

    task: str = ""
    model_version: str = ""
    kind: ReportKind | None = None


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


@dataclass(frozen=True, slots=True)
class SampleKey:
    """A sample's place among its report's: by verdict, then rank, then file."""

    verdict: Verdict
    rank: float
    file: str
    ordinal: int
