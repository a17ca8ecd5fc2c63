"""Whatever a server raises is what the client catches."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st
from loupe import errors
from loupe.errors import InvalidArgument, LoupeError, Violation
from loupe.rpc.status import MAX_STATUS_BYTES, from_proto, from_rpc_error, to_proto, to_status
from loupe.translation import Sentence

CLASSES = [
    cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, LoupeError) and cls is not LoupeError
]
text = st.text(max_size=40)
violations = st.builds(
    Violation,
    field=text,
    reason=st.from_regex(r"[A-Z][A-Z_]{0,20}", fullmatch=True),
    sentence=st.builds(Sentence, text, text),
    severity=st.sampled_from(["error", "warning"]),
)


def call_error(error: LoupeError) -> grpc.aio.AioRpcError:
    status = to_status(error)
    return grpc.aio.AioRpcError(
        status.code,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(*status.trailing_metadata),
        details=status.details,
    )


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_comes_back_as_itself(cls: type[LoupeError]) -> None:
    """A client catches `NotFound`, whoever raised it."""
    error = cls("the thing, the fact, the remedy", reason="SOME_REASON", task="tasks/7")
    back = from_rpc_error(call_error(error))
    assert type(back) is cls
    assert (back.message, back.reason, back.facts) == (error.message, error.reason, error.facts)


@given(
    message=text,
    found=st.lists(violations, max_size=6),
    facts=st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,10}", fullmatch=True), text, max_size=3),
)
def test_faults_come_back_field_by_field(message: str, found: list[Violation], facts: dict[str, str]) -> None:
    """The console marks fields by path and shows both languages: nothing of that may be lost on the way."""
    facts.pop("violations", None)
    facts.pop("reason", None)
    back = from_proto(to_proto(InvalidArgument(message, violations=found, **facts)))
    assert isinstance(back, InvalidArgument)
    assert (back.message, back.violations, back.facts) == (message, tuple(found), facts)


def test_a_status_never_outgrows_what_clients_accept() -> None:
    """A client with default limits turns larger metadata into RESOURCE_EXHAUSTED and shows nothing at all."""
    found = [
        Violation(f"code_list[{i}]", "CODE_INVALID", Sentence("is no code " * 4, "不是代码" * 4))
        for i in range(500)
    ]
    proto = to_proto(InvalidArgument("x" * 5000, violations=found))
    assert proto.ByteSize() <= MAX_STATUS_BYTES
    back = from_proto(proto)
    assert isinstance(back, InvalidArgument)
    assert len(back.violations) + int(back.facts["violationsOmitted"]) == 500
    assert len(back.violations) > 10


def test_a_status_without_our_details_is_understood() -> None:
    """Proxies and gRPC itself answer too: a connection that breaks is UNAVAILABLE with no details."""
    bare = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), details="connection refused"
    )
    error = from_rpc_error(bare)
    assert isinstance(error, errors.Unavailable)
    assert error.transient
    assert error.message == "connection refused"


@pytest.mark.parametrize(
    ("code", "cls"),
    [(grpc.StatusCode.CANCELLED, errors.Unavailable), (grpc.StatusCode.DATA_LOSS, errors.Internal)],
)
def test_codes_without_a_class_keep_their_name_as_reason(
    code: grpc.StatusCode, cls: type[LoupeError]
) -> None:
    """Nothing that a peer says becomes a KeyError of ours."""
    error = from_proto(status_pb2.Status(code=code.value[0], message="m"))
    assert type(error) is cls
    assert error.reason == code.name


def test_the_details_are_the_standard_ones() -> None:
    """Clients in other languages read google.rpc details, not our classes."""
    proto = to_proto(InvalidArgument.of(Violation("a", "BAD", Sentence("is bad", "不好"))))
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert proto.details[0].Unpack(info)
    assert proto.details[1].Unpack(bad_request)
    assert (info.domain, info.reason) == ("loupe", "INVALID_ARGUMENT")
    (violation,) = bad_request.field_violations
    assert (violation.field, violation.reason, violation.description) == ("a", "BAD", "is bad")
    assert (violation.localized_message.locale, violation.localized_message.message) == ("zh-CN", "不好")
