"""Small pictures in object storage: made once, found by what they were made of. No torch."""

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from weakref import WeakValueDictionary

from loupe.errors import NotFound
from loupe.image_files import FORMAT_OF_SUFFIX

from services.kit.object_store import ObjectStore, content_key
from services.vision.decoders import Decoders
from services.vision.thumbnails import MAX_OBJECT_BYTES

LINK_LIFE = timedelta(minutes=10)
KEPT = timedelta(days=30)
"""How long a picture stays after it was made; who asks for an older one has it made again."""
_VERSION = "2"
"""Changes when the pictures do: those of another version are then not found."""
_PREFIX = "pictures"
OPAQUE = "application/octet-stream"
"""The content type of what is no picture: browsers save it."""


class PictureStore:
    """Pictures by presigned links: their bytes never go through a service.

    A key is the hash of the recipe: the drawing's version, the content hashes of what it shows, and words.
    Whoever asks for the same picture of the same content, in whichever service, finds it.
    """

    def __init__(self, store: ObjectStore, decoders: Decoders) -> None:
        self._store = store
        self._decoders = decoders
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def thumbnail(self, sha256: str) -> str:
        """The key of a sample's thumbnail. Raises UnusableImage."""
        return await self.make(("thumbnail", sha256), ".jpg", "thumbnail", [sample_key(sha256)])

    async def make(
        self, recipe: tuple[object, ...], suffix: str, work: str, sources: Sequence[str], **order: object
    ) -> str:
        """The key of the picture that the recipe tells of.

        If it is not there, a decoder draws it from the objects `sources`, as `work` and `order` say. Raises
        UnusableImage.
        """
        digest = hashlib.sha256(repr((_VERSION, *recipe)).encode()).hexdigest()
        key = content_key(_PREFIX, digest, suffix)
        if not await self._is_there(key):
            # Twenty viewers of one page ask for the same picture: the first makes it, and the others wait.
            async with self._making.setdefault(key, asyncio.Lock()):
                if not await self._is_there(key):
                    drawn = await self._decoders.work(work, lambda: self._read_all(sources), **order)
                    await self._store.put_bytes(
                        key, base64.b64decode(drawn["picture"]), content_type=type_of_file(key)
                    )
        return key

    async def read(self, key: str) -> bytes:
        """An object's bytes."""
        return await self._store.get_bytes(key, max_bytes=MAX_OBJECT_BYTES)

    async def _read_all(self, keys: Sequence[str]) -> list[bytes]:
        return [await self.read(key) for key in keys]

    def link(self, key: str, *, content_type: str, download_name: str | None = None) -> str:
        """Where a browser reads an object, for ten minutes."""
        life_s = int(LINK_LIFE.total_seconds())
        return self._store.presign_get(
            key, expires_s=life_s, content_type=content_type, download_name=download_name
        )

    async def sweep(self, now: datetime) -> None:
        """Delete pictures that are too old; they are only a cache."""
        async for keys in self._store.old_keys(f"{_PREFIX}/", now - KEPT):
            for key in keys:
                await self._store.delete(key)

    async def _is_there(self, key: str) -> bool:
        try:
            found = await self._store.stat(key)
        except NotFound:
            return False
        # One that is swept while its link is good would be a broken image.
        return found.age < KEPT - 2 * LINK_LIFE


def type_of_format(image_format: str) -> str:
    """The content type of a format that was found by decoding: JPEG, PNG, BMP or TIFF."""
    return f"image/{image_format.lower()}"


def type_of_file(name: str) -> str:
    """The content type of a picture of ours, or of a sample: an import refuses one whose suffix lies (D4)."""
    known = FORMAT_OF_SUFFIX.get(PurePosixPath(name).suffix.lower())
    return OPAQUE if known is None else type_of_format(known)


def sample_key(sha256: str) -> str:
    """Where an image's or a mask's bytes are."""
    return content_key("samples", sha256)
