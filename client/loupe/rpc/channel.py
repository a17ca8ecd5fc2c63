"""Channels to our servers: token, trace context, a default deadline, retries, and failures as LoupeErrors.

`connect` returns a `grpc.aio.Channel` for the generated stubs. It wraps the channel instead of installing
interceptors: grpc.aio's interceptors come in four kinds, change the type of the call object with each and
leave streams without `cancel`. For every kind of call, `await`, `async for`, `read`, `write` and
`done_writing` raise the LoupeError that the server sent.

Retries: UNAVAILABLE, and CANCELLED by the server, up to five attempts within the deadline, by gRPC itself. An
attempt whose connection broke may have been carried out: RPCs that change something are idempotent by
`request_id`, name or fencing token.
"""

import ipaddress
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Sequence
from typing import Any, Self

import grpc
from loupe.errors import FailedPrecondition, LoupeError
from loupe.rpc.authorization import AUTHORIZATION, bearer
from loupe.rpc.options import channel_options
from loupe.rpc.status import from_rpc_error
from loupe.rpc.tracing import CallSpan
from loupe.translation import sentence

DEFAULT_DEADLINE_S = 10.0

TokenSource = Callable[[], str | None]
"""Gives the token for the call that is being made, in the context of its caller; None sends no token."""


def connect(
    address: str,
    token_source: TokenSource | None = None,
    *,
    deadline_s: float = DEFAULT_DEADLINE_S,
    credentials: grpc.ChannelCredentials | None = None,
    retries: bool = True,
) -> grpc.aio.Channel:
    """A channel to `address`, never through a proxy; connects when first used and again whenever needed.

    Calls go in turn to all servers that `address` stands for: `host:port` to all addresses of that name,
    `10.0.0.1:7101,10.0.0.2:7101` to these. FailedPrecondition if it is another list.

    `deadline_s` holds for unary calls that set no timeout of their own; streams have none.
    """
    options = channel_options(retries=retries)
    target = _target(address, verified=credentials is not None)
    if credentials is None:
        inner = grpc.aio.insecure_channel(target, options=options)
    else:
        inner = grpc.aio.secure_channel(target, credentials, options=options)
    return _Channel(inner, token_source, deadline_s)


def _target(address: str, *, verified: bool) -> str:
    """What gRPC calls a server or a list of them.

    gRPC looks up one name, and with TLS it verifies one name for a channel.
    """
    servers = [server.strip() for server in address.split(",") if server.strip()]
    if len(servers) == 1:
        return servers[0]
    versions = set()
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            versions.add(ipaddress.ip_address(host.strip("[]")).version if port.isdecimal() else 0)
        except ValueError:
            versions.add(0)
    if verified or versions not in ({4}, {6}):
        told = sentence(
            "several servers in one address, {address}, must be IP addresses of one version with ports, and "
            "cannot be verified by TLS; give one DNS name that has all their addresses",
            address=repr(address),
        )
        raise FailedPrecondition(told.english, reason="ADDRESS_UNUSABLE", message_zh=told.chinese)
    return f"ipv{versions.pop()}:{','.join(servers)}"


class _Channel(grpc.aio.Channel):
    """Delegates to `inner`; its multicallables add metadata and translate errors."""

    def __init__(self, inner: grpc.aio.Channel, token_source: TokenSource | None, deadline_s: float) -> None:
        self._inner = inner
        self._token_source = token_source
        self._deadline_s = deadline_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 -- grpc's signature
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._inner.channel_ready()

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- the stubs know the types
        return self._prepared(method, self._inner.unary_unary(method, *args, **kwargs), self._deadline_s)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- the stubs know the types
        return self._prepared(method, self._inner.unary_stream(method, *args, **kwargs), None)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- the stubs know the types
        return self._prepared(method, self._inner.stream_unary(method, *args, **kwargs), None)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- the stubs know the types
        return self._prepared(method, self._inner.stream_stream(method, *args, **kwargs), None)

    def _prepared(self, method: str, multicallable: Any, deadline_s: float | None) -> Callable[..., "_Call"]:  # noqa: ANN401 -- one of four
        def call(
            request: Any = None,  # noqa: ANN401 -- a message or an iterator of messages
            timeout: float | None = None,
            metadata: Iterable[tuple[str, str | bytes]] | None = None,
            **kwargs: Any,  # noqa: ANN401 -- grpc's own options
        ) -> _Call:
            span = CallSpan(method)
            sent = [*self._metadata(metadata), *span.headers().items()]
            arguments = () if request is None else (request,)
            inner = multicallable(*arguments, timeout=timeout or deadline_s, metadata=sent, **kwargs)
            return _Call(inner, span)

        return call

    def _metadata(self, given: Iterable[tuple[str, str | bytes]] | None) -> Sequence[tuple[str, str | bytes]]:
        sent = list(given or ())
        if self._token_source is not None and all(name != AUTHORIZATION for name, _ in sent):
            token = self._token_source()
            if token is not None:
                sent.append(bearer(token))
        return sent


class _Call:
    """A call of any kind; other methods (`cancel`, `initial_metadata` …) are those of the inner call."""

    def __init__(self, inner: Any, span: CallSpan) -> None:  # noqa: ANN401 -- one of four
        self._inner = inner
        self._span = span
        if not hasattr(inner, "__await__"):
            inner.add_done_callback(lambda _: span.end())

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- delegation
        return getattr(self._inner, name)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._answer().__await__()

    async def _answer(self) -> Any:  # noqa: ANN401 -- any message
        try:
            return await self._inner
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error
        finally:
            self._span.end()

    async def __aiter__(self) -> AsyncIterator[Any]:
        # Leaving the loop early cancels the call: the rest would not be read.
        try:
            async for message in self._inner:
                yield message
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error
        finally:
            self._inner.cancel()

    async def read(self) -> Any:  # noqa: ANN401 -- any message, or grpc.aio.EOF
        try:
            return await self._inner.read()
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error

    async def write(self, request: Any) -> None:  # noqa: ANN401 -- any message
        try:
            await self._inner.write(request)
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error

    async def done_writing(self) -> None:
        try:
            await self._inner.done_writing()
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error

    def _translated(self, error: grpc.aio.AioRpcError) -> LoupeError:
        translated = from_rpc_error(error)
        self._span.fail(error.code().value[0], translated.reason)
        return translated


__all__ = ["DEFAULT_DEADLINE_S", "TokenSource", "connect"]
