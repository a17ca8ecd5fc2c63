"""The services behind the gateway: a channel each, the caller's own token on every call."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from loupe.errors import LoupeError, Unauthenticated, Unavailable
from loupe.rpc.authorization import AUTHORIZATION

from gateway.contracts import EVERY_BACKEND, ApiOperation
from gateway.sessions import session_of

Metadata = tuple[tuple[str, str], ...]

SERVING = "SERVING"
"""The state of a service that can do its work."""

_BEARER = re.compile(r"[Bb]earer +([\x21-\x7e]+)")
_HEALTH_DEADLINE_S = 2.0
# Of ours none has more than 170; what follows must fit into gRPC's metadata.
_LONGEST_TOKEN = 512


class MessageStream(Protocol):
    """A call whose answer is a stream; failures are LoupeErrors."""

    async def read(self) -> Any:  # noqa: ANN401 -- any message, or grpc.aio.EOF
        """The next message, or grpc.aio.EOF."""
        ...

    def cancel(self) -> bool:
        """End the call."""
        ...


def caller_metadata(headers: Mapping[str, str], client: str, *, secure: bool) -> Metadata:
    """What a call carries of its HTTP request: the caller's token, unchanged, and where the caller is.

    A program shows its token in a header, a browser its session in the cookie that a log-in gave it.
    """
    given = headers.get(AUTHORIZATION)
    if given is None:
        session = session_of(headers, secure=secure)
        if session is None:
            raise Unauthenticated(
                "the request carries no token; log in, or send the header 'Authorization: Bearer <token>'",
                reason="TOKEN_MISSING",
            )
        given = f"Bearer {session}"
    token = _BEARER.fullmatch(given.strip())
    if token is None or len(token.group(1)) > _LONGEST_TOKEN:
        raise Unauthenticated(
            f"the header Authorization must read 'Bearer <token>', of at most {_LONGEST_TOKEN} characters",
            reason="TOKEN_MALFORMED",
        )
    return ((AUTHORIZATION, f"Bearer {token.group(1)}"), *origin_metadata(client))


def origin_metadata(client: str) -> Metadata:
    """Where the caller is."""
    return (("x-forwarded-for", client),)


def serves_any(states: Mapping[str, str]) -> bool:
    """Whether one of the services serves."""
    return SERVING in states.values()


class Backends:
    """Calls the operations of the contracts on the channel of their service."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], deadline_s: float) -> None:
        self._channels = channels
        self._deadline_s = deadline_s
        self._callables: dict[tuple[str, str], Any] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The services there are."""
        return tuple(self._channels)

    async def answer(self, operation: ApiOperation, request: Message, metadata: Metadata) -> Message:
        """The answer of a unary call, or the LoupeError of the service."""
        answered: Message = await self._callable(operation, request)(
            request, timeout=self._deadline_s, metadata=metadata
        )
        return answered

    def stream(self, operation: ApiOperation, request: Message, metadata: Metadata) -> MessageStream:
        """A stream that has begun; the caller must cancel it."""
        begun: MessageStream = self._callable(operation, request)(request, metadata=metadata)
        return begun

    async def health(self) -> Mapping[str, str]:
        """SERVING, NOT_SERVING or a reason for each service; all are called concurrently."""
        states = await asyncio.gather(*(self._health_of(channel) for channel in self._channels.values()))
        return dict(zip(self._channels, states, strict=True))

    async def require(self, name: str) -> None:
        """Unavailable, with its state as reason, unless the service serves."""
        state = await self._health_of(self._channels[name])
        if state != SERVING:
            raise Unavailable(f"{name} does not serve", reason=state)

    async def require_any(self) -> None:
        """Unavailable unless a service serves: without the others, their pages say what is away."""
        if not serves_any(await self.health()):
            raise Unavailable("no service serves", reason="BACKENDS_UNAVAILABLE")

    async def _health_of(self, channel: grpc.aio.Channel) -> str:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answered = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_HEALTH_DEADLINE_S)
        except LoupeError as error:
            return error.status
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answered.status))

    def _callable(self, operation: ApiOperation, request: Any) -> Any:  # noqa: ANN401 -- unary or streaming, of any messages
        backend = operation.backend
        if backend == EVERY_BACKEND:
            backend = request.name.removeprefix("servers/")
            if backend not in self._channels:
                # Any server answers that it is another one, after checking the role.
                backend = next(iter(self._channels))
        known = self._callables.get((backend, operation.rpc))
        if known is None:
            channel = self._channels[backend]
            make = channel.unary_stream if operation.streaming else channel.unary_unary
            known = make(
                operation.rpc,
                request_serializer=operation.request_class.SerializeToString,
                response_deserializer=operation.response_class.FromString,
            )
            self._callables[backend, operation.rpc] = known
        return known
