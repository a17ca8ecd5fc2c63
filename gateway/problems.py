"""Errors as problem details (RFC 9457): one JSON form for all errors, of the gateway and of the services.

::

    {"type": "/docs#problem-invalid-argument", "title": "Invalid argument", "status": 400,
     "detail": "name: must start with a letter", "code": "INVALID_ARGUMENT", "reason": "INVALID_ARGUMENT",
     "violations": [{"field": "task.training.model_name", "reason": "…", "message": "…", "messageZh": "…",
                     "severity": "error"}],
     "metadata": {}, "traceId": "4bf92f3577b34da6a3ce929d0e0e4736"}
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from loupe.errors import (
    DeadlineExceeded,
    InvalidArgument,
    LoupeError,
    NotFound,
    OutOfRange,
    Unimplemented,
)
from opentelemetry import trace
from starlette.responses import Response

from services.kit.etag import EtagMismatch

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One of the canonical codes, and its form in HTTP."""

    code: str
    http_status: int
    title: str

    @property
    def anchor(self) -> str:
        """Of its paragraph on the page `/docs`."""
        return "problem-" + self.code.lower().replace("_", "-")


# The mapping of google.rpc.Code, as google/rpc/code.proto documents it.
KINDS: Mapping[str, ProblemKind] = {
    code: ProblemKind(code, http_status, title)
    for code, http_status, title in (
        ("CANCELLED", 499, "Cancelled by the caller"),
        ("UNKNOWN", 500, "Unknown error"),
        ("INVALID_ARGUMENT", 400, "Invalid argument"),
        ("DEADLINE_EXCEEDED", 504, "No answer in time"),
        ("NOT_FOUND", 404, "Not found"),
        ("ALREADY_EXISTS", 409, "Already exists"),
        ("PERMISSION_DENIED", 403, "Permission denied"),
        ("RESOURCE_EXHAUSTED", 429, "Limit reached"),
        ("FAILED_PRECONDITION", 400, "Not in this state"),
        ("ABORTED", 409, "Changed by somebody else"),
        ("OUT_OF_RANGE", 400, "Out of range"),
        ("UNIMPLEMENTED", 501, "Not implemented"),
        ("INTERNAL", 500, "Internal error"),
        ("UNAVAILABLE", 503, "Unavailable"),
        ("DATA_LOSS", 500, "Data lost"),
        ("UNAUTHENTICATED", 401, "Not authenticated"),
    )
}


class UnknownRoute(NotFound):
    """No operation answers at this path."""

    reason = "UNKNOWN_ROUTE"


class MethodNotAllowed(Unimplemented):
    """The path exists, for other methods."""

    reason = "METHOD_NOT_ALLOWED"

    def __init__(self, message: str, allowed: tuple[str, ...]) -> None:
        super().__init__(message, allowed=", ".join(allowed))


class BodyTooLarge(OutOfRange):
    """The body of the request is longer than any operation takes."""

    reason = "BODY_TOO_LARGE"


class UriTooLong(OutOfRange):
    """Path and query together are longer than any operation needs."""

    reason = "URI_TOO_LONG"


class HeadTooLarge(OutOfRange):
    """Request line and headers together are longer than any request of ours."""

    reason = "HEAD_TOO_LARGE"


class MalformedRequest(InvalidArgument):
    """The received bytes are not an HTTP request."""

    reason = "MALFORMED_REQUEST"


class BodyTooLate(DeadlineExceeded):
    """The body of the request did not arrive in time."""

    reason = "BODY_TOO_LATE"


class UnsupportedMediaType(InvalidArgument):
    """The body is not JSON."""

    reason = "UNSUPPORTED_MEDIA_TYPE"


# Errors for which HTTP has a more precise status than the canonical code's.
_OWN_STATUS: Mapping[type[LoupeError], int] = {
    MethodNotAllowed: 405,
    BodyTooLate: 408,
    BodyTooLarge: 413,
    UriTooLong: 414,
    HeadTooLarge: 431,
    UnsupportedMediaType: 415,
    EtagMismatch: 412,
}


def http_status(error: LoupeError) -> int:
    """The status code of the response for this error."""
    return _OWN_STATUS.get(type(error), _kind(error).http_status)


def problem(error: LoupeError) -> dict[str, object]:
    """The JSON object of an error."""
    kind = _kind(error)
    violations = error.violations if isinstance(error, InvalidArgument) else ()
    span = trace.get_current_span().get_span_context()
    return {
        "type": f"/docs#{kind.anchor}",
        "title": kind.title,
        "status": http_status(error),
        "detail": error.message,
        "code": kind.code,
        "reason": error.reason,
        "violations": [
            {
                "field": violation.field,
                "reason": violation.reason,
                "message": violation.message,
                "messageZh": violation.message_zh,
                "severity": violation.severity,
            }
            for violation in violations
        ],
        "metadata": error.facts,
        "traceId": trace.format_trace_id(span.trace_id) if span.is_valid else "",
    }


def problem_response(error: LoupeError) -> Response:
    """The response for an error."""
    headers: dict[str, str] = {}
    status = http_status(error)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="loupe"'
    if status == 503:
        headers["Retry-After"] = "1"
    if "retry_after_s" in error.facts:
        headers["Retry-After"] = error.facts["retry_after_s"]
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = error.facts["allowed"]
    if isinstance(error, BodyTooLarge | BodyTooLate | MalformedRequest):
        # The rest of the body is not read, or ends nobody knows where: the connection cannot be used again.
        headers["Connection"] = "close"
    return Response(
        json.dumps(problem(error), ensure_ascii=False, separators=(",", ":")),
        status,
        headers,
        MEDIA_TYPE,
    )


def _kind(error: LoupeError) -> ProblemKind:
    return KINDS.get(error.status, KINDS["UNKNOWN"])
