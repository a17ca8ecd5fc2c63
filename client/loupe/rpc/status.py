"""Maps errors to gRPC statuses with google.rpc details, and back without loss.

An error travels as `ErrorInfo(reason, domain="loupe", metadata=facts)`; an InvalidArgument adds a
`BadRequest` with one `FieldViolation` per fault, and an error with the fact `retry_after_s` a `RetryInfo`.
Two facts have no field in those messages and are sent as reserved metadata: `violationWarnings`, the indices
of the violations that only warn, and `violationsOmitted`, how many did not fit.
"""

import contextlib
import math

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from loupe.errors import (
    Aborted,
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    LoupeError,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    Violation,
)
from loupe.translation import Sentence

DOMAIN = "loupe"
CHINESE = "zh-CN"

# By default a client accepts 8 KiB of metadata, and details are sent there as base64, a third larger.
MAX_STATUS_BYTES = 5500
_MAX_MESSAGE_CHARACTERS = 1000

_WARNINGS = "violationWarnings"
_OMITTED = "violationsOmitted"
_RETRY_AFTER = "retry_after_s"

_CLASSES: dict[str, type[LoupeError]] = {
    cls.status: cls
    for cls in (
        Aborted,
        AlreadyExists,
        DeadlineExceeded,
        FailedPrecondition,
        Internal,
        InvalidArgument,
        NotFound,
        OutOfRange,
        PermissionDenied,
        ResourceExhausted,
        Unauthenticated,
        Unavailable,
        Unimplemented,
    )
}
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def to_proto(error: LoupeError) -> status_pb2.Status:
    """The google.rpc.Status of an error, limited to the size that every client accepts."""
    message = error.message
    if len(message) > _MAX_MESSAGE_CHARACTERS:
        message = message[: _MAX_MESSAGE_CHARACTERS - 1] + "…"
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.facts)
    violations = error.violations if isinstance(error, InvalidArgument) else ()
    kept = len(violations)
    while True:
        status = _assemble(error, message, info, violations[:kept], omitted=len(violations) - kept)
        if status.ByteSize() <= MAX_STATUS_BYTES or kept == 0:
            return status
        kept = min(kept - 1, kept * MAX_STATUS_BYTES // status.ByteSize())


def to_status(error: LoupeError) -> grpc.Status:
    """The status for `context.abort_with_status`."""
    status: grpc.Status = rpc_status.to_status(to_proto(error))
    return status


def from_proto(status: status_pb2.Status) -> LoupeError:
    """The error of a status; the class follows from the code, the reason from the details."""
    info: error_details_pb2.ErrorInfo | None = None
    bad_request: error_details_pb2.BadRequest | None = None
    retry: error_details_pb2.RetryInfo | None = None
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo.FromString(detail.value)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad_request = error_details_pb2.BadRequest.FromString(detail.value)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo.FromString(detail.value)
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    cls = _CLASSES.get(code.name, Internal)
    if code is grpc.StatusCode.CANCELLED:
        # Our own cancellation is a CancelledError; this is a server that shuts down.
        cls = Unavailable
    reason = info.reason if info is not None and info.reason else None
    if reason is None and cls.status != code.name:
        reason = code.name
    facts = dict(info.metadata) if info is not None else {}
    if retry is not None:
        delay_s = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
        facts.setdefault(_RETRY_AFTER, str(math.ceil(delay_s)))
    warnings = {int(index) for index in facts.pop(_WARNINGS, "").split(",") if index}
    if cls is not InvalidArgument:
        return _build(cls, status.message, reason, facts)
    violations = tuple(
        Violation(
            field=v.field,
            reason=v.reason,
            sentence=Sentence(v.description, v.localized_message.message),
            severity="warning" if index in warnings else "error",
        )
        for index, v in enumerate(bad_request.field_violations if bad_request is not None else ())
    )
    error = InvalidArgument(status.message, violations=violations, reason=reason)
    error.facts = facts
    return error


def from_rpc_error(error: grpc.aio.AioRpcError) -> LoupeError:
    """The error of a failed call, also of servers that are not ours."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # the details contradict the code: a proxy changed one of them
        status = None
    if status is None:
        status = status_pb2.Status(code=error.code().value[0], message=error.details() or error.code().name)
    return from_proto(status)


def _build(cls: type[LoupeError], message: str, reason: str | None, facts: dict[str, str]) -> LoupeError:
    error = cls(message, reason=reason)
    # Not as arguments: the keys of a foreign server may not be Python names.
    error.facts = facts
    return error


def _assemble(
    error: LoupeError,
    message: str,
    info: error_details_pb2.ErrorInfo,
    violations: tuple[Violation, ...],
    *,
    omitted: int,
) -> status_pb2.Status:
    status = status_pb2.Status(code=grpc.StatusCode[error.status].value[0], message=message)
    error_info = error_details_pb2.ErrorInfo()
    error_info.CopyFrom(info)
    warnings = [str(index) for index, violation in enumerate(violations) if violation.severity == "warning"]
    if warnings:
        error_info.metadata[_WARNINGS] = ",".join(warnings)
    if omitted:
        error_info.metadata[_OMITTED] = str(omitted)
    details: list[
        error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo
    ] = [error_info]
    with contextlib.suppress(KeyError, ValueError):
        delay = duration_pb2.Duration(seconds=int(error.facts[_RETRY_AFTER]))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if violations:
        details.append(
            error_details_pb2.BadRequest(field_violations=[_field_violation(v) for v in violations]),
        )
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _field_violation(violation: Violation) -> error_details_pb2.BadRequest.FieldViolation:
    message = error_details_pb2.BadRequest.FieldViolation(
        field=violation.field,
        reason=violation.reason,
        description=violation.message,
    )
    if violation.message_zh:
        message.localized_message.locale = CHINESE
        message.localized_message.message = violation.message_zh
    return message
