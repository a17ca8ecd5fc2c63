"""Server and client of the kit against each other, over a real connection."""

# ruff: noqa: ASYNC110, PT012, PERF401, D101, D102, S107 -- conditions are awaited with a deadline; tokens are names of roles

import ast
import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from grpc._cython import cygrpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from loupe import errors
from loupe.errors import LoupeError
from loupe.rpc import options as grpc_options
from loupe.rpc.channel import connect
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from client.update_translations import product_modules
from deploy.embedded.readiness import serves_grpc
from services.kit.auth import Principal, Role
from services.kit.grpc_server import GrpcServer, ServedCall, Service
from services.kit.limits import CallLimits
from tests.support.http2 import http2
from tests.support.repository import files
from tests.support.waiting import DEADLINE_S, eventually

from .echo_service import NAME, EchoServicer, EchoStub, Text, add_to_server, descriptor

ROLES = {
    "viewer": Role.VIEWER,
    "engineer": Role.ENGINEER,
    "releaser": Role.RELEASER,
    "admin": Role.ADMIN,
    "worker": Role.WORKER,
    "service": Role.SERVICE,
}


class Tokens:
    """Each token is the name of its role."""

    async def verify(self, token: str) -> Principal:
        if token not in ROLES:
            raise errors.Unauthenticated("unknown token", reason="TOKEN_UNKNOWN")
        return Principal(token, ROLES[token])


class Served:
    def __init__(self, server: GrpcServer, servicer: EchoServicer, host: str = "127.0.0.1") -> None:
        self.server = server
        self.servicer = servicer
        self.address = f"{host}:{server.port}"

    def stub(
        self, token: str | None = "admin", **options: object
    ) -> contextlib.AbstractAsyncContextManager[EchoStub]:
        @contextlib.asynccontextmanager
        async def opened() -> AsyncIterator[EchoStub]:
            async with connect(self.address, lambda: token, **options) as channel:
                yield EchoStub(channel)

        return opened()


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    servicer = EchoServicer()
    server = GrpcServer(
        [Service(servicer, add_to_server, descriptor())], verifier=Tokens(), address="127.0.0.1:0"
    )
    await server.start()
    yield Served(server, servicer)
    await server.stop(0)


def words(*values: str) -> list[Text]:
    return [Text(value=value) for value in values]


async def test_all_four_kinds_carry_the_caller(served: Served) -> None:
    async with served.stub("viewer") as stub:
        assert (await stub.Say(Text(value="hi"))).value == "hi to viewer"
        watched = [answer.value async for answer in stub.Watch(Text(value="w"))]
        assert watched == ["w0 viewer", "w1 viewer", "w2 viewer"]
        assert (await stub.Collect(iter(words("a", "b")))).value == "a b"
        assert [answer.value async for answer in stub.Chat(iter(words("a", "b")))] == ["A", "B"]


async def test_a_chat_by_read_and_write(served: Served) -> None:
    async with served.stub() as stub:
        call = stub.Chat()
        await call.write(Text(value="a"))
        assert (await call.read()).value == "A"
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF


@pytest.mark.parametrize("token", [None, "nobody"])
async def test_nobody_unknown_is_served(served: Served, token: str | None) -> None:
    """A1: no call without a valid token, whatever its kind."""
    async with served.stub(token) as stub:
        with pytest.raises(errors.Unauthenticated):
            await stub.Who(Text())
        with pytest.raises(errors.Unauthenticated):
            await stub.Collect(iter(words("a")))
        for call in (stub.Watch(Text()), stub.Chat(iter(words("a")))):
            with pytest.raises(errors.Unauthenticated):
                await anext(aiter(call))
    assert served.servicer.attempts == 0


@pytest.mark.parametrize(
    ("method", "admitted"),
    [
        ("Who", {"viewer", "engineer", "releaser", "admin", "service"}),
        ("Release", {"releaser", "admin"}),
        ("Lease", {"service"}),
    ],
)
async def test_the_role_in_the_contract_decides(served: Served, method: str, admitted: set[str]) -> None:
    """A2."""
    passed = set()
    for token in ROLES:
        async with served.stub(token) as stub:
            with contextlib.suppress(errors.PermissionDenied):
                passed.add((await getattr(stub, method)(Text())).value)
    assert passed == admitted


async def test_a_token_given_with_the_call_goes_before_the_channels(served: Served) -> None:
    """A gateway has its own channel and its callers' tokens."""
    async with served.stub("service") as stub:
        answer = await stub.Who(Text(), metadata=(("authorization", "Bearer viewer"),))
    assert answer.value == "viewer"


async def test_what_the_server_raises_is_what_the_client_catches(served: Served) -> None:
    async with served.stub() as stub:
        with pytest.raises(errors.NotFound) as missing:
            await stub.Say(Text(value="missing"))
        assert missing.value.facts == {"thing": "echo/1"}
        with pytest.raises(errors.InvalidArgument) as faulty:
            await stub.Say(Text(value="faulty"))
        assert faulty.value.violations[0].message_zh == "太长"
        with pytest.raises(errors.NotFound):
            await stub.Collect(iter(words("missing")))
        with pytest.raises(errors.NotFound):
            [_ async for _ in stub.Chat(iter(words("missing")))]


async def test_a_stream_that_fails_gives_what_came_before(served: Served) -> None:
    async with served.stub() as stub:
        seen = []
        with pytest.raises(errors.Aborted) as caught:
            async for answer in stub.Watch(Text(value="lost")):
                seen.append(answer.value)
    assert len(seen) == 3
    assert caught.value.reason == "LEASE_LOST"


async def test_an_error_that_cannot_be_written_goes_out_as_an_incident(served: Served) -> None:
    """Else gRPC itself tells the caller Python's own words."""
    async with served.stub() as stub:
        with pytest.raises(errors.Internal) as caught:
            await stub.Say(Text(value="surrogate"))
    assert caught.value.facts["incident"] in caught.value.message


async def test_a_bug_goes_out_as_an_incident_and_is_logged_once(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """What was inside may be a secret; the operator finds it under the id that the user was told."""
    async with served.stub() as stub:
        with pytest.raises(errors.Internal) as caught:
            await stub.Say(Text(value="bug"))
    incident = caught.value.facts["incident"]
    assert incident in caught.value.message
    assert "1234" not in caught.value.message
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert incident in record.__dict__["detail"]


async def test_every_call_is_logged_once_with_caller_code_and_time(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="services.kit.grpc_server"):
        async with served.stub("viewer") as stub:
            await stub.Say(Text(value="hi"))
            with pytest.raises(errors.PermissionDenied):
                await stub.Release(Text())
    told = [
        (r.__dict__["method"], r.__dict__["code"], r.__dict__["principal"])
        for r in caplog.records
        if r.message == "call"
    ]
    assert told == [(f"/{NAME}/Say", "OK", "viewer"), (f"/{NAME}/Release", "PERMISSION_DENIED", "viewer")]


async def test_what_was_done_is_observed_although_the_caller_gives_up() -> None:
    """A3: who cancels in the moment between the change and its line in the audit log hid the change."""
    began, goes_on, observed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    codes: list[str] = []

    async def observe(call: ServedCall) -> None:
        began.set()
        await goes_on.wait()
        codes.append(call.code)
        observed.set()

    service = Service(servicer := EchoServicer(), add_to_server, descriptor())
    async with (
        asyncio.timeout(DEADLINE_S),
        GrpcServer([service], verifier=Tokens(), address="127.0.0.1:0", observer=observe) as server,
        connect(f"127.0.0.1:{server.port}", lambda: "admin") as channel,
    ):
        call = asyncio.ensure_future(EchoStub(channel).Say(Text(value="hi")))
        await began.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        # The server sees the cancellation before another call on the same connection.
        again = asyncio.ensure_future(EchoStub(channel).Say(Text(value="again")))
        await eventually(lambda: servicer.attempts == 2)
        goes_on.set()
        await again
        await observed.wait()
    assert codes == ["OK", "OK"]


async def test_calls_between_the_processes_are_logged_only_when_they_fail(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """A training reports several times a second: a line each would be most of the log, and say nothing."""
    with caplog.at_level(logging.DEBUG, logger="services.kit.grpc_server"):
        async with served.stub("service") as stub:
            await stub.Lease(Text())
            await stub.Who(Text())
            with pytest.raises(errors.NotFound):
                await stub.Lease(Text(value="missing"))
        async with served.stub("admin") as stub:
            with pytest.raises(errors.PermissionDenied):
                await stub.Lease(Text())
    told = [
        (r.levelname, r.__dict__["method"], r.__dict__["code"]) for r in caplog.records if r.message == "call"
    ]
    assert told == [
        ("DEBUG", f"/{NAME}/Lease", "OK"),
        ("INFO", f"/{NAME}/Who", "OK"),
        ("INFO", f"/{NAME}/Lease", "NOT_FOUND"),
        ("INFO", f"/{NAME}/Lease", "PERMISSION_DENIED"),
    ]


async def test_a_call_without_a_deadline_gets_one(served: Served) -> None:
    """A server that hangs must not hang its callers."""
    async with served.stub(deadline_s=0.2) as stub:
        with pytest.raises(errors.DeadlineExceeded):
            await stub.Say(Text(value="slow"))
        with pytest.raises(errors.DeadlineExceeded):
            await stub.Say(Text(value="slow"), timeout=0.1)


async def test_leaving_a_stream_early_ends_it_on_the_server(served: Served) -> None:
    """A viewer that closes its page must not leave a watch behind."""
    async with served.stub() as stub:
        answers = aiter(stub.Watch(Text(value="endless")))
        await anext(answers)
        await answers.aclose()
        async with asyncio.timeout(DEADLINE_S):
            while served.servicer.closed_watches == 0:
                await asyncio.sleep(0.01)


async def test_a_server_that_stops_lets_calls_end_and_sends_watchers_on(served: Served) -> None:
    """A rolling update loses no call; watchers come back with their cursor at once, not after the grace."""
    async with served.stub(retries=False) as stub:
        answers = aiter(stub.Watch(Text(value="endless")))
        await anext(answers)
        waiting = asyncio.ensure_future(_say(stub))
        while served.servicer.attempts == 0:
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(served.server.stop(DEADLINE_S))
        with pytest.raises(errors.Unavailable) as caught:
            while True:
                await anext(answers)
        assert caught.value.reason == "SERVER_DRAINING"
        assert not stopping.done()
        served.servicer.release.set()
        assert (await waiting).value == "wait to admin"
        async with asyncio.timeout(DEADLINE_S):
            await stopping


async def _say(stub: EchoStub) -> Text:
    answer: Text = await stub.Say(Text(value="wait"))
    return answer


@pytest.mark.parametrize(
    "variable",
    ["http_proxy", "https_proxy", "grpc_proxy", "all_proxy"],
)
async def test_no_call_goes_through_the_environments_proxy(
    served: Served, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """It is there for pip, and does not reach servers inside; nor must it see their tokens."""
    for name in (variable, variable.upper()):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with served.stub(retries=False) as stub:
        assert (await stub.Who(Text())).value == "admin"
    assert await serves_grpc("127.0.0.1", served.server.port)


def test_grpc_knows_every_option_that_is_set() -> None:
    """GRPC ignores a name that it does not know: the option looks set, and is not."""
    tests = ((path.name, path.read_text(encoding="utf-8")) for path in files("tests/*.py"))
    written = {
        node.value: path
        for path, source in (*product_modules(), *tests)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"grpc\.[a-z0-9_.]+", node.value)
    }
    assert "grpc.keepalive_time_ms" in written
    library = Path(cygrpc.__file__).read_bytes()
    assert {name: path for name, path in written.items() if name.encode() + b"\0" not in library} == {}


@pytest.mark.parametrize("has_call", [True, False], ids=["a quiet call", "no call"])
async def test_pings_at_the_permitted_pace_never_end_a_connection(
    monkeypatch: pytest.MonkeyPatch, *, has_call: bool
) -> None:
    """A watch of a task that waits for hours says nothing; the pings that keep it must not end it."""
    # gRPC has no clock to turn: with a permitted interval of nothing, every ping is at the permitted pace.
    monkeypatch.setattr(grpc_options, "MIN_PING_INTERVAL_MS", 0)
    servicer = EchoServicer()
    server = GrpcServer(
        [Service(servicer, add_to_server, descriptor())], verifier=Tokens(), address="127.0.0.1:0"
    )
    async with server, http2(server.port) as connection, asyncio.timeout(20):
        if has_call:
            asked = Text(value="endless").SerializeToString()
            connection.call(f"/{NAME}/Watch", asked, {"authorization": "Bearer viewer"})
            # What the server sends forgives the pings before it.
            while b"endless2" not in connection.data:
                await connection.frame()
        for _ in range(50):
            await connection.ping()
        assert servicer.closed_watches == 0


def test_our_own_pings_keep_to_the_permitted_pace() -> None:
    """A ping may come early after one that was late, and three early ones end the connection."""
    channel, server = dict(grpc_options.channel_options()), dict(grpc_options.server_options())
    permitted_ms = server["grpc.http2.min_ping_interval_without_data_ms"]
    assert channel["grpc.keepalive_time_ms"] >= 2 * permitted_ms
    # The least that gRPC for Go lets a client ask for.
    assert 2 * permitted_ms <= 10_000


async def test_a_call_survives_a_restart_of_the_server() -> None:
    """UNAVAILABLE is retried within the deadline: a service that restarts is a pause, not an error."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def server() -> GrpcServer:
        return GrpcServer(
            [Service(EchoServicer(), add_to_server, descriptor())],
            verifier=Tokens(),
            address=f"127.0.0.1:{port}",
        )

    async with connect(f"127.0.0.1:{port}", lambda: "admin") as channel:
        stub = EchoStub(channel)
        first = server()
        await first.start()
        await stub.Who(Text())
        await first.stop(0)
        calling = asyncio.ensure_future(_who(stub))
        await asyncio.sleep(0.3)
        async with server():
            assert await calling == "admin"


async def _two_replicas(stack: contextlib.AsyncExitStack) -> tuple[list[Served], str]:
    replicas = []
    for host in ("127.0.0.1", "127.0.0.2"):
        servicer = EchoServicer()
        server = GrpcServer(
            [Service(servicer, add_to_server, descriptor())], verifier=Tokens(), address=f"{host}:0"
        )
        await stack.enter_async_context(server)
        replicas.append(Served(server, servicer, host))
    return replicas, ",".join(replica.address for replica in replicas)


async def test_a_call_that_a_server_cancels_is_made_again(served: Served) -> None:
    """A server that ends cancels calls for which it has no more patience: nobody has asked for that."""
    async with connect(served.address, lambda: "admin") as channel:
        assert (await EchoStub(channel).Say(Text(value="dropped once"))).value == "dropped once to admin"
    assert served.servicer.attempts == 2


async def test_calls_go_to_all_replicas() -> None:
    """A second replica takes its share; the calls of one that is gone go to the other, and come back."""
    async with contextlib.AsyncExitStack() as stack:
        replicas, addresses = await _two_replicas(stack)
        first, second = replicas
        stub = EchoStub(await stack.enter_async_context(connect(addresses, lambda: "viewer")))
        while not (first.servicer.attempts and second.servicer.attempts):
            await stub.Say(Text(value="connecting"))
        for replica in replicas:
            replica.servicer.attempts = 0
        for _ in range(50):
            await stub.Say(Text(value="hi"))
        assert min(replica.servicer.attempts for replica in replicas) >= 15
        await first.server.stop(0)
        for _ in range(5):
            assert (await stub.Say(Text(value="hi"))).value == "hi to viewer"
        back = EchoServicer()
        server = GrpcServer(
            [Service(back, add_to_server, descriptor())], verifier=Tokens(), address=first.address
        )
        async with server, asyncio.timeout(DEADLINE_S):
            while not back.attempts:
                await stub.Say(Text(value="hi"))


@pytest.mark.parametrize(
    ("address", "credentials"),
    [
        ("127.0.0.1:1,registry:1", None),
        ("127.0.0.1:1,[::1]:1", None),
        ("127.0.0.1,127.0.0.2", None),
        (",", None),
        ("127.0.0.1:1,127.0.0.2:1", grpc.ssl_channel_credentials()),
    ],
)
async def test_a_list_of_servers_that_grpc_cannot_call_is_refused(
    address: str, credentials: grpc.ChannelCredentials | None
) -> None:
    with pytest.raises(errors.FailedPrecondition, match="give one DNS name") as refused:
        connect(address, credentials=credentials)
    assert refused.value.reason == "ADDRESS_UNUSABLE"


async def test_a_connection_ends_at_its_age_and_no_call_with_it() -> None:
    """Clients connect anew, and so find replicas that were added; a call in progress ends in peace."""
    servicer = EchoServicer()
    limits = CallLimits(connection_age_s=0.2)
    server = GrpcServer(
        [Service(servicer, add_to_server, descriptor())],
        verifier=Tokens(),
        address="127.0.0.1:0",
        limits=limits,
    )
    async with server, connect(f"127.0.0.1:{server.port}", lambda: "viewer", retries=False) as channel:
        stub = EchoStub(channel)
        waiting = asyncio.ensure_future(_say(stub))
        async with asyncio.timeout(DEADLINE_S):
            while len(servicer.peers) < 3:
                assert (await stub.Say(Text(value="hi"))).value == "hi to viewer"
        servicer.release.set()
        assert (await waiting).value == "wait to viewer"


async def _who(stub: EchoStub) -> str:
    return str((await stub.Who(Text())).value)


async def test_two_servers_do_not_share_a_port(served: Served) -> None:
    """With SO_REUSEPORT a forgotten old server would silently answer half of the calls."""
    other = GrpcServer(
        [Service(EchoServicer(), add_to_server, descriptor())], verifier=Tokens(), address=served.address
    )
    with pytest.raises(RuntimeError):
        await other.start()


async def test_health_and_reflection_need_no_token(served: Served) -> None:
    async with grpc.aio.insecure_channel(served.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", NAME):
            checked = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert checked.status == health_pb2.HealthCheckResponse.SERVING
        watching = health.Watch(health_pb2.HealthCheckRequest(service=NAME))
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
        asking = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        answer = await anext(aiter(asking))
        assert NAME in {service.name for service in answer.list_services_response.service}
        stopping = asyncio.create_task(served.server.stop(DEADLINE_S))
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watching.cancel()
        await stopping


async def test_a_trace_goes_through_a_call(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One trace id from the user's command to the last service behind it."""
    provider = TracerProvider()
    tracer = provider.get_tracer("kit")
    monkeypatch.setattr("loupe.rpc.tracing._tracer", tracer)
    monkeypatch.setattr("services.kit.grpc_server._tracer", tracer)
    seen: list[int] = []

    class Spy(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            seen.append(trace.get_current_span().get_span_context().trace_id)

    spy = Spy()
    logger = logging.getLogger("services.kit.grpc_server")
    logger.addHandler(spy)
    caplog.set_level(logging.INFO, logger=logger.name)
    try:
        async with served.stub() as stub:
            with tracer.start_as_current_span("user") as span:
                await stub.Say(Text(value="hi"))
    finally:
        logger.removeHandler(spy)
    assert span.get_span_context().trace_id in seen


async def test_an_unknown_method_is_unimplemented(served: Served) -> None:
    async with connect(served.address, lambda: "admin") as channel:
        call = channel.unary_unary(f"/{NAME}/Nothing", Text.SerializeToString, Text.FromString)
        with pytest.raises(LoupeError) as caught:
            await call(Text())
    assert isinstance(caught.value, errors.Unimplemented)


async def test_a_connection_may_take_long_to_be_made(served: Served) -> None:
    """The first words of a busy or distant server come late; the client must not hang up before."""
    connections = 0

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        from_server, to_server = await asyncio.open_connection("127.0.0.1", served.server.port)
        asked = asyncio.ensure_future(pump(reader, to_server))
        # The server has answered; its words are held back as long as the client stays.
        await asyncio.wait({asked}, timeout=2.5)
        await asyncio.gather(asked, pump(from_server, writer), return_exceptions=True)

    async with await asyncio.start_server(late, "127.0.0.1") as listener:
        port = listener.sockets[0].getsockname()[1]
        async with connect(f"127.0.0.1:{port}", lambda: "admin") as channel:
            assert (await EchoStub(channel).Say(Text(value="late"))).value
    assert connections == 1
