"""Streams of messages to HTTP readers: server-sent events that resume, files, and logs as files.

Nothing is kept for a reader: the next message is taken from the service only when the one before went out, so
a slow reader slows its own call (gRPC's flow control), and one that does not read for `slow_reader_s` is
dropped. Those who follow the same share one call where they can (`gateway.feeds`).

An event stream tells its reader how it ended. `event: end` means that there is nothing more to come: close. A
stream that just stops (a service went away, the gateway restarts, its lifetime is over) is to be opened again
with `Last-Event-ID`. `event: problem` holds the problem that ended it, and `end` follows.
"""

import asyncio
import contextlib
import json
import logging
import mimetypes
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

import grpc
from starlette.types import Receive, Scope, Send

from gateway.backends import MessageStream
from gateway.feeds import Feed, Feeds, Following
from gateway.json_mapping import render
from gateway.problems import problem
from services.kit import tasks
from services.kit.errors import LoupeError, ResourceExhausted

_log = logging.getLogger(__name__)

_RECONNECT_MS = 1000
# A refusal comes within milliseconds; a watch may have nothing to say for minutes, and its reader wants to
# know that it is open. The head of a file says what it is, which only its first message knows.
_REFUSAL_WAIT_S = 1.0
_FIRST_BYTES_WAIT_S = 30.0
# A call that replays has its next message at once.
_CAUGHT_UP_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What a stream may take."""

    keepalive_s: float = 15.0
    slow_reader_s: float = 30.0
    # Bounds how long a revoked token goes on reading.
    lifetime_s: float = 3600.0
    max_open: int = 2000


Headers = tuple[tuple[str, str], ...]


class Framing(Protocol):
    """How messages become the bytes of a response."""

    media_type: str
    headers: Headers
    opening: bytes
    # Sent when nothing else was for a while; empty: nothing.
    keepalive: bytes
    # After the last message.
    closing: bytes
    # How long the head may wait for the first message.
    head_wait_s: float

    def begin(self, first_message: Any) -> None:  # noqa: ANN401 -- any message
        """What the head may depend on: the first message, or None if none came yet."""
        ...

    def message(self, message: Any) -> bytes:  # noqa: ANN401 -- any message
        """One message."""
        ...

    def interruption(self, error: LoupeError | None) -> bytes | None:
        """What ends a stream that did not come to its end, by an error or our own wish; None cuts it off."""
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
    # The second keeps nginx from collecting events.
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
        """Nothing where the reader should come again, the problem where that is of no use."""
        # CANCELLED has no class of its own; it is how a stream ends when its server stops at once.
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
            # Keeps nginx from writing it to a disk of its own first.
            ("X-Accel-Buffering", "no"),
            ("Content-Disposition", f'attachment; filename="{self._stem}{extension}"'),
        )

    def message(self, message: Any) -> bytes:  # noqa: ANN401 -- HttpBody
        """Its bytes."""
        return bytes(message.data)

    def interruption(self, error: LoupeError | None) -> None:
        """Cut off: a file that ended well would pass for the whole."""


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
        self._open = 0

    @property
    def open_count(self) -> int:
        """How many readers there are."""
        return self._open

    def drain(self) -> None:
        """End every stream so that its reader opens it elsewhere; new ones end at once."""
        self._draining.set()

    async def serve(  # noqa: PLR0913 -- three of them are ASGI's
        self,
        stream: MessageStream,
        framing: Framing,
        *,
        scope: Scope,
        receive: Receive,
        send: Send,
        following: Following | None = None,
    ) -> None:
        """Pass the stream on until it ends, its reader goes, or either is not worth waiting for.

        Failures before the first byte are raised: they are answered with a status of their own. With
        `following` the reader may go on with others on one call.
        """
        with self._counted(stream), self._feeds.interest(following.key) if following else _nothing():
            reader = _Reader(scope, receive, send, self._limits.slow_reader_s)
            async with _task(self._draining.wait()) as draining, _task(reader.hung_up()) as hung_up:
                watch = _Watch(framing, reader, following, draining, hung_up)
                watch.deadline_s = time.monotonic() + self._limits.lifetime_s
                try:
                    ending: bytes | _Joined | _FellBehind | None
                    ending = await self._alone(stream, watch, begun=False)
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
        """Pass the messages of a call on; returns what ends the response, None to leave it unfinished."""
        framing, reader, ends = watch.framing, watch.reader, (watch.draining, watch.hung_up)
        async with _Messages(stream) as messages:
            if not begun:
                await messages.wait_for_next(framing.head_wait_s, watch.hung_up)
                framing.begin(messages.peek())
                await reader.start(framing)
            while not watch.hung_up.done():
                left_s = watch.deadline_s - time.monotonic()
                if watch.draining.done() or left_s <= 0:
                    return framing.interruption(None)
                if not await messages.wait_for_next(min(self._limits.keepalive_s, left_s), *ends):
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
                    caught_up = not await messages.wait_for_next(_CAUGHT_UP_S, *ends)
                    joined = self._feeds.join(
                        watch.following, message.cursor, framing.message, caught_up=caught_up
                    )
                    if joined is not None:
                        return _Joined(*joined)
        return None

    async def _together(self, joined: "_Joined", watch: "_Watch") -> "bytes | _FellBehind | None":
        """Pass a feed on from that place."""
        feed, position = joined.feed, joined.position
        wake = asyncio.Event()
        for end in (watch.draining, watch.hung_up):
            end.add_done_callback(lambda _: wake.set())
        with feed.reader(wake):
            while not watch.hung_up.done():
                left_s = watch.deadline_s - time.monotonic()
                if watch.draining.done() or left_s <= 0:
                    return watch.framing.interruption(None)
                wake.clear()
                frames = feed.after(position)
                if frames is None:
                    return _FellBehind(joined.cursor)
                if frames:
                    position += len(frames)
                    joined.cursor = feed.cursor_at(position)
                    await watch.reader.write(b"".join(frames))
                elif feed.complete:
                    return watch.framing.closing
                elif feed.ended:
                    return watch.framing.interruption(feed.error)
                elif not await _woken(wake, min(self._limits.keepalive_s, left_s)):
                    await watch.reader.write(watch.framing.keepalive)
        return None

    @contextlib.contextmanager
    def _counted(self, stream: MessageStream) -> Iterator[None]:
        if self._open >= self._limits.max_open:
            stream.cancel()
            raise ResourceExhausted(
                f"{self._open} streams are open, which is the limit; try again later",
                reason="TOO_MANY_STREAMS",
            )
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


@dataclass(slots=True)
class _Watch:
    """One response on its way, and what may end it from outside."""

    framing: Framing
    reader: "_Reader"
    following: Following | None
    draining: "asyncio.Task[Any]"
    hung_up: "asyncio.Task[Any]"
    deadline_s: float = 0.0


@dataclass(slots=True)
class _Joined:
    """A reader's place in a feed, and the cursor of what it has."""

    feed: Feed
    position: int
    cursor: str = ""

    def __post_init__(self) -> None:
        self.cursor = self.feed.cursor_at(self.position)


@dataclass(frozen=True, slots=True)
class _FellBehind:
    """What the reader lacks is not in the feed any more."""

    cursor: str


def _nothing() -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


async def _woken(wake: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await wake.wait()
    except TimeoutError:
        return False
    return True


class _Messages:
    """The messages of a call, one ahead at most; leaving the block cancels the call."""

    def __init__(self, stream: MessageStream) -> None:
        self._stream = stream
        self._next: asyncio.Task[Any] = asyncio.create_task(stream.read())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stream.cancel()
        await tasks.end(self._next)

    async def wait_for_next(self, timeout_s: float, *ends: "asyncio.Task[Any]") -> bool:
        """Whether there is something to take; False after `timeout_s`, or if one of `ends` came first."""
        await asyncio.wait({self._next, *ends}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return self._next.done()

    def peek(self) -> Any:  # noqa: ANN401 -- any message
        """What came, which is still to be taken; None if nothing did. A failure is raised."""
        return self._next.result() if self._next.done() else None

    def take(self) -> Any:  # noqa: ANN401 -- any message
        """What came: a message, None at the end; failures are raised."""
        message = self._next.result()
        if message is grpc.aio.EOF:
            return None
        self._next = asyncio.create_task(self._stream.read())
        return message


class _Reader:
    """The other end of a response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, slow_reader_s: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._slow_reader_s = slow_reader_s

    async def hung_up(self) -> None:
        """Return when the reader has hung up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def start(self, framing: Framing) -> None:
        """Send the head and the opening; TimeoutError, as in all that follows, if nobody reads."""
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
