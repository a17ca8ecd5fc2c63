"""Inspecting the bytes of objects: do they have the declared hash, and are they an image (D4)?"""

import asyncio
import hashlib
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from loupe.errors import NotFound, OutOfRange
from loupe.image_files import UnusableImage

from services.kit.object_store import BlockingObjectStore, ObjectStoreSettings
from services.registry.application.examining import found
from services.registry.domain.objects import RejectedObject, Rejection, RejectReason, Verified
from services.vision.decoders import Decoders, NotDecoded
from services.vision.pictures import sample_key
from services.vision.thumbnails import MAX_OBJECT_BYTES


class Inspector:
    """Fetches and hashes objects in its own threads, and has them decoded in confined processes.

    Hashing stays here: what a content address is worth must not depend on a process that reads files of
    strangers. An object is fetched when it is its turn, so that no more are in memory than are decoded.
    """

    def __init__(self, settings: ObjectStoreSettings, decoders: Decoders) -> None:
        self.decoders = decoders
        self._store = BlockingObjectStore(settings, connections=decoders.count)
        self._executor = ThreadPoolExecutor(decoders.count, thread_name_prefix="inspector")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
        self._store.close()

    async def look_at(self, sha256s: Collection[str], *, masks: Collection[str]) -> list[Verified]:
        """The finding for each object, with mask facts for those of `masks`; Unavailable."""
        return await asyncio.gather(*(self._look(sha256, is_mask=sha256 in masks) for sha256 in sha256s))

    async def _look(self, sha256: str, *, is_mask: bool) -> Verified:
        size_bytes = 0

        async def read() -> Sequence[bytes]:
            nonlocal size_bytes
            loop = asyncio.get_running_loop()
            data = await loop.run_in_executor(self._executor, _fetch, self._store, sha256)
            size_bytes = len(data)
            return [data]

        try:
            answer = await self.decoders.work("examine", read, is_mask=is_mask)
        except _Refused as refused:
            return refused.rejected
        except UnusableImage as unusable:
            return RejectedObject(
                sha256,
                size_bytes,
                Rejection(RejectReason(unusable.reason), unusable.message),
                final=not isinstance(unusable, NotDecoded),
            )
        return found(sha256, size_bytes, answer)


class _Refused(Exception):
    """The object is not decoded at all."""

    def __init__(self, rejected: RejectedObject) -> None:
        super().__init__(rejected.rejection.message)
        self.rejected = rejected


def _fetch(store: BlockingObjectStore, sha256: str) -> bytes:
    """The whole object, if it has the declared hash. Blocks."""
    try:
        data = store.get_bytes(sample_key(sha256), max_bytes=MAX_OBJECT_BYTES)
    except NotFound:
        message = f"there is no object {sample_key(sha256)}; upload it first"
        raise _refused(sha256, 0, RejectReason.NOT_UPLOADED, message, final=False) from None
    except OutOfRange as error:
        size_bytes = int(error.facts["size_bytes"])
        message = f"the object has {size_bytes:,} bytes; the limit is {MAX_OBJECT_BYTES:,}"
        raise _refused(sha256, size_bytes, RejectReason.TOO_LARGE, message, final=False) from None
    actual = hashlib.sha256(data).hexdigest()
    if actual != sha256:
        message = (
            f"the object {sample_key(sha256)} holds bytes whose SHA-256 is {actual}; upload the right ones"
        )
        raise _refused(sha256, len(data), RejectReason.HASH_MISMATCH, message, final=True)
    return data


def _refused(sha256: str, size_bytes: int, reason: RejectReason, message: str, *, final: bool) -> _Refused:
    return _Refused(RejectedObject(sha256, size_bytes, Rejection(reason, message), final=final))
