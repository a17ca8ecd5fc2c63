"""What a server takes of its callers: how much, from how many, and for how long (A5)."""

# ruff: noqa: ASYNC110, D101, D102 -- conditions are awaited with a deadline; a server of tests

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from loupe import errors
from loupe.rpc.channel import connect

from services.kit.auth import MAX_REQUEST_BYTES, Principal, Role
from services.kit.grpc_server import GrpcServer, Service
from services.kit.limits import Admissions, CallLimits
from tests.support.waiting import DEADLINE_S

from .echo_service import LARGE_BYTES, NAME, EchoServicer, EchoStub, Text, add_to_server, descriptor


class People:
    """A token is the name of a user, or of the services; `revoked` and `away` are the test's."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.away = False
        self.verified = 0

    async def verify(self, token: str) -> Principal:
        self.verified += 1
        if self.away:
            raise errors.Unavailable("the registry is away")
        if token in self.revoked:
            raise errors.Unauthenticated("the token was revoked", reason="TOKEN_REVOKED")
        return Principal(token, Role.SERVICE if token == "service" else Role.VIEWER)  # noqa: S105 -- a name


class Serving:
    def __init__(self, server: GrpcServer, servicer: EchoServicer, people: People) -> None:
        self.servicer = servicer
        self.people = people
        self.address = f"127.0.0.1:{server.port}"

    @contextlib.asynccontextmanager
    async def stub(self, user: str) -> AsyncIterator[EchoStub]:
        async with connect(self.address, lambda: user, retries=False) as channel:
            yield EchoStub(channel)


@contextlib.asynccontextmanager
async def serving(limits: CallLimits = CallLimits()) -> AsyncIterator[Serving]:  # noqa: B008 -- frozen
    servicer, people = EchoServicer(), People()
    server = GrpcServer(
        [Service(servicer, add_to_server, descriptor())],
        verifier=people,
        address="127.0.0.1:0",
        limits=limits,
    )
    await server.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield Serving(server, servicer, people)
    finally:
        servicer.release.set()
        await server.stop(0)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def test_an_rpc_takes_one_mebibyte_and_more_where_its_contract_says_so() -> None:
    async with serving() as served, served.stub("vera") as stub:
        with pytest.raises(errors.ResourceExhausted) as refused:
            await stub.Say(Text(value="x" * MAX_REQUEST_BYTES))
        assert refused.value.reason == "MESSAGE_TOO_LARGE"
        assert refused.value.facts["max_bytes"] == str(MAX_REQUEST_BYTES)
        fits = "x" * (LARGE_BYTES - 100)
        assert (await stub.Collect(iter([Text(value=fits)]))).value == fits
        with pytest.raises(errors.ResourceExhausted):
            await stub.Collect(iter([Text(value="x" * LARGE_BYTES)]))
        with pytest.raises(errors.ResourceExhausted):
            await stub.Collect(iter([Text(value="x" * (7 * 1024 * 1024))]))
        assert (await stub.Say(Text(value="hi"))).value == "hi to vera"


async def test_bytes_that_are_no_message_are_refused_by_name() -> None:
    """A client of other contracts is told so, not that the server has a bug."""
    async with serving() as served, connect(served.address, lambda: "vera") as channel:
        say: Any = channel.unary_unary(f"/{NAME}/Say")
        with pytest.raises(errors.InvalidArgument) as refused:
            await say(b"\xff\xff\xff")
        assert refused.value.reason == "MALFORMED_MESSAGE"


async def test_a_token_is_looked_at_before_the_message_arrives() -> None:
    """Else anybody fills the server's memory: this call is refused while its message is still to come."""
    async with serving() as served, grpc.aio.insecure_channel(served.address) as channel:
        served.people.revoked.add("stranger")
        say: Any = channel.stream_unary(f"/{NAME}/Say")
        call = say(metadata=(("authorization", "Bearer stranger"),))
        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_one_user_has_so_many_calls_and_leaves_room_for_others() -> None:
    limits = CallLimits(calls=3, calls_per_principal=2)
    async with serving(limits) as served, served.stub("vera") as vera, served.stub("emil") as emil:
        waiting = [asyncio.ensure_future(_say(vera)) for _ in range(2)]
        await _until(lambda: served.servicer.attempts == 2)
        with pytest.raises(errors.ResourceExhausted, match="2 calls") as refused:
            await vera.Who(Text())
        assert refused.value.reason == "TOO_MANY_CALLS"
        assert refused.value.facts["message_zh"]
        assert (await emil.Who(Text())).value == "emil"
        # Streams are counted apart, and the processes of the installation not at all.
        assert [answer.value async for answer in vera.Watch(Text(value="w"))]
        waiting.append(asyncio.ensure_future(_say(emil)))
        await _until(lambda: served.servicer.attempts == 3)
        async with served.stub("oleg") as oleg, served.stub("service") as worker:
            with pytest.raises(errors.ResourceExhausted):
                await oleg.Who(Text())
            assert (await worker.Who(Text())).value == "service"
        served.servicer.release.set()
        await asyncio.gather(*waiting)
        assert (await vera.Who(Text())).value == "vera"


async def _say(stub: EchoStub) -> Text:
    answer: Text = await stub.Say(Text(value="wait"))
    return answer


async def test_one_user_has_so_many_streams() -> None:
    async with serving(CallLimits(streams_per_principal=1)) as served, served.stub("vera") as vera:
        first = aiter(vera.Watch(Text(value="endless")))
        await anext(first)
        with pytest.raises(errors.ResourceExhausted) as refused:
            await anext(aiter(vera.Watch(Text())))
        assert refused.value.reason == "TOO_MANY_STREAMS"
        async with served.stub("emil") as emil:
            assert [answer.value async for answer in emil.Watch(Text(value="w"))]
        await first.aclose()
        await _until(lambda: served.servicer.closed_watches == 2)
        assert [answer.value async for answer in vera.Watch(Text(value="w"))]


async def test_a_refusal_says_when_to_come_again_in_googles_own_words() -> None:
    """Clients of other makes know RetryInfo, and nothing of our facts."""
    limits = CallLimits(streams_per_principal=1)
    async with serving(limits) as served, served.stub("vera") as vera:
        first = aiter(vera.Watch(Text(value="endless")))
        await anext(first)
        async with grpc.aio.insecure_channel(served.address) as channel:
            watch: Any = channel.unary_stream(f"/{NAME}/Watch")
            call = watch(b"", metadata=(("authorization", "Bearer vera"),))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call.read()
        status = rpc_status.from_call(refused.value)
        assert status is not None
        (retry,) = [d for d in status.details if d.Is(error_details_pb2.RetryInfo.DESCRIPTOR)]
        told = error_details_pb2.RetryInfo.FromString(retry.value)
        assert told.retry_delay == duration_pb2.Duration(seconds=2)


async def test_a_stream_ends_when_its_token_is_revoked() -> None:
    """Also for a watch that has nothing to say; before, it went on for as long as it was open."""
    async with serving(CallLimits(stream_check_s=0.01)) as served, served.stub("vera") as vera:
        answers = aiter(vera.Watch(Text(value="endless")))
        for _ in range(3):
            await anext(answers)
        served.people.revoked.add("vera")
        with pytest.raises(errors.Unauthenticated) as ended:
            await anext(answers)
        assert ended.value.reason == "TOKEN_REVOKED"
        await _until(lambda: served.servicer.closed_watches == 1)


async def test_a_stream_goes_on_while_its_token_cannot_be_verified() -> None:
    """A restart of the registry is a pause for new callers, and nothing for those who watch."""
    async with serving(CallLimits(stream_check_s=0.01)) as served, served.stub("vera") as vera:
        answers = aiter(vera.Watch(Text(value="endless")))
        for _ in range(3):
            await anext(answers)
        served.people.away = True
        looked = served.people.verified
        await _until(lambda: served.people.verified > looked + 2)
        assert served.servicer.closed_watches == 0
        served.people.away = False
        served.people.revoked.add("vera")
        with pytest.raises(errors.Unauthenticated):
            await anext(answers)


async def test_calls_without_a_token_are_counted_by_address() -> None:
    """Watching the health of a server needs no token, and must not take what callers with one need."""
    limits = CallLimits(unknown_calls=1, unknown_calls_per_address=1)
    async with serving(limits) as served, grpc.aio.insecure_channel(served.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watching = health.Watch(health_pb2.HealthCheckRequest())
        await watching.read()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await health.Check(health_pb2.HealthCheckRequest())
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        async with served.stub("vera") as vera:
            assert (await vera.Who(Text())).value == "vera"
        watching.cancel()


@pytest.mark.parametrize(
    ("peer", "claimed", "address"),
    [
        ("ipv4:10.0.0.1:5000", None, "10.0.0.1"),
        ("ipv4:10.0.0.1:5000", "10.9.9.9", "10.0.0.1"),
        ("ipv4:127.0.0.1:5000", "10.9.9.9", "10.9.9.9"),
        ("ipv4:192.168.7.7:5000", "10.9.9.9", "10.9.9.9"),
        ("ipv4:127.0.0.1:5000", "nonsense", "an unknown address"),
        ("ipv6:%5B2001:db8::1:2:3:4%5D:5000", None, "2001:db8::/64"),
        ("ipv6:%5B::ffff:10.0.0.1%5D:5000", None, "10.0.0.1"),
        ("unix:/run/loupe", None, "an unknown address"),
    ],
)
def test_only_a_trusted_gateway_says_where_a_caller_is(peer: str, claimed: str | None, address: str) -> None:
    """Anybody can send the header; a caller could have as many addresses as it likes."""
    admissions = Admissions(CallLimits(trusted_proxies=("127.0.0.1", "192.168.0.0/16")))
    assert admissions.address_of(peer, claimed) == address


@pytest.mark.parametrize(
    "settings", [{"calls": 0}, {"stream_check_s": -1.0}, {"trusted_proxies": ("gateway.fab",)}]
)
def test_limits_that_mean_nothing_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="LOUPE_"):
        CallLimits(**settings)  # type: ignore[arg-type]  # wrong on purpose
