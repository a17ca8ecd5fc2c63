"""Inspecting the bytes of objects: do they have the declared hash, and are they an image (D4)?

Uploads arrive under names of their own. What has the declared hash is written to its content address from
here: the bytes that were read, not those that a link may have changed since.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Self

from loupe.errors import NotFound, OutOfRange
from loupe.image_files import UnusableImage

from services.kit.object_store import BlockingObjectStore, ObjectStoreSettings, content_key
from services.kit.orphans import ORPHAN_GRACE
from services.kit.presigning import INCOMING
from services.registry.application.examining import found
from services.registry.domain.objects import ImageObject, RejectedObject, Rejection, RejectReason, Verified
from services.registry.domain.uploads import Upload
from services.vision.decoders import Decoders, NotDecoded
from services.vision.pictures import sample_key, type_of_format
from services.vision.thumbnails import MAX_OBJECT_BYTES

_WRITTEN_AT_ONCE = 8
_SMALL_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object to look at."""

    sha256: str
    uploads: tuple[Upload, ...] = ()
    """Where its bytes may have arrived; the first that has them counts."""
    is_mask: bool = False
    known: ImageObject | None = None
    """What rows say of it: its bytes are written, whatever else is found."""
    again: bool = False
    """What is known does not do: it is to be read again."""


@dataclass(slots=True)
class Looked:
    """What was found of an object."""

    found: Verified
    spent: list[Upload] = field(default_factory=list)
    """Uploads that serve nothing any more: what they hold was written, is wrong, or can be no sample."""


class Inspector:
    """Fetches and hashes objects in its own threads, and has them decoded in confined processes.

    Hashing stays here: what a content address is worth must not depend on a process that reads files of
    strangers. An object is fetched when it is its turn, and few large ones are in memory until they are
    written.
    """

    def __init__(self, settings: ObjectStoreSettings, decoders: Decoders) -> None:
        self.decoders = decoders
        threads = decoders.count + _WRITTEN_AT_ONCE
        self._store = BlockingObjectStore(settings, connections=threads)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="inspector")
        self._large = asyncio.Semaphore(decoders.count)
        self._small = asyncio.Semaphore(decoders.count + _WRITTEN_AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
        self._store.close()

    async def look_at(self, wanted: Sequence[Wanted]) -> list[Looked]:
        """The finding for each object, in their order; Unavailable.

        Images are then at their content address, and not durable yet.
        """
        return await asyncio.gather(*(self._look(one) for one in wanted))

    async def _look(self, wanted: Wanted) -> Looked:
        arrived: list[_Arrived] = []
        async with AsyncExitStack() as held:

            async def read() -> Sequence[bytes]:
                loop = asyncio.get_running_loop()
                arrived.append(await loop.run_in_executor(self._executor, _fetch, self._store, wanted))
                data = arrived[0].data
                # Until it is written: decoding ends earlier.
                await held.enter_async_context(self._large if len(data) > _SMALL_BYTES else self._small)
                return [data]

            try:
                answer = await self.decoders.work("examine", read, is_mask=wanted.is_mask)
                verified: Verified = found(wanted.sha256, len(arrived[0].data), answer)
            except _Refused as refused:
                return Looked(await self._kept(wanted) or refused.rejected, refused.wrong)
            except UnusableImage as unusable:
                verified = RejectedObject(
                    wanted.sha256,
                    len(arrived[0].data),
                    Rejection(RejectReason(unusable.reason), unusable.message),
                    final=not isinstance(unusable, NotDecoded),
                )
            return await self._placed(wanted, arrived[0], verified)

    async def _kept(self, wanted: Wanted) -> ImageObject | None:
        """What is known, and at its content address whatever was uploaded since."""
        if wanted.known is None or wanted.known.damaged or wanted.again:
            return None
        is_there = await asyncio.get_running_loop().run_in_executor(
            self._executor, self._store.holds, sample_key(wanted.sha256), wanted.known.size_bytes
        )
        return wanted.known if is_there else None

    async def _placed(self, wanted: Wanted, arrived: "_Arrived", verified: Verified) -> Looked:
        image = wanted.known or verified
        if isinstance(image, ImageObject):
            if arrived.upload is not None or wanted.known is None:
                await asyncio.get_running_loop().run_in_executor(
                    self._executor, _place, self._store, image, arrived.data
                )
        elif not image.final:
            # It may be decoded at the next import, which then need not upload it again.
            return Looked(verified, arrived.wrong)
        used = [] if arrived.upload is None else [arrived.upload]
        is_known_again = wanted.known is not None and not wanted.again
        return Looked(image if is_known_again else verified, [*arrived.wrong, *used])


@dataclass(frozen=True, slots=True)
class _Arrived:
    data: bytes
    upload: Upload | None
    """None: they are at the content address already."""
    wrong: list[Upload]


class _Refused(Exception):
    """The object is not decoded at all."""

    def __init__(self, rejected: RejectedObject, wrong: list[Upload]) -> None:
        super().__init__(rejected.rejection.message)
        self.rejected = rejected
        self.wrong = wrong


def incoming_key(name: str) -> str:
    """Where the upload of that name arrives."""
    return content_key(INCOMING, name)


def _fetch(store: BlockingObjectStore, wanted: Wanted) -> _Arrived:
    """Bytes with the declared hash, from an upload or the content address. Raises _Refused. Blocks."""
    refused: RejectedObject | None = None
    wrong: list[Upload] = []
    for upload in wanted.uploads:
        if upload.size_bytes is not None and upload.size_bytes > MAX_OBJECT_BYTES:
            read: bytes | RejectedObject = _too_large(wanted.sha256, upload.size_bytes)
        else:
            read = _read(store, incoming_key(upload.name), wanted.sha256, upload.part)
        if isinstance(read, bytes):
            return _Arrived(read, upload, wrong)
        if read.rejection.reason is not RejectReason.NOT_UPLOADED:
            refused = read
            wrong.append(upload)
    if _may_be_placed(store, wanted):
        read = _read(store, sample_key(wanted.sha256), wanted.sha256)
        if isinstance(read, bytes):
            return _Arrived(read, None, wrong)
        refused = refused or read
    raise _Refused(refused or _missing(wanted.sha256), wrong)


def _may_be_placed(store: BlockingObjectStore, wanted: Wanted) -> bool:
    """Whether the content address is to be read too.

    What is known is there, and read if it is a mask now or other rules hold. What is not
    may have been written just before its row would have been, or by an earlier version's link.
    """
    if wanted.known is not None:
        return wanted.again
    try:
        # An older one may be deleted as an orphan at any moment.
        return store.stat(sample_key(wanted.sha256)).age < ORPHAN_GRACE / 2
    except NotFound:
        return False


def _read(
    store: BlockingObjectStore, key: str, sha256: str, part: tuple[int, int] | None = None
) -> bytes | RejectedObject:
    """The whole object or a part of it, if it has the declared hash; else why not."""
    try:
        data = store.get_bytes(key, max_bytes=MAX_OBJECT_BYTES, part=part)
    except NotFound:
        return _missing(sha256)
    except OutOfRange as error:
        return _too_large(sha256, int(error.facts["size_bytes"]))
    actual = hashlib.sha256(data).hexdigest()
    if actual == sha256:
        return data
    message = f"the upload of {sha256} holds bytes whose SHA-256 is {actual}; upload the right ones"
    return _rejected(sha256, len(data), RejectReason.HASH_MISMATCH, message)


def _place(store: BlockingObjectStore, image: ImageObject, data: bytes) -> None:
    """Write verified bytes to their content address, where no link can change them. Blocks."""
    store.put_bytes(sample_key(image.sha256), data, content_type=type_of_format(image.format))


def _missing(sha256: str) -> RejectedObject:
    message = f"there is no object {sample_key(sha256)}; upload it first"
    return _rejected(sha256, 0, RejectReason.NOT_UPLOADED, message)


def _too_large(sha256: str, size_bytes: int) -> RejectedObject:
    message = f"the object has {size_bytes:,} bytes; the limit is {MAX_OBJECT_BYTES:,}"
    return _rejected(sha256, size_bytes, RejectReason.TOO_LARGE, message)


def _rejected(sha256: str, size_bytes: int, reason: RejectReason, message: str) -> RejectedObject:
    """For now: another upload may be right."""
    return RejectedObject(sha256, size_bytes, Rejection(reason, message), final=False)
