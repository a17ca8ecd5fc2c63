"""An RPC of a server, and its messages: read when the server asks, up to the length of the contract."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from loupe.errors import InvalidArgument, ResourceExhausted

from services.kit.auth import RpcPolicy

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class ServedRpc:
    """One RPC: its path, its policy, and the handler of its servicer."""

    method: str
    """`/package.Service/Method`."""
    policy: RpcPolicy
    handler: Any
    """A grpc.RpcMethodHandler; its four kinds share no typed base."""

    @property
    def streams_answers(self) -> bool:
        """Whether its answer is a stream."""
        return bool(self.handler.response_streaming)

    @property
    def behavior(self) -> Callable[[Any, Context], Any]:
        """The servicer's method."""
        handler = self.handler
        found: Callable[[Any, Context], Any] = (
            handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        )
        return found

    async def request(self, context: Context, max_bytes: int) -> Any:  # noqa: ANN401 -- any message
        """The message of the call, or an iterator where it sends a stream."""
        if self.handler.request_streaming:
            return self._messages(context, max_bytes)
        raw = await context.read()
        if raw is grpc.aio.EOF:
            raise InvalidArgument(
                f"no message of {self.method[1:]} arrived, or one that is longer than the server takes",
                reason="MESSAGE_MISSING",
            )
        return self._parsed(raw, max_bytes)

    async def _messages(self, context: Context, max_bytes: int) -> AsyncIterator[Any]:
        while (raw := await context.read()) is not grpc.aio.EOF:
            yield self._parsed(raw, max_bytes)

    def _parsed(self, raw: bytes, max_bytes: int) -> Any:  # noqa: ANN401 -- any message
        if len(raw) > max_bytes:
            raise ResourceExhausted(
                f"the message of {self.method[1:]} has {len(raw)} bytes, more than {max_bytes}; "
                "send fewer things in one call",
                reason="MESSAGE_TOO_LARGE",
                max_bytes=max_bytes,
            )
        try:
            return self.handler.request_deserializer(raw)
        except DecodeError:
            raise InvalidArgument(
                f"the bytes are no message of {self.method[1:]}; generate the client from the same contracts",
                reason="MALFORMED_MESSAGE",
            ) from None
