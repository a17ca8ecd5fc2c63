"""HTTP/2 by hand, as far as pings go: gRPC's own clients ping at most once a second."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Mapping

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY = 0, 1, 4, 6, 7
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4


class Closed(Exception):
    """The server has closed the connection; the message is its reason."""


class Http2:
    """One connection with at most one call."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._pings = 0
        self.data = b""
        """What the call has answered so far."""

    def call(self, path: str, request: bytes, headers: Mapping[str, str]) -> None:
        """Begin a gRPC call with one request message."""
        told = {
            ":method": "POST", ":scheme": "http", ":path": path, ":authority": "test",
            "te": "trailers", "content-type": "application/grpc", **headers,
        }  # fmt: skip
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in told.items())
        self._send(_HEADERS, _END_HEADERS, 1, block)
        self._send(_DATA, _END_STREAM, 1, struct.pack(">BI", 0, len(request)) + request)

    async def ping(self) -> None:
        """Send a ping and wait for its answer."""
        self._pings += 1
        sent = struct.pack(">Q", self._pings)
        self._send(_PING, 0, 0, sent)
        while await self.frame() != (_PING, _ACK, sent):
            pass

    async def frame(self) -> tuple[int, int, bytes]:
        """The next frame: kind, flags and content."""
        try:
            head = await self._reader.readexactly(9)
            content = await self._reader.readexactly(int.from_bytes(head[:3]))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Closed("without a reason") from error
        kind, flags = head[3], head[4]
        if kind == _GOAWAY:
            raise Closed(content[8:].decode())
        if kind == _DATA:
            self.data += content
        if kind in (_PING, _SETTINGS) and not flags & _ACK:
            self._send(kind, _ACK, 0, content if kind == _PING else b"")
        return kind, flags, content

    def _send(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        self._writer.write(struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream))
        self._writer.write(content)


@contextlib.asynccontextmanager
async def http2(port: int) -> AsyncIterator[Http2]:
    """A connection to a server on this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_PREFACE)
        connection = Http2(reader, writer)
        connection._send(_SETTINGS, 0, 0, b"")
        yield connection
    finally:
        writer.close()


def _text(text: str) -> bytes:
    """A string as HPACK writes it, without compression."""
    encoded = text.encode()
    assert len(encoded) < 127
    return bytes([len(encoded)]) + encoded
