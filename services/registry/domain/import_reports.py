"""What importers tell of their imports (D7)."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime

from loupe.errors import NotFound, Violation
from loupe.translation import sentence

from services.registry.domain.identifiers import id_faults, text_faults

KEPT_REPORTS = 20
"""Of a data path: the newest."""
MAX_LINES = 20_000
"""Of a report."""
MAX_LINES_A_CALL = 1000
_MAX_NAME_CHARACTERS = 4096
_MAX_REASON_CHARACTERS = 64


class LineKind(enum.StrEnum):
    """What a line says of its file."""

    REJECTED = "REJECTED"
    LEFT_OUT = "LEFT_OUT"
    PART_LEFT_OUT = "PART_LEFT_OUT"
    DOUBTFUL = "DOUBTFUL"
    DUPLICATE = "DUPLICATE"


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The counts of an import, and what they are of."""

    folder: str = ""
    format: str = ""
    group_column: str = ""
    found_count: int = 0
    used_count: int = 0
    sample_count: int = 0
    added_count: int = 0
    unchanged_count: int = 0
    replaced_count: int = 0
    rejected_count: int = 0
    mask_count: int = 0
    group_count: int = 0
    size_bytes: int = 0
    uploaded_bytes: int = 0
    bits: int = 0
    line_count: int = 0
    """Of the importer; those that are kept may be fewer."""


FACTS = tuple(one.name for one in fields(ReportFacts))


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A file that was not taken, or taken with doubt."""

    kind: LineKind | None
    """None: the importer did not say."""
    file: str
    reason: str
    message: str
    message_zh: str
    sample_file: str
    place: int = 0
    """Among the lines of its report."""


@dataclass(frozen=True, slots=True)
class LineCount:
    """How many lines there are of a kind and reason."""

    kind: LineKind
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """A report as it is kept."""

    dataset: str
    path: str
    id: str
    number: int
    """Grows from report to report."""
    creator: str
    create_time: datetime
    facts: ReportFacts
    line_counts: tuple[LineCount, ...] = field(default=())


class ImportReportNotFound(NotFound):
    """The path has no such report, or not any more."""

    reason = "IMPORT_REPORT_NOT_FOUND"


def report_faults(
    report: str, facts: ReportFacts, first_line: int, lines: Sequence[ReportLine]
) -> list[Violation]:
    """What is wrong with a part of a report."""
    faults = id_faults(report, "import_report_id")
    for name in FACTS:
        value = getattr(facts, name)
        at = f"import_report.{name}"
        if isinstance(value, str):
            faults += text_faults(value, at, _MAX_NAME_CHARACTERS)
        elif value < 0:
            faults.append(
                Violation(at, "NEGATIVE", sentence("{count} is no count; send 0 or more", count=value))
            )
    if first_line < 0 or first_line + len(lines) > MAX_LINES or len(lines) > MAX_LINES_A_CALL:
        faults.append(
            Violation(
                "lines",
                "TOO_MANY",
                sentence(
                    "{count} lines from line {first} on; send at most {limit} a call, and the first {most} "
                    "of a report",
                    count=len(lines),
                    first=first_line,
                    limit=MAX_LINES_A_CALL,
                    most=MAX_LINES,
                ),
            )
        )
        return faults
    for index, line in enumerate(lines):
        at = f"lines[{index}]"
        if line.kind is None:
            faults.append(Violation(f"{at}.kind", "REQUIRED", sentence("a line has a kind; name it")))
        faults += text_faults(line.file, f"{at}.file", _MAX_NAME_CHARACTERS)
        faults += text_faults(line.reason, f"{at}.reason", _MAX_REASON_CHARACTERS)
        faults += text_faults(line.message, f"{at}.message")
        faults += text_faults(line.message_zh, f"{at}.message_zh")
        faults += text_faults(line.sample_file, f"{at}.sample_file", _MAX_NAME_CHARACTERS)
    return faults
