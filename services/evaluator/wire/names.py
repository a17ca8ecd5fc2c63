"""Resource names of the evaluator, taken apart."""

import contextlib
from uuid import UUID

from services.evaluator.domain.errors import ReportNotFound, SampleResultNotFound
from services.evaluator.domain.relabelling import MarkNotFound

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


def mark_id(name: str) -> UUID:
    """The id in `relabelMarks/{mark}`."""
    collection, _, text = name.partition("/")
    if collection == "relabelMarks":
        with contextlib.suppress(ValueError):
            return UUID(text)
    raise MarkNotFound(f"there is no mark {name!r}; names are relabelMarks/{{mark}}", mark=name)
