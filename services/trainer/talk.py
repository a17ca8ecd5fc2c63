"""One end of a connection between the host that leads a training and one that follows: messages and pings."""

import asyncio
from collections.abc import AsyncIterator
from typing import Self

from google.protobuf.message import DecodeError
from loupe.errors import Unavailable
from loupe.translation import Sentence, sentence
from loupe.worker.v1 import meeting_pb2

from services.kit import tasks

PING_S = 2.0
SILENCE_S = 15.0
"""Who was not heard of for so long is lost."""
_MOST_BYTES = 16 * 2**20
_FIRST_MOST_BYTES = 64 * 1024


class HostLost(Unavailable):
    """The other host is gone, or does not answer; `did` says what it did."""

    reason = "HOST_LOST"

    def __init__(self, did: Sentence) -> None:
        super().__init__(did.english)
        self.did = did


class Talk:
    """Messages of `loupe.worker.v1.MeetingMessage`. Entered as a context it pings, and closes at the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        # Now: a connection that is closed tells neither.
        self._peer, self._own_address = (
            str((writer.get_extra_info(name) or ["unknown"])[0]) for name in ("peername", "sockname")
        )
        self._pinging: asyncio.Task[None] | None = None

    @property
    def peer(self) -> str:
        """The other's address, for people."""
        return self._peer

    @property
    def own_address(self) -> str:
        """This end's, on the network that leads to the other."""
        return self._own_address

    async def send(self, message: meeting_pb2.MeetingMessage) -> None:
        """Send it. HostLost."""
        data = message.SerializeToString()
        try:
            async with asyncio.timeout(SILENCE_S):
                self._writer.write(len(data).to_bytes(4, "big") + data)
                await self._writer.drain()
        except (OSError, RuntimeError) as error:
            raise HostLost(sentence("it closed the connection")) from error
        except TimeoutError as error:
            raise HostLost(sentence("it took nothing for {silence_s:g} s", silence_s=SILENCE_S)) from error

    async def first(self) -> meeting_pb2.MeetingMessage:
        """The first message of a connection. HostLost."""
        return await self._next(_FIRST_MOST_BYTES)

    async def messages(self) -> AsyncIterator[meeting_pb2.MeetingMessage]:
        """What comes, without pings, until HostLost."""
        while True:
            message = await self._next(_MOST_BYTES)
            if not message.HasField("ping"):
                yield message

    def close(self) -> None:
        """End the connection."""
        self._writer.close()

    async def __aenter__(self) -> Self:
        self._pinging = asyncio.create_task(self._ping())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pinging is not None:
            await tasks.end(self._pinging)
        self.close()

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_S)
            try:
                await self.send(meeting_pb2.MeetingMessage(ping=meeting_pb2.Ping()))
            except HostLost:
                self.close()  # who waits for a message notices
                return

    async def _next(self, most_bytes: int) -> meeting_pb2.MeetingMessage:
        try:
            async with asyncio.timeout(SILENCE_S):
                size = int.from_bytes(await self._reader.readexactly(4), "big")
                if size > most_bytes:
                    raise HostLost(sentence("it sent a message that is too long ({size} bytes)", size=size))
                return meeting_pb2.MeetingMessage.FromString(await self._reader.readexactly(size))
        except TimeoutError as error:
            raise HostLost(sentence("it was silent for {silence_s:g} s", silence_s=SILENCE_S)) from error
        except (OSError, EOFError) as error:
            raise HostLost(sentence("it closed the connection")) from error
        except DecodeError as error:
            raise HostLost(sentence("it sent what is no message")) from error


async def splice(
    one: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    other: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Pass on bytes both ways until either end closes; then both are closed."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()

    copies = [
        asyncio.create_task(copy(one[0], other[1])),
        asyncio.create_task(copy(other[0], one[1])),
    ]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await tasks.end(*copies)
        one[1].close()
        other[1].close()
