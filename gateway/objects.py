"""Passes links to objects on to a store that only this machine reaches.

A presigned link that names the gateway leads here: `/<bucket>/<key>?…&X-Amz-Signature=…`. The store checks
the signature, which covers method, path, query and host. So an installation on one machine has one address,
and one certificate, for pages and pictures. What the store answers was uploaded by somebody: on the console's
origin it must never run as a page, so every answer is sandboxed.
"""

import asyncio
import contextlib
from urllib.parse import urlsplit

import h11
from loupe.errors import Unavailable
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from gateway.problems import BodyTooLate, MalformedRequest, MethodNotAllowed, UnknownRoute

_METHODS = ("GET", "HEAD", "PUT")
_ASKED = frozenset(
    {b"content-length", b"content-type", b"range", b"if-none-match", b"if-modified-since", b"if-range"}
)
"""Headers that go to the store: no cookie, no token."""
_ANSWERED = frozenset(
    {
        *(b"content-type", b"content-length", b"content-range", b"content-disposition", b"content-encoding"),
        *(b"accept-ranges", b"etag", b"last-modified", b"cache-control"),
    }
)
_HARMLESS = ((b"content-security-policy", b"sandbox; default-src 'none'; frame-ancestors 'none'"),)
"""Beside what every answer of the gateway says (`nosniff`)."""
_CHUNK_BYTES = 256 * 1024
_SIGNATURE = b"X-Amz-Signature="


class Objects:
    """The store behind the gateway, by the URL of its bucket: `http://127.0.0.1:9000/loupe`."""

    def __init__(self, url: str, *, patience_s: float) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._prefix = address.path.rstrip("/") + "/"
        self._patience_s = patience_s

    def has(self, path: str) -> bool:
        """Whether the path is that of an object."""
        return path.startswith(self._prefix)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, a part at a time; Unavailable if the store does not answer."""
        headers = dict(scope["headers"])
        if _SIGNATURE not in scope["query_string"]:
            raise UnknownRoute("objects are read and written by links alone; this one has no signature")
        if scope["method"] not in _METHODS:
            raise MethodNotAllowed(f"objects do not answer {scope['method']}", _METHODS)
        if scope["method"] == "PUT" and b"content-length" not in headers:
            raise MalformedRequest("an upload names its size; send Content-Length")
        try:
            async with asyncio.timeout(self._patience_s):
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=_CHUNK_BYTES)
        except (OSError, TimeoutError) as error:
            raise _away() from error
        exchange = _Exchange(reader, writer, self._patience_s)
        asking = asyncio.create_task(exchange.ask(scope, headers, receive))
        answering = asyncio.create_task(exchange.answer(send))
        try:
            # `ask` ends by an error alone. The store may refuse before it has read everything.
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done() or exchange.is_answered:
                await answering
            else:
                await asking
        finally:
            for task in (asking, answering):
                task.cancel()
            await asyncio.gather(asking, answering, return_exceptions=True)
            writer.close()


class _Exchange:
    """One request to the store, and its answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience_s: float) -> None:
        self._reader, self._writer, self._patience_s = reader, writer, patience_s
        self._http = h11.Connection(h11.CLIENT)
        self.is_answered = False

    async def ask(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> None:
        """Send head and body, then wait for the client to leave: ClientDisconnect when it does."""
        target = scope["raw_path"] + b"?" + scope["query_string"]
        passed = [(b"host", headers.get(b"host", b"")), (b"connection", b"close")]
        passed += [(name, value) for name, value in headers.items() if name in _ASKED]
        await self._send(h11.Request(method=scope["method"], target=target, headers=passed))
        is_whole = False
        while True:
            try:
                async with asyncio.timeout(None if is_whole else self._patience_s):
                    message = await receive()
            except TimeoutError:
                raise BodyTooLate(f"nothing of the body arrived for {self._patience_s:g} s") from None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            if message.get("body"):
                await self._send(h11.Data(data=message["body"]))
            if not is_whole and not message.get("more_body", False):
                is_whole = True
                await self._send(h11.EndOfMessage())

    async def answer(self, send: Send) -> None:
        """Bring the answer to the client, as fast as that takes it."""
        while not isinstance(event := await self._next(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                headers = [(name, value) for name, value in event.headers if name in _ANSWERED]
                await send(
                    {
                        "type": "http.response.start",
                        "status": event.status_code,
                        "headers": [*headers, *_HARMLESS],
                    }
                )
            elif isinstance(event, h11.Data):
                await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
        self.is_answered = True
        await send({"type": "http.response.body", "body": b""})

    async def _send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        # A store that closes has answered, or `answer` finds that it has not.
        with contextlib.suppress(ConnectionError):
            self._writer.write(self._http.send(event) or b"")
            await self._writer.drain()

    async def _next(self) -> h11.Event:
        """The next part of the answer; Unavailable if it breaks off."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_CHUNK_BYTES))
        except (OSError, h11.RemoteProtocolError) as error:
            raise _away() from error
        if not isinstance(event, h11.Event) or isinstance(event, h11.ConnectionClosed):
            raise _away()
        return event


def _away() -> Unavailable:
    return Unavailable("the object store does not answer; try again in a moment")
