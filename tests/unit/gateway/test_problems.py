"""Errors as problem details."""

import json

import grpc
import pytest
from loupe import errors
from loupe.errors import InvalidArgument, LoupeError, Violation
from loupe.translation import Sentence

from gateway.problems import (
    KINDS,
    BodyTooLarge,
    MethodNotAllowed,
    UnknownRoute,
    UnsupportedMediaType,
    problem_response,
)
from services.kit.etag import EtagMismatch

MAPPING = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "DATA_LOSS": 500,
    "UNKNOWN": 500,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


def test_every_code_has_the_status_that_google_rpc_documents() -> None:
    """Whoever knows one API of this kind knows this one."""
    assert {code: kind.http_status for code, kind in KINDS.items()} == MAPPING
    assert set(KINDS) == {code.name for code in grpc.StatusCode} - {"OK"}


@pytest.mark.parametrize(
    "cls",
    [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, LoupeError)],
)
def test_every_error_of_the_kit_has_a_problem(cls: type[LoupeError]) -> None:
    """A class that the gateway did not know of would be a 500 of its own."""
    response = problem_response(cls("it failed", reason="SOME_REASON", task="tasks/7"))
    told = json.loads(response.body)
    assert response.status_code == told["status"] == MAPPING[cls.status]
    assert response.media_type == "application/problem+json"
    assert (told["detail"], told["reason"], told["metadata"]) == (
        "it failed",
        "SOME_REASON",
        {"task": "tasks/7"},
    )
    assert set(told) == {
        "type", "title", "status", "detail", "code", "reason", "violations", "metadata", "traceId",
    }  # fmt: skip


def test_violations_are_told_in_both_languages_and_with_their_severity() -> None:
    """The console shows the reader's own."""
    error = InvalidArgument.of(
        Violation("a.b[0]", "TOO_SMALL", Sentence("too small", "太小")),
        Violation("c", "ODD", Sentence("odd", "奇怪"), severity="warning"),
    )
    assert json.loads(problem_response(error).body)["violations"] == [
        {
            "field": "a.b[0]",
            "reason": "TOO_SMALL",
            "message": "too small",
            "messageZh": "太小",
            "severity": "error",
        },
        {"field": "c", "reason": "ODD", "message": "odd", "messageZh": "奇怪", "severity": "warning"},
    ]


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (errors.Unauthenticated("no"), 401, {"www-authenticate": 'Bearer realm="loupe"'}),
        (errors.Unavailable("away"), 503, {"retry-after": "1"}),
        (UnknownRoute("nothing"), 404, {}),
        (MethodNotAllowed("no", ("GET", "HEAD")), 405, {"allow": "GET, HEAD"}),
        (BodyTooLarge("long"), 413, {"connection": "close"}),
        (UnsupportedMediaType("text"), 415, {}),
        (EtagMismatch("past"), 412, {}),
    ],
)
def test_what_http_says_in_headers_is_said(error: LoupeError, status: int, headers: dict[str, str]) -> None:
    """Clients and proxies act on these, not on the body."""
    response = problem_response(error)
    assert response.status_code == status
    assert headers.items() <= dict(response.headers).items()
