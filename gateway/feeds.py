"""One call for all who follow the same thing: 500 readers of a curve are one watch of the scheduler.

A reader begins with a call of its own, under its own token and from its own cursor. When it has what the
others have, it goes on with their feed, which keeps the latest events and nothing for anybody: a reader that
falls behind them goes back to a call of its own, from where it is.
"""

import asyncio
import collections
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from gateway.backends import MessageStream
from services.kit import tasks
from services.kit.errors import LoupeError

_log = logging.getLogger(__name__)

_KEPT_EVENTS = 256
_KEPT_BYTES = 1024 * 1024
# Waking a reader and writing to it costs about as much: many readers get several events at once instead of
# keeping this process from everybody else. 500 readers: at most 200 ms later.
_PACE_S_A_READER = 0.0004


@dataclass(frozen=True, slots=True)
class Following:
    """What a reader follows: readers of one key see the same; `begin` makes a call of the reader's own."""

    key: bytes
    begin: Callable[[str], MessageStream]


class Feed:
    """The latest events of one call, by their place in its sequence."""

    def __init__(self, stream: MessageStream, cursor: str, frame: Callable[[Any], bytes]) -> None:
        self._stream = stream
        self._frame = frame
        self._frames: collections.deque[bytes] = collections.deque()
        # One more than frames: where each begins, and where the next will.
        self._cursors: collections.deque[str] = collections.deque([cursor])
        self._first_position = 0
        self._kept_bytes = 0
        self._readers: set[asyncio.Event] = set()
        self._new_events = asyncio.Event()
        self.ended = False
        # It came to its end, and was not cut off.
        self.complete = False
        self.error: LoupeError | None = None

    @property
    def reader_count(self) -> int:
        """How many follow it."""
        return len(self._readers)

    def position_of(self, cursor: str) -> int | None:
        """Where a reader with that cursor goes on; None if the feed does not know that place."""
        for position, kept_cursor in enumerate(self._cursors):
            if kept_cursor == cursor:
                return self._first_position + position
        return None

    def cursor_at(self, position: int) -> str:
        """The cursor of a place that `after` has just reached."""
        return self._cursors[position - self._first_position]

    def after(self, position: int) -> list[bytes] | None:
        """The events from that place on; None if the first of them is kept no more."""
        if position < self._first_position:
            return None
        return [self._frames[index] for index in range(position - self._first_position, len(self._frames))]

    @contextlib.contextmanager
    def reader(self, wake: asyncio.Event) -> Iterator[None]:
        """Be woken by news."""
        self._readers.add(wake)
        try:
            yield
        finally:
            self._readers.discard(wake)

    async def run(self) -> None:
        """Take the call's messages until it ends; then `ended`."""
        waking = asyncio.create_task(self._wake())
        try:
            while (message := await self._stream.read()) is not grpc.aio.EOF:
                self._keep(self._frame(message), message.cursor)
                self._new_events.set()
            self.complete = True
        except LoupeError as error:
            self.error = error
        except Exception:  # noqa: BLE001 -- the boundary: its readers open their streams again
            _log.exception("a feed failed")
        finally:
            self.ended = True
            self._stream.cancel()
            await tasks.end(waking)
            for reader in self._readers:
                reader.set()

    def _keep(self, frame: bytes, cursor: str) -> None:
        self._frames.append(frame)
        self._cursors.append(cursor)
        self._kept_bytes += len(frame)
        while len(self._frames) > _KEPT_EVENTS or (self._kept_bytes > _KEPT_BYTES and len(self._frames) > 1):
            self._kept_bytes -= len(self._frames.popleft())
            self._cursors.popleft()
            self._first_position += 1

    async def _wake(self) -> None:
        while True:
            await self._new_events.wait()
            self._new_events.clear()
            for reader in self._readers:
                reader.set()
            await asyncio.sleep(len(self._readers) * _PACE_S_A_READER)


class Feeds:
    """The feeds of this process, each for as long as it has readers."""

    def __init__(self) -> None:
        self._feeds: dict[bytes, Feed] = {}
        self._running: dict[bytes, asyncio.Task[None]] = {}
        self._interested: collections.Counter[bytes] = collections.Counter()

    @contextlib.contextmanager
    def interest(self, key: bytes) -> Iterator[None]:
        """Count a reader; the feed of the last one ends."""
        self._interested[key] += 1
        try:
            yield
        finally:
            self._interested[key] -= 1
            if not self._interested[key]:
                del self._interested[key]
                self._drop(key)

    def join(
        self, following: Following, cursor: str, frame: Callable[[Any], bytes], *, caught_up: bool
    ) -> tuple[Feed, int] | None:
        """A feed and the reader's place in it; None if the reader is better off alone, for now."""
        feed = self._feeds.get(following.key)
        if feed is not None and not feed.ended:
            position = feed.position_of(cursor)
            return None if position is None else (feed, position)
        if not caught_up or self._interested[following.key] < 2:
            return None
        self._drop(following.key)
        feed = Feed(following.begin(cursor), cursor, frame)
        self._feeds[following.key] = feed
        self._running[following.key] = asyncio.create_task(feed.run(), name="feed")
        return feed, 0

    def _drop(self, key: bytes) -> None:
        self._feeds.pop(key, None)
        running = self._running.pop(key, None)
        if running is not None:
            running.cancel()
