"""A gRPC server that authenticates every call, and maps its errors, times, logs and traces it once.

The order around a handler: trace → authenticate → limits → read the message → role → handler → errors to
status → log. No byte of a message is parsed, and few are taken from the connection, before its caller is
known (docs/decisions/0071). Handlers are coroutines (unary answers) or asynchronous generators (streamed
answers); they raise LoupeErrors and never touch the context for failures.
"""

import asyncio
import contextlib
import inspect
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from loupe.errors import (
    DeadlineExceeded,
    Internal,
    LoupeError,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from loupe.rpc.options import server_options
from loupe.rpc.status import to_status
from opentelemetry import trace

from services.kit import tasks, telemetry
from services.kit.auth import (
    MAX_REQUEST_BYTES,
    PolicyTable,
    Principal,
    Role,
    RpcPolicy,
    TokenVerifier,
    acting_as,
    require,
    token_of,
)
from services.kit.fair_queue import FairQueue
from services.kit.limits import Admissions, CallLimits, called_from
from services.kit.metrics import Counter, Histogram
from services.kit.public_listen import PublicListen
from services.kit.readiness import Readiness
from services.kit.repeats import repeating
from services.kit.rpc_messages import Context, ServedRpc

_log = logging.getLogger(__name__)
_tracer = telemetry.tracer(__name__)

_FORWARDED_FOR = "x-forwarded-for"

# Of callers without a token: how many messages arrive at once, and how long one may take.
_UNKNOWN_MESSAGES = 16
_UNKNOWN_MESSAGE_S = 5.0
# A message that is a little too long arrives, so that our refusal names the limit; longer ones gRPC refuses.
_REFUSABLE_BYTES = 1024 * 1024
_PUBLIC = RpcPolicy(Role.ANYONE, audited=False)

_CALLS = Counter(
    "loupe_rpc_calls_total",
    "calls",
    "Calls that ended, by RPC and gRPC status; the health service's are not counted",
    "rpc",
    "status",
)
_DURATION = Histogram(
    "loupe_rpc_duration_seconds",
    "seconds",
    "How long calls took from their first byte to their last; a watch takes as long as it is read",
    "rpc",
)


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a server: its servicer, the generated function that adds it, and its contract."""

    servicer: object
    add_to_server: Callable[[Any, Any], None]
    descriptor: ServiceDescriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCall:
    """A finished call, for an observer: RPC, caller, address, request and result."""

    method: str
    """`package.Service/Method`."""
    audited: bool
    """Whether its contract says that every call is in the audit log (A3)."""
    principal: Principal | None
    """None if the caller was not authenticated."""
    code: str
    """Name of the status code."""
    peer: str
    """The address of the caller, then ` for ` and the address that a gateway forwards for."""
    address: str
    """Where the caller is: what a trusted gateway says, else the connection's address without its port."""
    request: Any
    """The message; for a streamed request the iterator; None if the call was refused before it arrived."""
    answer: Any
    """The message; None if the call failed or its answer was streamed."""
    facts: Mapping[str, str]
    """The facts of the error; empty if the call succeeded."""


Observer = Callable[[ServedCall], Awaitable[None]]
"""Called for every call but the public ones, before the answer is sent; its exceptions are only logged."""


class GrpcServer:
    """Serves `services` at `address` (`host:port`; port 0 picks a free one) with health and reflection."""

    def __init__(  # noqa: PLR0913 -- what a server is made of
        self,
        services: Sequence[Service],
        *,
        verifier: TokenVerifier,
        address: str,
        credentials: grpc.ServerCredentials | None = None,
        observer: Observer | None = None,
        limits: CallLimits = CallLimits(),  # noqa: B008 -- frozen
        readiness: Readiness | None = None,
        public: PublicListen = PublicListen(),  # noqa: B008 -- frozen
    ) -> None:
        """Health follows `readiness`; without one it says SERVING while the server listens."""
        policies = PolicyTable.from_descriptors(service.descriptor for service in services)
        self._max_request_bytes = policies.max_request_bytes
        self._names = [service.descriptor.full_name for service in services]
        self._limits = limits
        self._calls = _CallInterceptor(verifier, policies, observer, limits)
        self._address = address
        self._credentials = credentials
        self._public = public
        self._services = tuple(services)
        self._health = health.aio.HealthServicer()
        self._readiness = readiness
        self._telling: asyncio.Task[None] | None = None
        self._server: grpc.aio.Server | None = None
        self._port = 0

    @property
    def address(self) -> str:
        """The `host:port` that it was given."""
        return self._address

    @property
    def port(self) -> int:
        """The port it listens on; known after `start`."""
        return self._port

    async def start(self) -> None:
        """Bind and serve; health turns SERVING if the process is ready. RuntimeError for a taken address."""
        # Not in the constructor: a grpc.aio server belongs to the loop that runs when it is created.
        options = server_options(
            self._max_request_bytes + _REFUSABLE_BYTES,
            connection_age_s=self._limits.connection_age_s,
            age_grace_s=self._limits.connection_age_grace_s,
        )
        server = grpc.aio.server(interceptors=[self._calls], options=options)
        for service in self._services:
            service.add_to_server(service.servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            [*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME],
            server,
        )
        if self._credentials is None:
            self._port = server.add_insecure_port(self._address)
        else:
            self._port = server.add_secure_port(self._address, self._credentials)
        self._public.open(server)
        await server.start()
        self._server = server
        if self._readiness is not None:
            await self._readiness.begin()
        await self._tell(ready=self._readiness is None or self._readiness.ready)
        if self._readiness is not None:
            self._telling = asyncio.create_task(self._follow(self._readiness), name="health")
        _log.info("serving", extra={"address": self._address, "port": self._port, "services": self._names})

    async def stop(self, grace_s: float = 5.0) -> None:
        """Turn NOT_SERVING, end the streams as UNAVAILABLE, let calls in flight end within `grace_s`."""
        if self._server is None:
            return
        if self._readiness is not None and self._telling is not None:
            self._readiness.end()
            await tasks.end(self._telling)
        await self._health.enter_graceful_shutdown()
        self._calls.drain()
        await self._server.stop(grace_s)
        self._server = None

    async def _follow(self, readiness: Readiness) -> None:
        async for ready in readiness.follow():
            await self._tell(ready=ready)

    async def _tell(self, *, ready: bool) -> None:
        status = health_pb2.HealthCheckResponse
        for name in ("", *self._names):
            await self._health.set(name, status.SERVING if ready else status.NOT_SERVING)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class _CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler; a method's wrapped handler is made once."""

    def __init__(
        self,
        verifier: TokenVerifier,
        policies: PolicyTable,
        observer: Observer | None,
        limits: CallLimits,
    ) -> None:
        self._verifier = verifier
        self._policies = policies
        self._observer = observer
        self._admissions = Admissions(limits)
        self._unknown_messages = FairQueue(_UNKNOWN_MESSAGES)
        self._stream_check_s = limits.stream_check_s
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._streaming: set[asyncio.Task[Any]] = set()
        self._draining = False

    def drain(self) -> None:
        # A watch does not end by itself: it would take the whole grace period and then look as if the client
        # had cancelled it.
        self._draining = True
        for task in self._streaming:
            task.cancel()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:  # noqa: ANN401 -- None is the answer to an unknown method, which the stub's type leaves out
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        self._wrapped[method] = self._wrap(method, handler)
        return self._wrapped[method]

    def _wrap(self, method: str, handler: Any) -> "grpc.RpcMethodHandler[Any, Any]":  # noqa: ANN401 -- its four kinds share no typed base
        if PolicyTable.is_public(method):
            serve, rpc = self._serve_public, ServedRpc(method, _PUBLIC, handler)
        else:
            serve, rpc = self._serve, ServedRpc(method, self._policies.of(method), handler)

        async def guarded(_messages: object, context: Context) -> Any:  # noqa: ANN401 -- any message
            return await serve(rpc, context)

        # As if all sent streams: gRPC takes the message of any other call before it calls the handler.
        make = (
            grpc.stream_stream_rpc_method_handler
            if rpc.streams_answers
            else grpc.stream_unary_rpc_method_handler
        )
        return make(guarded, request_deserializer=None, response_serializer=handler.response_serializer)

    async def _serve_public(self, rpc: ServedRpc, context: Context) -> Any:  # noqa: ANN401 -- any message
        address = self._admissions.address_of(context.peer(), None)
        try:
            with self._admissions.open(address):
                request = await self._request_of_unknown(rpc, context, address)
                answered = rpc.behavior(request, context)
                if inspect.isawaitable(answered):
                    return await answered
                async with contextlib.aclosing(answered) as answers:
                    async for answer in answers:
                        await context.write(answer)
        except LoupeError as error:
            status = to_status(error)
            await context.abort(status.code, status.details, tuple(status.trailing_metadata or ()))

    async def _serve(self, rpc: ServedRpc, context: Context) -> Any:  # noqa: ANN401 -- any message
        metadata = [(str(name), value) for name, value in context.invocation_metadata() or ()]
        method = rpc.method
        service_name, _, method_name = method[1:].rpartition("/")
        claimed = _claimed(metadata)
        peer = _peer(context.peer(), claimed)
        with _tracer.start_as_current_span(
            method[1:],
            context=telemetry.extract({name: value for name, value in metadata if isinstance(value, str)}),
            kind=trace.SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": service_name, "rpc.method": method_name},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            call = _CallRecord(method, span, routine=rpc.policy.role.of_process)
            call.address = self._admissions.address_of(context.peer(), claimed)
            failure: LoupeError | None = None
            answer: Any = None
            try:
                with called_from(call.address):
                    if rpc.policy.role is Role.ANYONE:
                        answer = await self._answer_anyone(rpc, call, context)
                    else:
                        answer = await self._answer(rpc, call, context, metadata)
            except LoupeError as error:
                failure = error
            except asyncio.CancelledError:
                if not self._draining:
                    call.code = grpc.StatusCode.CANCELLED.name
                    # The caller cancelled the call; what the handler has done so far stays done.
                    await asyncio.shield(self._observe(call, None, peer))
                    raise
                failure = _going_away()
            except grpc.aio.AbortError:
                call.code = "ABORTED_BY_HANDLER"
                raise
            except Exception as error:  # noqa: BLE001 -- the boundary: what is no named error is a bug, logged here once
                failure = call.incident(error)
            finally:
                status = call.fail(failure) if failure is not None else None
                call.log()
            # A caller that cancels now cancels neither what was done nor its line in the audit log.
            await asyncio.shield(self._observe(call, answer, peer))
            if status is not None:
                await context.abort(status.code, status.details, tuple(status.trailing_metadata or ()))
            return answer

    async def _answer_anyone(self, rpc: ServedRpc, call: "_CallRecord", context: Context) -> Any:  # noqa: ANN401 -- any message
        with self._admissions.open(call.address):
            call.request = await self._request_of_unknown(rpc, context, call.address)
            return await self._invoke(rpc, call, context, None)

    async def _request_of_unknown(self, rpc: ServedRpc, context: Context, address: str) -> Any:  # noqa: ANN401 -- any message
        try:
            async with self._unknown_messages.slot(address), asyncio.timeout(_UNKNOWN_MESSAGE_S):
                return await rpc.request(context, rpc.policy.max_request_bytes)
        except TimeoutError:
            raise DeadlineExceeded(
                f"the message did not arrive within {_UNKNOWN_MESSAGE_S:g} s", reason="MESSAGE_TOO_LATE"
            ) from None

    async def _answer(
        self,
        rpc: ServedRpc,
        call: "_CallRecord",
        context: Context,
        metadata: list[tuple[str, str | bytes]],
    ) -> Any:  # noqa: ANN401 -- any message
        role, token = rpc.policy.role, token_of(metadata)
        with self._admissions.unverified(call.address):
            call.principal = await self._verifier.verify(token)
        with (
            self._admissions.known(call.principal, stream=rpc.streams_answers),
            acting_as(call.principal),
            repeating(metadata),
        ):
            # Whoever may not call it has its message read all the same: the audit log names what was tried.
            longest = rpc.policy.max_request_bytes if role.admits(call.principal.role) else MAX_REQUEST_BYTES
            call.request = await rpc.request(context, longest)
            require(call.principal, role)
            return await self._invoke(rpc, call, context, token)

    async def _invoke(self, rpc: ServedRpc, call: "_CallRecord", context: Context, token: str | None) -> Any:  # noqa: ANN401 -- any message
        if not rpc.streams_answers:
            return await rpc.behavior(call.request, context)
        task = asyncio.current_task()
        if task is None:  # pragma: no cover -- grpc.aio runs every call in a task
            raise RuntimeError("a call outside of a task")
        if self._draining:
            raise _going_away()
        self._streaming.add(task)
        check = _TokenCheck(self._verifier, rpc.policy.role, self._stream_check_s)
        try:
            async with (
                check.running(token),
                contextlib.aclosing(rpc.behavior(call.request, context)) as answers,
            ):
                async for answer in answers:
                    await context.write(answer)
        finally:
            self._streaming.discard(task)

    async def _observe(self, call: "_CallRecord", answer: Any, peer: str) -> None:  # noqa: ANN401 -- any message
        if self._observer is None:
            return
        served = ServedCall(
            method=call.method[1:],
            audited=self._policies.of(call.method).audited,
            principal=call.principal,
            code=call.code,
            peer=peer,
            address=call.address,
            request=call.request,
            answer=answer,
            facts=call.facts,
        )
        try:
            await self._observer(served)
        except Exception:  # noqa: BLE001 -- the boundary: an observer must not break the call
            _log.exception(
                "a call could not be observed",
                extra={
                    "method": served.method,
                    "code": served.code,
                    "peer": peer,
                    "principal": served.principal.name if served.principal is not None else None,
                },
            )


class _CallRecord:
    """What the log and the span record of one call.

    `routine` calls are those that only processes of the installation make, such as reports on a job. Each
    training makes several a second, so that only the failed ones are logged.
    """

    def __init__(self, method: str, span: trace.Span, *, routine: bool) -> None:
        self.method = method
        self._routine = routine
        self._span = span
        self._started_s = time.monotonic()
        self._extra: dict[str, object] = {}
        self.principal: Principal | None = None
        self.request: Any = None
        self.address = ""
        self.code = grpc.StatusCode.OK.name
        self.facts: Mapping[str, str] = {}

    def incident(self, error: Exception) -> Internal:
        """The error that is sent for a bug: an id to look up in the log, and no internals."""
        incident = secrets.token_hex(6)
        self._extra["exc_info"] = error
        return Internal(f"internal error; tell the operator incident {incident}", incident=incident)

    def fail(self, failure: LoupeError) -> grpc.Status:
        """Take the failure down; its status, or an incident's where its text cannot be sent."""
        try:
            status = to_status(failure)
        except UnicodeEncodeError as error:
            failure = self.incident(error)
            status = to_status(failure)
        self.code = failure.status
        self.facts = {"reason": failure.reason, **failure.facts}
        self._extra.update(reason=failure.reason, detail=failure.message, facts=failure.facts)
        return status

    def log(self) -> None:
        code = grpc.StatusCode.__members__.get(self.code, grpc.StatusCode.UNKNOWN)
        self._span.set_attribute("rpc.grpc.status_code", code.value[0])
        level = logging.DEBUG if self._routine and code is grpc.StatusCode.OK else logging.INFO
        if code is grpc.StatusCode.INTERNAL:
            level = logging.ERROR
            self._span.set_status(trace.StatusCode.ERROR)
        duration_s = time.monotonic() - self._started_s
        rpc = self.method.removeprefix("/")
        _CALLS.add(rpc=rpc, status=self.code)
        _DURATION.record(duration_s, rpc=rpc)
        extra = dict(self._extra)
        exc_info = extra.pop("exc_info", None)
        extra.update(
            method=self.method,
            code=self.code,
            duration_ms=round(duration_s * 1000, 2),
            principal=self.principal.name if self.principal is not None else None,
        )
        _log.log(
            level, "call", extra=extra, exc_info=exc_info if isinstance(exc_info, BaseException) else None
        )


class _TokenCheck:
    """Verifies the token of a stream's caller again and again; ends the stream when it is refused (A5)."""

    def __init__(self, verifier: TokenVerifier, role: Role, pause_s: float) -> None:
        self._verifier = verifier
        self._role = role
        self._pause_s = pause_s
        self._refusal: LoupeError | None = None

    @contextlib.asynccontextmanager
    async def running(self, token: str | None) -> AsyncIterator[None]:
        """Check within the block; Unauthenticated or PermissionDenied ends it. None: there is no token."""
        stream = asyncio.current_task()
        if token is None or stream is None:
            yield
            return
        checking = asyncio.create_task(self._check(token, stream))
        try:
            yield
        except asyncio.CancelledError:
            if self._refusal is None:
                raise
            stream.uncancel()
            raise self._refusal from None
        finally:
            checking.cancel()

    async def _check(self, token: str, stream: "asyncio.Task[Any]") -> None:
        while True:
            await asyncio.sleep(self._pause_s)
            try:
                require(await self._verifier.verify(token), self._role)
            except (Unauthenticated, PermissionDenied) as error:
                self._refusal = error
                stream.cancel()
                return
            except LoupeError as error:
                # Nobody can revoke a token either while it cannot be verified.
                _log.info("a stream's token could not be verified again", extra={"reason": error.reason})


def _claimed(metadata: list[tuple[str, str | bytes]]) -> str | None:
    """Where a gateway says that the caller is."""
    claimed = [value for name, value in metadata if name == _FORWARDED_FOR and isinstance(value, str)]
    return claimed[0][:100] if claimed else None


def _peer(seen: str, claimed: str | None) -> str:
    # The address that the server sees comes first: a client can send any value in the header.
    return seen if claimed is None else f"{seen} for {claimed}"


def _going_away() -> Unavailable:
    return Unavailable("the server is going away; call again", reason="SERVER_DRAINING")
