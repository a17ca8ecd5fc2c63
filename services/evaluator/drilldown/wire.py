"""Samples and suspects between their values and `loupe.evaluator.v1`."""

from uuid import UUID

from loupe.errors import Violation
from loupe.evaluator.v1 import sample_result_service_pb2 as rpc

from services.evaluator import wire
from services.evaluator.domain.errors import FilterInvalid, ReportNotFound, SampleResultNotFound
from services.evaluator.domain.suspicion import SuspectedLabel, SuspectFilter, Suspicion

_MAX_ORDINAL = 2**31 - 1


def sample_name(name: str) -> tuple[UUID, int]:
    """Report and ordinal of `reports/{report}/sampleResults/{ordinal}`."""
    report, _, ordinal = name.partition("/sampleResults/")
    try:
        # isdecimal would take digits of any script, and int() signs and blanks.
        if ordinal.isascii() and ordinal.isdecimal() and int(ordinal) <= _MAX_ORDINAL:
            return wire.report_id(report), int(ordinal)
    except ReportNotFound:
        pass
    raise SampleResultNotFound(
        f"there is no {name!r}; names are reports/{{report}}/sampleResults/{{result}}", sample=name
    )


def suspect_filter(request: rpc.ListSuspectedLabelsRequest) -> SuspectFilter:
    """Which suspects a listing keeps."""
    try:
        suspicion = Suspicion(request.suspicion) if request.suspicion else None
    except ValueError as error:
        raise FilterInvalid.of(
            Violation("suspicion", "INVALID", f"{error}; take one of the contract's")
        ) from error
    return SuspectFilter(request.true_code, suspicion)


def suspect(value: SuspectedLabel) -> rpc.SuspectedLabel:
    """One suspect."""
    message, message_zh = value.told
    return rpc.SuspectedLabel(
        sample=wire.stored_sample(value.sample),
        suspicion=rpc.Suspicion.ValueType(value.suspicion),
        suggested_code=value.suggested_code,
        score=value.score,
        usual_confidence=value.usual_confidence,
        twin=None if value.twin is None else wire.stored_sample(value.twin),
        distance=value.distance,
        message=message,
        message_zh=message_zh,
    )
