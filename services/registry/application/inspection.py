"""Looking at objects' bytes: are they what their name says, and are they a picture (D4)?"""

import asyncio
import hashlib
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from services.kit.errors import NotFound, OutOfRange
from services.kit.object_store import BlockingObjectStore, ObjectStoreSettings
from services.registry.domain.objects import (
    ImageObject,
    MaskFacts,
    MaskFault,
    RejectedObject,
    Rejection,
    RejectReason,
    Verified,
)
from services.vision.images import UnusableImage, inspect
from services.vision.masks import UnusableMask, read_mask
from services.vision.pictures import LIMITS, MAX_OBJECT_BYTES, sample_key


class Inspector:
    """Fetches, hashes and decodes objects in threads of its own.

    Decoding, hashing and reading from sockets release the interpreter's lock, so threads do; and their number
    bounds the memory: each holds one object of at most 64 MiB and its pixels, at most 240 MB, or twice that
    of a mask.
    """

    def __init__(self, settings: ObjectStoreSettings, *, threads: int) -> None:
        self._store = BlockingObjectStore(settings, connections=threads)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="inspector")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
        self._store.close()

    async def look_at(self, sha256s: Collection[str], *, masks: Collection[str]) -> list[Verified]:
        """What each object is, and what those of `masks` say as masks; Unavailable if the store is away."""
        loop = asyncio.get_running_loop()
        return await asyncio.gather(
            *(
                loop.run_in_executor(self._executor, _look, self._store, sha256, sha256 in masks)
                for sha256 in sha256s
            )
        )


def _look(store: BlockingObjectStore, sha256: str, is_mask: bool) -> Verified:  # noqa: FBT001 -- an executor's call
    """Read one object whole and say what it is. Blocks."""
    try:
        data = store.get_bytes(sample_key(sha256), max_bytes=MAX_OBJECT_BYTES)
    except NotFound:
        message = f"there is no object {sample_key(sha256)}; upload it first"
        return RejectedObject(sha256, 0, Rejection(RejectReason.NOT_UPLOADED, message), read_whole=False)
    except OutOfRange as error:
        size_bytes = int(error.facts["size_bytes"])
        message = f"the object has {size_bytes:,} bytes; the limit is {MAX_OBJECT_BYTES:,}"
        return RejectedObject(
            sha256, size_bytes, Rejection(RejectReason.TOO_LARGE, message), read_whole=False
        )
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        message = (
            f"the object {sample_key(sha256)} holds bytes whose SHA-256 is {found}; upload the right ones"
        )
        return _rejected(sha256, len(data), RejectReason.HASH_MISMATCH, message)
    try:
        # The name without an extension: whether one fits is judged by file, the facts are the bytes' own.
        facts = inspect(data, "the file", LIMITS)
        mask = _as_mask(data) if is_mask else None
    except UnusableImage as unusable:
        return _rejected(sha256, len(data), RejectReason(unusable.reason), unusable.message)
    return ImageObject(
        sha256=sha256,
        size_bytes=len(data),
        width=facts.width,
        height=facts.height,
        channels=facts.channels,
        bit_depth=facts.bit_depth,
        format=facts.format.upper(),
        pixels_sha256=facts.pixels_sha256,
        mask=mask,
    )


def _as_mask(data: bytes) -> MaskFacts:
    readings = read_mask(data)
    return MaskFacts(
        black_and_white=_fault(readings.black_and_white),
        indexed=_fault(readings.indexed),
        largest_index=readings.largest_index,
    )


def _fault(unusable: UnusableMask | None) -> MaskFault | None:
    return None if unusable is None else MaskFault(unusable.message, unusable.message_zh)


def _rejected(sha256: str, size_bytes: int, reason: RejectReason, message: str) -> RejectedObject:
    return RejectedObject(sha256, size_bytes, Rejection(reason, message))
