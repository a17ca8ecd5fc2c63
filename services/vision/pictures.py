"""Small pictures in object storage: made once, found by what they were made of. No torch."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import cv2
import numpy as np
from loupe.errors import NotFound
from loupe.image_files import ImageLimits, Pixels, decode

from services.kit.object_store import ObjectStore, content_key

MAX_OBJECT_BYTES = 64 * 2**20
LIMITS = ImageLimits(max_image_bytes=MAX_OBJECT_BYTES)
"""As of an import: what is listed was read under these once."""
LINK_LIFE = timedelta(minutes=10)
KEPT = timedelta(days=30)
"""How long a picture stays after it was made; who asks for an older one has it made again."""
THUMBNAIL_PX = 160
_VERSION = "1"
"""Changes when the pictures do: those of another version are then not found."""
_JPEG_QUALITY = 85
_PREFIX = "pictures"
_MAKERS = 2
"""Pictures drawn at once; each holds an object of at most 64 MiB and its pixels, at most 240 MB."""


class PictureStore:
    """Pictures by presigned links: their bytes never go through a service.

    A key is the hash of the recipe: the drawing's version, the content hashes of what it shows, and words.
    Whoever asks for the same picture of the same content, in whichever service, finds it.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._makers = asyncio.Semaphore(_MAKERS)

    async def thumbnail(self, sha256: str) -> str:
        """The key of a sample's thumbnail. Raises UnusableImage."""

        async def draw() -> bytes:
            return await asyncio.to_thread(thumbnail, await self.read(sample_key(sha256)))

        return await self.make(("thumbnail", sha256), ".jpg", draw)

    async def make(
        self, recipe: tuple[object, ...], suffix: str, draw: Callable[[], Awaitable[bytes]]
    ) -> str:
        """The key of the picture that the recipe tells of, drawn if it is not there. Raises as `draw`."""
        digest = hashlib.sha256(repr((_VERSION, *recipe)).encode()).hexdigest()
        key = content_key(_PREFIX, digest, suffix)
        if not await self._is_there(key):
            async with self._makers:
                # Twenty viewers of one page ask for the same picture: the first made it meanwhile.
                if not await self._is_there(key):
                    kind = "image/png" if suffix == ".png" else "image/jpeg"
                    await self._store.put_bytes(key, await draw(), content_type=kind)
        return key

    async def read(self, key: str) -> bytes:
        """An object's bytes."""
        return await self._store.get_bytes(key, max_bytes=MAX_OBJECT_BYTES)

    def link(self, key: str, *, download_name: str | None = None) -> str:
        """Where a browser reads an object, for ten minutes."""
        life_s = int(LINK_LIFE.total_seconds())
        return self._store.presign_get(key, expires_s=life_s, download_name=download_name)

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


def sample_key(sha256: str) -> str:
    """Where an image's or a mask's bytes are."""
    return content_key("samples", sha256)


def thumbnail(data: bytes) -> bytes:
    """A JPEG of at most THUMBNAIL_PX a side. Raises UnusableImage."""
    pixels_HWC = decode(data, LIMITS)
    return encoded(fitted(pixels_HWC, THUMBNAIL_PX), ".jpg", cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)


def fitted(pixels_HWC: Pixels, most_px: int, *, at_least: int = 0) -> Pixels:
    """The picture with its longer side within the bounds, in its own proportions."""
    height, width = pixels_HWC.shape[:2]
    longer = max(height, width)
    wanted = min(max(longer, at_least), most_px)
    if wanted == longer:
        return pixels_HWC.copy()
    size = (max(1, round(width * wanted / longer)), max(1, round(height * wanted / longer)))
    # Magnified without smoothing: who looks for a defect wants to see its pixels.
    interpolation = cv2.INTER_AREA if wanted < longer else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(pixels_HWC, size, interpolation=interpolation), np.uint8)


def encoded(picture_hwC: Pixels, extension: str, *options: int) -> bytes:
    """The picture as a file."""
    _, buffer = cv2.imencode(extension, cv2.cvtColor(picture_hwC, cv2.COLOR_RGB2BGR), list(options))
    return bytes(buffer.tobytes())
