"""Marks of wrong labels (P6)."""

import enum
import re
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from loupe.errors import FailedPrecondition, InvalidArgument, NotFound, Violation
from loupe.translation import sentence

MAX_NOTE = 1000
_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")


class MarkState(enum.IntEnum):
    """Whether the data path has the correction. Stored by number."""

    OPEN = 1
    APPLIED = 2


class MarkNotFound(NotFound):
    """There is no such mark, or it was deleted."""

    reason = "RELABEL_MARK_NOT_FOUND"


class MarkApplied(FailedPrecondition):
    """The mark was applied to its data path; only a new mark can undo it."""

    reason = "RELABEL_MARK_APPLIED"


class MarkInvalid(InvalidArgument):
    """A field of the mark is invalid."""

    reason = "RELABEL_MARK_INVALID"


@dataclass(frozen=True, slots=True)
class MarkOutcome:
    """What the registry did with one mark."""

    applied: bool
    new_file: str
    message: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A user's statement that the label of a sample is wrong."""

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
        """Raise MarkInvalid with all faults at once."""
        faults = []
        if not _CODE.fullmatch(self.right_code):
            faults.append(
                Violation(
                    "right_code",
                    "BAD_CODE",
                    sentence(
                        "{code!r} is not a defect code; use 1 to 32 letters, digits, '_' or '-'",
                        code=self.right_code,
                    ),
                )
            )
        elif self.right_code == self.wrong_code:
            faults.append(
                Violation(
                    "right_code",
                    "SAME_CODE",
                    sentence("{file} is labelled {code} already", file=self.file, code=self.right_code),
                )
            )
        if len(self.note) > MAX_NOTE or any(ord(c) < 32 and c not in "\n\t" for c in self.note):
            faults.append(
                Violation(
                    "note",
                    "INVALID",
                    sentence(
                        "must have at most {limit} characters, and no control characters",
                        limit=MAX_NOTE,
                    ),
                )
            )
        if faults:
            raise MarkInvalid.of(*faults)

    @property
    def name(self) -> str:
        """The resource name."""
        return f"relabelMarks/{self.id}"

    @property
    def wrong_code(self) -> str:
        """The code that the sample is labelled with."""
        return self.file.partition("/")[0]

    @property
    def sample_result(self) -> str:
        """The name of the sample that was marked."""
        return f"reports/{self.report_id}/sampleResults/{self.sample_ordinal}"

    def after(self, outcome: MarkOutcome, now: datetime) -> "Mark":
        """The mark with its outcome: APPLIED, or still OPEN with the reason of the refusal."""
        if not outcome.applied:
            return replace(self, message=outcome.message)
        return replace(
            self,
            state=MarkState.APPLIED,
            apply_time=now,
            new_file=outcome.new_file,
            message=outcome.message,
        )


@dataclass(frozen=True, slots=True)
class MarkFilter:
    """Keeps the marks that match all fields that are set."""

    data_path: str = ""
    state: MarkState | None = None
    report_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class MarkKey:
    """The key of a mark in the list, newest first."""

    create_time: datetime
    id: UUID
