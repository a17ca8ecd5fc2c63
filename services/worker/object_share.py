"""Gives a child the objects of its job, and no others: the child has no key of the object store.

Parent and child share pairs of sockets, for as many reads at a time. A request is a line with a key. Its
answer is a line with a size, and so many bytes; or `?` where the store has none, or `!` and why there are
none. A connection that breaks off in the middle of an object is a failed read.

The order says which objects those are: what its fields name, and the samples and masks that the manifests
among them list. The child's side is `services.vision.sources`.
"""

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import AsyncIterator, Iterator

from google.protobuf.message import Message
from loupe.errors import LoupeError, NotFound

from services.kit import tasks
from services.kit.object_store import ObjectStore

_log = logging.getLogger(__name__)

CONNECTIONS = 32
_CHUNK_BYTES = 1024 * 1024
_MAX_KEY_BYTES = 256
_NAMED = re.compile(
    r"(?:manifests/(?P<manifest>[0-9a-f]{64})\.jsonl|splits/(?P<split>[0-9a-f]{64})\.jsonl"
    r"|(?:weights|checkpoints)/(?P<network>[0-9a-f]{64})\.safetensors)"
)
_SAMPLE = re.compile(r"samples/(?P<sample>[0-9a-f]{64})")
_LISTED = re.compile(rb'"(?:mask_)?sha256": ?"([0-9a-f]{64})"')
_LONGEST_ENTRY_BYTES = 100


class ObjectShare:
    """The objects of the order that the child has, over the sockets of the child that lives now."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._named: frozenset[str] = frozenset()
        # Sixty bits of each hash: a million samples in a third of the memory.
        self._listed: set[int] = set()

    def grant(self, order: Message) -> None:
        """From now on what this order names, and nothing of the one before."""
        self._named = frozenset(_hashes(order))
        self._listed = set()

    def revoke(self) -> None:
        """Nothing, until the next order."""
        self._named, self._listed = frozenset(), set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[list[socket.socket]]:
        """The sockets that a child inherits, which are then to be closed here; served until the end."""
        pairs = [socket.socketpair() for _ in range(CONNECTIONS)]
        served = [asyncio.create_task(self._serve(ours)) for ours, _ in pairs]
        try:
            yield [theirs for _, theirs in pairs]
        finally:
            for _, theirs in pairs:
                theirs.close()
            await tasks.end(*served)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=_MAX_KEY_BYTES)
        try:
            while line := await reader.readline():
                await self._answer(line.decode("ascii").rstrip("\n"), writer)
        except (OSError, ValueError, LoupeError) as error:
            # The child is gone, asked for what is no key, or the store broke off.
            _log.debug("a connection of the child ends", extra={"error": repr(error)})
        finally:
            writer.close()

    async def _answer(self, key: str, writer: asyncio.StreamWriter) -> None:
        if not self._may_read(key):
            _log.warning("the child asked for an object that is not of its job", extra={"key": key})
            writer.write(b"!it is not of this job\n")
            return
        try:
            size_bytes = (await self._objects.stat(key)).size_bytes
        except NotFound:
            writer.write(b"?\n")
            return
        except LoupeError as error:
            writer.write(b"!" + error.message.replace("\n", " ").encode() + b"\n")
            return
        writer.write(b"%d\n" % size_bytes)
        listed = self._listed if _is_manifest(key) else None
        rest = b""
        async for chunk in self._objects.stream(key, chunk_bytes=_CHUNK_BYTES):
            if listed is not None:
                # Before the child has them.
                rest = await asyncio.to_thread(_add_listed, listed, rest + chunk)
            writer.write(chunk)
            await writer.drain()

    def _may_read(self, key: str) -> bool:
        if found := _NAMED.fullmatch(key):
            return found[found.lastgroup or 0] in self._named
        sample = _SAMPLE.fullmatch(key)
        return sample is not None and _short(sample["sample"]) in self._listed


def _is_manifest(key: str) -> bool:
    return key.startswith("manifests/")


def _add_listed(listed: set[int], data: bytes) -> bytes:
    """Adds the hashes in a part of a manifest; returns its end, in which one may begin."""
    listed.update(_short(found.decode()) for found in _LISTED.findall(data))
    return data[-_LONGEST_ENTRY_BYTES:]


def _short(sha256: str) -> int:
    return int(sha256[:15], 16)


def _hashes(message: Message) -> Iterator[str]:
    """The values of all fields of a message that are hashes of content, in its messages too."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            # Of a map, the keys: they are no messages of ours.
            parts = value if field.is_repeated else [value]
            yield from (found for part in parts if isinstance(part, Message) for found in _hashes(part))
        elif field.type == field.TYPE_STRING and field.name.endswith("sha256"):
            yield from value if field.is_repeated else [value]
