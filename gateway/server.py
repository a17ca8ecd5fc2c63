"""The HTTP server of a process: binds, serves, and stops without cutting responses off.

The head and the body of a request have a deadline, however slowly they arrive (slowloris). Bytes that are not
HTTP are answered with problem details too. Slow connections occupy a socket each and nothing more.
"""

import asyncio
import contextlib
import logging
import resource
import socket
import sys
from typing import Any, Self

import h11
from loupe.errors import LoupeError
from loupe.translation import sentence
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.connections import Connections
from gateway.envelope import MAX_HEAD_BYTES, SECURITY_HEADERS
from gateway.events import Streams
from gateway.problems import HeadTooLarge, MalformedRequest, http_status, problem_response
from gateway.settings import HttpSettings
from services.kit.http_serving import ServingApp, address_of
from services.kit.limits import exhausted

_log = logging.getLogger(__name__)

# How long the kernel keeps unacknowledged bytes (TCP_USER_TIMEOUT). It ends the connection of a reader that
# was dropped and keeps its socket open, which our writes would not.
_UNREAD_S = 60
_SEND_BUFFER_BYTES = 256 * 1024
_KEEPALIVE_S = 75
_BACKLOG = 1024


class HttpServer:
    """Serves `app` at `listen` (`host:port`; port 0 picks a free one), as `http` says."""

    def __init__(
        self,
        app: ASGIApp,
        streams: Streams,
        listen: str,
        *,
        http: HttpSettings = HttpSettings(),  # noqa: B008 -- frozen
        grace_s: float = 5.0,
    ) -> None:
        self._streams = streams
        self._listen = listen
        self._server = ServingApp(
            app,
            http=_protocol(http),
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            **http.uvicorn_options(),
            timeout_keep_alive=_KEEPALIVE_S,
            # uvicorn counts in whole seconds.
            timeout_graceful_shutdown=max(1, round(grace_s)),
        )
        self.port = 0

    async def __aenter__(self) -> Self:
        _allow_many_connections()
        listener = _bind(self._listen)
        self.port = listener.getsockname()[1]
        await self._server.start(listener)
        _log.info("serving", extra={"address": self._listen, "port": self.port})
        return self

    async def __aexit__(self, *_: object) -> None:
        # Streams do not end by themselves: uvicorn would wait the whole grace period for them.
        self._streams.drain()
        await self._server.stop()


def _protocol(http: HttpSettings) -> type[H11Protocol]:
    connections = Connections(
        http.max_connections_per_address, http.max_pending_per_address, http.trusted_proxies
    )
    return type(
        "_TimedProtocol",
        (_Protocol,),
        {"head_deadline_s": http.head_deadline_s, "all_connections": connections},
    )


class _Protocol(H11Protocol):
    """uvicorn's protocol with a deadline for heads, and for bodies that are not read; few for one address."""

    head_deadline_s = 0.0
    all_connections: Connections
    _arriving: asyncio.TimerHandle | None = None
    # Under what the connection is counted; None: it is not.
    _holder: str | None = None
    _too_many = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._holder = self.all_connections.holder(self.client[0] if self.client else None)
        self._too_many = self._holder is not None and not self.all_connections.open(self._holder)
        self._watch(idle=True)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_watching()
        if self._holder is not None and not self._too_many:
            self.all_connections.closed(self._holder)

    def data_received(self, data: bytes) -> None:
        if self._too_many:
            # Only now: an answer to a connection that has said nothing yet would be lost.
            self._stop_watching()
            limit = self.all_connections.per_address
            self._refuse(
                exhausted(
                    sentence(
                        "your address has {limit} connections, the most for one; close some of them",
                        limit=limit,
                    ),
                    "TOO_MANY_CONNECTIONS",
                )
            )
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Answer with problem details, unless another answer has begun."""
        self._stop_watching()
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()
            return
        error = sys.exception()
        too_long = isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431
        refusal: LoupeError = (
            HeadTooLarge(
                f"the head of the request is longer than {MAX_HEAD_BYTES} bytes", max_bytes=MAX_HEAD_BYTES
            )
            if too_long
            else MalformedRequest(f"this is no HTTP/1.1 request: {error or msg}")
        )
        self._refuse(refusal)

    def _refuse(self, refusal: LoupeError) -> None:
        """Answer before there is a request, and close."""
        answer = problem_response(refusal)
        body = bytes(answer.body)
        own = {name: value for name, value in answer.headers.items() if name != "connection"}
        headers = {**SECURITY_HEADERS, **own, "Connection": "close"}
        parts: tuple[Any, ...] = (
            h11.Response(status_code=http_status(refusal), headers=list(headers.items())),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        for part in parts:
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def _watch(self, *, idle: bool = False) -> None:
        """Run the timer while a head or an unread body is still to arrive."""
        if self.transport.is_closing():
            self._stop_watching()
            return
        head = self.conn.their_state is h11.IDLE and (idle or bool(self.conn.trailing_data[0]))
        # The answer was sent without reading the body: the rest is discarded until the deadline.
        unread_body = self.conn.their_state is h11.SEND_BODY and self.conn.our_state in {
            h11.DONE,
            h11.MUST_CLOSE,
        }
        if not (head or unread_body):
            self._stop_watching()
        elif self._arriving is None:
            self._arriving = self.loop.call_later(self.head_deadline_s, self._give_up)
            if self._holder is not None:
                self.all_connections.await_head(self._holder, self, self._give_up)

    def _stop_watching(self) -> None:
        if self._holder is not None:
            self.all_connections.head_arrived(self._holder, self)
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _give_up(self) -> None:
        _log.info("a request did not arrive in time", extra={"client": self.client and self.client[0]})
        self.transport.close()


def _allow_many_connections() -> None:
    # The usual soft limit, 1024, is fewer than there may be streams.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _bind(listen: str) -> socket.socket:
    family, host, port = address_of(listen)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit these from their listener.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_S * 1000)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
