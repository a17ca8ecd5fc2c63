"""Marks of wrong labels as values (P6): standard library and loupe.errors only."""

import enum
import re
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from loupe.errors import FailedPrecondition, InvalidArgument, NotFound, Violation

MAX_NOTE = 1000
_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")


class MarkState(enum.IntEnum):
    """Stored by number."""

    OPEN = 1
    APPLIED = 2


class MarkNotFound(NotFound):
    """There is no such mark, or it was taken back."""

    reason = "RELABEL_MARK_NOT_FOUND"


class MarkApplied(FailedPrecondition):
    """The mark is part of a revision of its data path; only a new mark can undo it."""

    reason = "RELABEL_MARK_APPLIED"


class MarkInvalid(InvalidArgument):
    """What was said of a sample makes no mark."""

    reason = "RELABEL_MARK_INVALID"


@dataclass(frozen=True, slots=True)
class Mark:
    """A person's word that a sample's label is wrong."""

    id: UUID
    data_path: str
    file: str
    """`{code}/{file}`."""
    sha256: str
    right_code: str
    note: str
    report_id: UUID
    sample_ordinal: int
    creator: str
    create_time: datetime
    state: MarkState = MarkState.OPEN
    apply_time: datetime | None = None
    new_file: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        """Refuse what makes no mark, all faults together."""
        faults = []
        if not _CODE.fullmatch(self.right_code):
            faults.append(
                Violation(
                    "right_code",
                    "BAD_CODE",
                    f"{self.right_code!r} is not a defect code; use 1 to 32 letters, digits, '_' or '-'",
                    f"{self.right_code!r} 不是缺陷 code；须为 1 到 32 个字母、数字、'_'、'-'",
                )
            )
        elif self.right_code == self.wrong_code:
            faults.append(
                Violation(
                    "right_code",
                    "SAME_CODE",
                    f"{self.file} is labelled {self.right_code} already",
                    f"{self.file} 的标注已经是 {self.right_code}",
                )
            )
        if len(self.note) > MAX_NOTE or any(ord(c) < 32 and c not in "\n\t" for c in self.note):
            faults.append(
                Violation(
                    "note",
                    "INVALID",
                    f"must have at most {MAX_NOTE} characters, and no control characters",
                    f"最多 {MAX_NOTE} 个字符，且不含控制字符",
                )
            )
        if faults:
            raise MarkInvalid.of(*faults)

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"relabelMarks/{self.id}"

    @property
    def wrong_code(self) -> str:
        """What the sample is labelled."""
        return self.file.partition("/")[0]

    @property
    def sample_result(self) -> str:
        """Where it was marked."""
        return f"reports/{self.report_id}/sampleResults/{self.sample_ordinal}"

    def applied(self, new_file: str, message: str, now: datetime) -> "Mark":
        """The sample lies under its right code."""
        return replace(self, state=MarkState.APPLIED, apply_time=now, new_file=new_file, message=message)

    def refused(self, message: str) -> "Mark":
        """The registry could not; whoever looks may take the mark back or mend the path."""
        return replace(self, message=message)


@dataclass(frozen=True, slots=True)
class MarkFilter:
    """Keeps the marks that have all of what is set."""

    data_path: str = ""
    state: MarkState | None = None
    report_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class MarkKey:
    """A mark's place in the listing, newest first."""

    create_time: datetime
    id: UUID
