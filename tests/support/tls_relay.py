"""TLS in front of the embedded PostgreSQL, which is built without it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

_ASKS_FOR_TLS = (8).to_bytes(4) + (80877103).to_bytes(4)
"""PostgreSQL's SSLRequest."""


@contextlib.asynccontextmanager
async def tls_relay(host: str, port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """The port of a server that takes encrypted connections only, and passes them on in plain."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            if await reader.readexactly(len(_ASKS_FOR_TLS)) != _ASKS_FOR_TLS:
                return
            writer.write(b"S")
            await writer.start_tls(context)
            behind_reader, behind_writer = await asyncio.open_connection(host, port)
            with contextlib.closing(behind_writer):
                passing = [
                    asyncio.create_task(_pass(reader, behind_writer)),
                    asyncio.create_task(_pass(behind_reader, writer)),
                ]
                await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
                for task in passing:
                    task.cancel()
                await asyncio.gather(*passing, return_exceptions=True)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while received := await reader.read(65536):
        writer.write(received)
        await writer.drain()
