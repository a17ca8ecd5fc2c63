"""uvicorn within a process that has its own signals and its own logs."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp


class ServingApp:
    """Serves `app` on a socket that listens; `options` are uvicorn's."""

    def __init__(self, app: ASGIApp, **options: Any) -> None:  # noqa: ANN401 -- uvicorn's own
        self._server = _Server(
            uvicorn.Config(
                app,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                **options,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        """Return when it serves."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="http server")
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._serving.done():
            self._serving.result()

    async def stop(self) -> None:
        """Let requests in flight end, and return when all have."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


class _Server(uvicorn.Server):
    """uvicorn's server without signal handlers, which the process has, and with an event for readiness."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


def address_of(listen: str) -> tuple[socket.AddressFamily, str, int]:
    """`host:port` as family, host and port; an IPv6 address is written in brackets. ValueError otherwise."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"must be host:port, not {listen!r}")
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), host, int(port)
