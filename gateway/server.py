"""The HTTP server of a process: binds, serves, and stops without cutting anybody off in the middle.

A request has so long to arrive, head and body, however it dribbles; what is no HTTP is told so in the one
shape of problems. Nobody else waits meanwhile: a connection that holds a socket holds nothing more.
"""

import asyncio
import contextlib
import json
import logging
import resource
import socket
import sys
from collections.abc import Iterator
from typing import Any, Self

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.envelope import MAX_HEAD_BYTES, SECURITY_HEADERS
from gateway.events import Streams
from gateway.problems import MEDIA_TYPE, HeadTooLarge, MalformedRequest, http_status, problem
from gateway.settings import HttpSettings
from services.kit.errors import LoupeError

_log = logging.getLogger(__name__)

# How long the kernel keeps bytes for a peer that does not take them. It ends the connection of a reader that
# was dropped but keeps its socket open, which no write of ours would.
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
        self._server = _Server(
            uvicorn.Config(
                app,
                http=_protocol(http.head_deadline_s),
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                **http.uvicorn_options(),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEPALIVE_S,
                # uvicorn counts in whole seconds.
                timeout_graceful_shutdown=max(1, round(grace_s)),
            )
        )
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        _allow_many_connections()
        listener = _bind(self._listen)
        self.port = listener.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="http server")
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._serving.done():
            self._serving.result()
        _log.info("serving", extra={"address": self._listen, "port": self.port})
        return self

    async def __aexit__(self, *_: object) -> None:
        # Streams never end by themselves; uvicorn would wait its whole grace for them.
        self._streams.drain()
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


class _Server(uvicorn.Server):
    """uvicorn's, with signals left to the process and a way to know that it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


def _protocol(head_deadline_s: float) -> type[H11Protocol]:
    return type("_TimedProtocol", (_Protocol,), {"head_deadline_s": head_deadline_s})


class _Protocol(H11Protocol):
    """uvicorn's, with an end to heads that never end and to bodies that nobody reads."""

    head_deadline_s = 0.0
    _arriving: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._watch(idle=True)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_watching()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Tell what was wrong with it, unless an answer is already on its way."""
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
        body = json.dumps(problem(refusal), ensure_ascii=False).encode()
        headers = {
            **SECURITY_HEADERS,
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        parts: tuple[Any, ...] = (
            h11.Response(status_code=http_status(refusal), headers=list(headers.items())),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        for part in parts:
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def _watch(self, *, idle: bool = False) -> None:
        """Let the clock run while something is still to arrive that nobody else waits for."""
        if self.transport.is_closing():
            self._stop_watching()
            return
        head = self.conn.their_state is h11.IDLE and (idle or bool(self.conn.trailing_data[0]))
        # The answer went out without it: what still comes is thrown away, but not for ever.
        unread_body = self.conn.their_state is h11.SEND_BODY and self.conn.our_state in {
            h11.DONE,
            h11.MUST_CLOSE,
        }
        if not (head or unread_body):
            self._stop_watching()
        elif self._arriving is None:
            self._arriving = self.loop.call_later(self.head_deadline_s, self._give_up)

    def _stop_watching(self) -> None:
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
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit these from their listener.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_S * 1000)
        listener.bind((host, int(port)))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
