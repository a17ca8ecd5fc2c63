"""The HTTP server of a process: binds, serves, and stops without cutting anybody off in the middle."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from gateway.events import Streams

_log = logging.getLogger(__name__)

# How long the kernel keeps bytes for a peer that does not take them. It ends the connection of a reader that
# was dropped but keeps its socket open, which no write of ours would.
_UNREAD_S = 60
_SEND_BUFFER_BYTES = 256 * 1024
_KEEPALIVE_S = 75
_BACKLOG = 1024


class HttpServer:
    """Serves `app` at `listen` (`host:port`; port 0 picks a free one)."""

    def __init__(self, app: ASGIApp, streams: Streams, listen: str, *, grace_s: float = 5.0) -> None:
        self._streams = streams
        self._listen = listen
        self._server = _Server(
            uvicorn.Config(
                app,
                http="h11",
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
