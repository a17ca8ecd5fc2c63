"""Streams of messages to HTTP readers: server-sent events that resume, files, and logs as files.

Nothing is buffered for a reader: the next message is read from the service only when the previous one was
sent. So a slow reader slows its own call (gRPC's flow control), and one that does not read for
`slow_reader_s` is dropped. Readers of the same stream share one call where possible (`gateway.feeds`).

The last event says how the stream ended. `event: end` means that nothing more will come: the reader closes
it. A reader opens a stream again with `Last-Event-ID` if it stops without `end` (a service or the gateway
restarts, or its lifetime is over). `event: problem` holds the problem that ended it, and `end` follows.
"""

import asyncio
import contextlib
import json
import logging
import mimetypes
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

import grpc
from loupe.errors import LoupeError, PermissionDenied, Unauthenticated
from starlette.types import Receive, Scope, Send

from gateway.backends import MessageStream
from gateway.callers import Caller
from gateway.feeds import Feed, Feeds, Following
from gateway.json_mapping import render
from gateway.problems import problem
from services.kit import tasks
from services.kit.limits import stream_places

_log = logging.getLogger(__name__)

_RECONNECT_MS = 1000
# How long the head of a response waits for the first message. A refusal comes within milliseconds, and then
# has a status of its own; a watch may have no message for minutes, and its reader must see that it is open.
# The head of a file needs the media type, which is in the first message.
_REFUSAL_WAIT_S = 1.0
_FIRST_BYTES_WAIT_S = 30.0
_REFUSALS = (Unauthenticated, PermissionDenied)
# During a replay the next message arrives within this time.
_CAUGHT_UP_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """Limits of streams."""

    keepalive_s: float = 15.0
    slow_reader_s: float = 30.0
    lifetime_s: float = 3600.0
    max_open: int = 2000
    max_per_principal: int = 600
    # How often the token of a reader is looked at again.
    check_s: float = 30.0


Headers = tuple[tuple[str, str], ...]


class Framing(Protocol):
    """How messages become the bytes of a response."""

    media_type: str
    headers: Headers
    opening: bytes
    # Sent after a pause; empty: nothing is sent.
    keepalive: bytes
    # After the last message.
    closing: bytes
    # How long the head may wait for the first message.
    head_wait_s: float

    def begin(self, first_message: Any) -> None:  # noqa: ANN401 -- any message
        """Prepare the head from the first message; None if none has arrived yet."""
        ...

    def message(self, message: Any) -> bytes:  # noqa: ANN401 -- any message
        """One message."""
        ...

    def interruption(self, error: LoupeError | None) -> bytes | None:
        """The last bytes of a stream that an error or the gateway ends; None cuts the response off."""
        ...


def frame(event: str, data: bytes, cursor: str = "") -> bytes:
    """One event; `data` is JSON on one line. A cursor that an id line cannot hold is left out."""
    lines = [b"event: " + event.encode(), b"data: " + data]
    if cursor and not set(cursor) & set("\r\n\0"):
        lines.insert(0, b"id: " + cursor.encode())
    return b"\n".join(lines) + b"\n\n"


class EventFraming:
    """Server-sent events: `id` the message's cursor, `event` its type, `data` its JSON."""

    media_type = "text/event-stream; charset=utf-8"
    # The second header stops nginx from buffering events.
    headers: Headers = (("Cache-Control", "no-store"), ("X-Accel-Buffering", "no"))
    opening = f"retry: {_RECONNECT_MS}\n\n".encode()
    keepalive = b": keepalive\n\n"
    closing = frame("end", b"{}")
    head_wait_s = _REFUSAL_WAIT_S

    def begin(self, first_message: Any) -> None:  # noqa: ANN401 -- any message
        """The head is the same for all."""

    def message(self, message: Any) -> bytes:  # noqa: ANN401 -- any message
        """The event of a message."""
        return frame(message.DESCRIPTOR.name, render(message), getattr(message, "cursor", ""))

    def interruption(self, error: LoupeError | None) -> bytes:
        """Nothing if the reader shall open the stream again, else the problem."""
        # A stream ends with CANCELLED when its server is killed; the error has no class of its own.
        if error is None or error.transient or error.reason == "CANCELLED":
            return b""
        document = json.dumps(problem(error), ensure_ascii=False, separators=(",", ":"))
        return frame("problem", document.encode()) + self.closing


class FileFraming:
    """The bytes of a stream of google.api.HttpBody, saved as `stem` with the extension of their type."""

    media_type = "application/octet-stream"
    extension = ""
    opening = b""
    keepalive = b""
    closing = b""
    head_wait_s = _FIRST_BYTES_WAIT_S

    def __init__(self, stem: str) -> None:
        self._stem = "".join(c for c in stem if c.isascii() and (c.isalnum() or c in "-_."))
        self.headers: Headers = ()
        self.begin(None)

    def begin(self, first_message: Any) -> None:  # noqa: ANN401 -- HttpBody
        """The type is that of the first bytes; the others' are not looked at."""
        self.media_type = getattr(first_message, "content_type", "") or self.media_type
        extension = self.extension or mimetypes.guess_extension(self.media_type.partition(";")[0]) or ".bin"
        self.headers = (
            ("Cache-Control", "no-store"),
            # Stops nginx from buffering it on disk.
            ("X-Accel-Buffering", "no"),
            ("Content-Disposition", f'attachment; filename="{self._stem}{extension}"'),
        )

    def message(self, message: Any) -> bytes:  # noqa: ANN401 -- HttpBody
        """Its bytes."""
        return bytes(message.data)

    def interruption(self, error: LoupeError | None) -> None:
        """None: a file that ended regularly would be taken for complete."""


class LogFraming(FileFraming):
    """The lines of a log as a text file."""

    media_type = "text/plain; charset=utf-8"
    extension = ".log"
    head_wait_s = _REFUSAL_WAIT_S

    def message(self, message: Any) -> bytes:  # noqa: ANN401 -- ReadLogResponse
        """Its lines."""
        return "".join(f"{line}\n" for line in message.lines).encode()


class Streams:
    """All open streams of this process."""

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._draining = asyncio.Event()
        self._feeds = Feeds()
        self._places = stream_places(limits.max_open, limits.max_per_principal)

    @property
    def open_count(self) -> int:
        """How many readers there are."""
        return self._places.taken

    @property
    def check_s(self) -> float:
        """How often the token of a reader is looked at again."""
        return self._limits.check_s

    def drain(self) -> None:
        """End every stream, so that its reader opens it again; new streams end at once."""
        self._draining.set()

    async def serve(  # noqa: PLR0913 -- three of them are ASGI's
        self,
        begin: Callable[[], MessageStream],
        framing: Framing,
        caller: Caller,
        *,
        scope: Scope,
        receive: Receive,
        send: Send,
        following: Following | None = None,
    ) -> None:
        """Pass the stream on until it ends, the reader disconnects, or a limit is reached.

        `begin` makes the reader's own call.
        Errors before the first byte are raised, and answered with their own status. With `following` the
        reader may share a call with others.
        """
        interest = self._feeds.interest(following.key) if following else contextlib.nullcontext()
        with self._places.place(caller.name), interest:
            reader = _Reader(scope, receive, send, self._limits.slow_reader_s)
            async with (
                _task(self._draining.wait()) as draining,
                _task(reader.hung_up()) as hung_up,
                _task(_refusal_of(caller, self._limits.check_s)) as refused,
            ):
                watch = _Watch(framing, reader, following, draining, hung_up, refused)
                watch.deadline_s = time.monotonic() + self._limits.lifetime_s
                try:
                    ending: bytes | _Joined | _FellBehind | None
                    ending = await self._alone(begin(), watch, begun=False)
                    while isinstance(ending, _Joined):
                        ending = await self._together(ending, watch)
                        if isinstance(ending, _FellBehind) and following:
                            ending = await self._alone(following.begin(ending.cursor), watch, begun=True)
                    if isinstance(ending, bytes):
                        await reader.end(ending)
                except TimeoutError:
                    # The response is left unfinished, which makes the server close the connection.
                    _log.warning(
                        "a reader was dropped: it does not read",
                        extra={"path": scope["path"], "slow_reader_s": self._limits.slow_reader_s},
                    )

    async def _alone(
        self, stream: MessageStream, watch: "_Watch", *, begun: bool
    ) -> "bytes | _Joined | None":
        """Pass the messages of a call on; returns the end of the response, None to leave it unfinished."""
        framing, reader = watch.framing, watch.reader
        async with _Messages(stream) as messages:
            if not begun:
                await messages.wait_for_next(framing.head_wait_s, watch.hung_up)
                framing.begin(messages.peek())
                await reader.start(framing)
            while not watch.hung_up.done():
                if watch.over:
                    return watch.interruption()
                pause_s = min(self._limits.keepalive_s, watch.left_s)
                if not await messages.wait_for_next(pause_s, *watch.ends):
                    if framing.keepalive:
                        await reader.write(framing.keepalive)
                    continue
                try:
                    message = messages.take()
                except LoupeError as error:
                    return framing.interruption(error)
                if message is None:
                    return framing.closing
                await reader.write(framing.message(message))
                if watch.following is not None and message.cursor:
                    caught_up = not await messages.wait_for_next(_CAUGHT_UP_S, *watch.ends)
                    joined = self._feeds.join(
                        watch.following, message.cursor, framing.message, caught_up=caught_up
                    )
                    if joined is not None:
                        return _Joined(*joined)
        return None

    async def _together(self, joined: "_Joined", watch: "_Watch") -> "bytes | _FellBehind | None":
        """Pass the events of a feed on from the reader's position."""
        feed, position = joined.feed, joined.position
        wake = asyncio.Event()
        for end in watch.ends:
            end.add_done_callback(lambda _: wake.set())
        with feed.reader(wake):
            while not watch.hung_up.done():
                if watch.over:
                    return watch.interruption()
                wake.clear()
                frames = feed.after(position)
                if frames is None or (not frames and isinstance(feed.error, _REFUSALS)):
                    # Of a refusal too: it is that of the reader that began the shared call.
                    return _FellBehind(joined.cursor)
                if frames:
                    position += len(frames)
                    joined.cursor = feed.cursor_at(position)
                    await watch.reader.write(b"".join(frames))
                elif feed.complete:
                    return watch.framing.closing
                elif feed.ended:
                    return watch.framing.interruption(feed.error)
                elif not await _woken(wake, min(self._limits.keepalive_s, watch.left_s)):
                    await watch.reader.write(watch.framing.keepalive)
        return None


@dataclass(slots=True)
class _Watch:
    """One streamed response, and what may end it from outside."""

    framing: Framing
    reader: "_Reader"
    following: Following | None
    draining: "asyncio.Task[Any]"
    hung_up: "asyncio.Task[Any]"
    refused: "asyncio.Task[LoupeError]"
    deadline_s: float = 0.0

    @property
    def ends(self) -> "tuple[asyncio.Task[Any], ...]":
        """What is done when it may end."""
        return self.draining, self.hung_up, self.refused

    @property
    def left_s(self) -> float:
        """How long it may still last."""
        return self.deadline_s - time.monotonic()

    @property
    def over(self) -> bool:
        """Whether it ends although its reader is there."""
        return self.draining.done() or self.refused.done() or self.left_s <= 0

    def interruption(self) -> bytes | None:
        """Its last bytes then."""
        return self.framing.interruption(self.refused.result() if self.refused.done() else None)


@dataclass(slots=True)
class _Joined:
    """A reader's position in a feed, and the cursor of its last event."""

    feed: Feed
    position: int
    cursor: str = ""

    def __post_init__(self) -> None:
        self.cursor = self.feed.cursor_at(self.position)


@dataclass(frozen=True, slots=True)
class _FellBehind:
    """The next event for the reader is not in the feed any more."""

    cursor: str


async def _refusal_of(caller: Caller, pause_s: float) -> LoupeError:
    """Return when the caller's token is refused, with the refusal."""
    while True:
        await asyncio.sleep(pause_s)
        try:
            await caller.check()
        except _REFUSALS as error:
            return error
        except LoupeError as error:
            # Nobody can revoke a token either while it cannot be verified.
            _log.info("a reader's token could not be verified again", extra={"reason": error.reason})


async def _woken(wake: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await wake.wait()
    except TimeoutError:
        return False
    return True


class _Messages:
    """The messages of a call, read at most one ahead; leaving the block cancels the call."""

    def __init__(self, stream: MessageStream) -> None:
        self._stream = stream
        self._next: asyncio.Task[Any] = asyncio.create_task(stream.read())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stream.cancel()
        await tasks.end(self._next)

    async def wait_for_next(self, timeout_s: float, *ends: "asyncio.Task[Any]") -> bool:
        """Whether there is something to take; False after `timeout_s`, or if one of `ends` is done first."""
        await asyncio.wait({self._next, *ends}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return self._next.done()

    def peek(self) -> Any:  # noqa: ANN401 -- any message
        """The next message without taking it, None if it is not there yet; an error is raised."""
        return self._next.result() if self._next.done() else None

    def take(self) -> Any:  # noqa: ANN401 -- any message
        """The next message, None at the end; an error is raised."""
        message = self._next.result()
        if message is grpc.aio.EOF:
            return None
        self._next = asyncio.create_task(self._stream.read())
        return message


class _Reader:
    """The client side of a response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, slow_reader_s: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._slow_reader_s = slow_reader_s

    async def hung_up(self) -> None:
        """Return when the reader has disconnected."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def start(self, framing: Framing) -> None:
        """Send the head and the opening; TimeoutError, here and below, if the client does not read."""
        headers = (("Content-Type", framing.media_type), *framing.headers)
        raw = [(name.lower().encode(), value.encode()) for name, value in headers]
        await self._within({"type": "http.response.start", "status": 200, "headers": raw})
        await self.write(framing.opening)

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        await self._within({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes) -> None:
        """Send the last bytes."""
        await self._within({"type": "http.response.body", "body": data, "more_body": False})

    async def _within(self, message: dict[str, Any]) -> None:
        async with asyncio.timeout(self._slow_reader_s):
            await self._send(message)


@contextlib.asynccontextmanager
async def _task(coroutine: Any) -> AsyncIterator["asyncio.Task[Any]"]:  # noqa: ANN401 -- any coroutine
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        await tasks.end(task)
