"""Resource names of the evaluator, taken apart."""

import contextlib
import re
from uuid import UUID

from loupe.errors import Violation
from loupe.translation import sentence

from services.evaluator.domain.errors import FilterInvalid, ReportNotFound, SampleResultNotFound
from services.evaluator.domain.relabelling import MarkNotFound

_QUESTION_BANK = re.compile(r"questionBanks/[A-Za-z0-9][A-Za-z0-9._-]{0,62}(?:/revisions/[1-9][0-9]{0,8})?")
_MAX_ORDINAL = 2**31 - 1


def report_id(name: str) -> UUID:
    """The id in `reports/{report}`."""
    collection, _, text = name.partition("/")
    if collection == "reports":
        with contextlib.suppress(ValueError):
            return UUID(text)
    raise ReportNotFound(f"there is no report {name!r}; names are reports/{{report}}", report=name)


def sample_name(name: str) -> tuple[UUID, int]:
    """The report and the ordinal in `reports/{report}/sampleResults/{ordinal}`."""
    report, _, ordinal = name.partition("/sampleResults/")
    try:
        # isdecimal alone accepts digits of every script, and int() alone accepts signs and blanks.
        if ordinal.isascii() and ordinal.isdecimal() and int(ordinal) <= _MAX_ORDINAL:
            return report_id(report), int(ordinal)
    except ReportNotFound:
        pass
    raise SampleResultNotFound(
        f"there is no {name!r}; names are reports/{{report}}/sampleResults/{{result}}", sample=name
    )


def question_bank(name: str, field: str) -> str:
    """A question bank, or one of its revisions; FilterInvalid if it is neither."""
    if _QUESTION_BANK.fullmatch(name):
        return name
    raise FilterInvalid.of(
        Violation(
            field,
            "BAD_NAME",
            sentence(
                "{name} is not a name of the form {pattern}; send one",
                name=repr(name[:80]),
                pattern="questionBanks/{bank} or questionBanks/{bank}/revisions/{number}",
            ),
        )
    )


def mark_id(name: str) -> UUID:
    """The id in `relabelMarks/{mark}`."""
    collection, _, text = name.partition("/")
    if collection == "relabelMarks":
        with contextlib.suppress(ValueError):
            return UUID(text)
    raise MarkNotFound(f"there is no mark {name!r}; names are relabelMarks/{{mark}}", mark=name)
