"""A TCP relay in front of a server, which a test can cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class Relay:
    """Passes bytes on to `host:port` until it is cut."""

    host: str
    port: int
    listens_at: int = 0
    _cut: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        self._cut = True
        for writer in self._open:
            writer.transport.abort()

    def restore(self) -> None:
        """Take connections again."""
        self._cut = False

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        if self._cut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        try:
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        finally:
            self._open -= {writer, back}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def relay_to(host: str, port: int, *, listen: str = "127.0.0.1") -> AsyncIterator[Relay]:
    """A relay on a free port of an address of this machine."""
    relay = Relay(host, port)
    server = await asyncio.start_server(relay.pass_on, listen, 0)
    relay.listens_at = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        relay.cut()
        server.close()
