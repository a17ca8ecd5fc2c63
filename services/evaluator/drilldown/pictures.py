"""Pictures of samples in object storage: made once, found by what they were made of."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from services.evaluator.domain.errors import NoMask, PictureUnreadable
from services.evaluator.domain.report import StoredSample
from services.evaluator.drilldown import drawing
from services.evaluator.drilldown.drawing import MaskFile
from services.kit.errors import NotFound
from services.kit.object_store import ObjectStore, content_key
from services.vision.images import UnusableImage

LINK_LIFE = timedelta(minutes=10)
KEPT = timedelta(days=30)
"""How long a picture stays after it was made; who asks for an older one has it made again."""
_PREFIX = "pictures"
_MAKERS = 2
"""Pictures drawn at once; each holds an object of at most 64 MiB and its pixels, at most 240 MB."""


class Pictures:
    """Thumbnails and overlays by presigned links: their bytes never go through a service.

    A key is the hash of the recipe: the drawing's version, the content hashes of image and masks, and the
    codes. The same picture of another report, or of the same sample in the next one, is found.
    """

    def __init__(self, store: ObjectStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._makers = asyncio.Semaphore(_MAKERS)

    def link_original(self, sample: StoredSample) -> str:
        """The file as it was imported."""
        name = PurePosixPath(sample.result.file).name
        # A quote or a control character would end the header that the name goes into.
        safe = "".join(c if c.isprintable() and c not in '"\\;%' and ord(c) < 128 else "_" for c in name)
        return self._link(sample_key(sample.result.sha256), download_name=safe or "sample")

    async def link_thumbnail(self, sample: StoredSample) -> str:
        """PictureUnreadable if the sample's bytes are no usable image."""
        return self._link(await self._make_thumbnail(sample))

    async def thumbnail(self, sample: StoredSample) -> bytes:
        """The same as bytes, some 8 KB, for pages that must need no other file."""
        return await self._read(await self._make_thumbnail(sample))

    async def _make_thumbnail(self, sample: StoredSample) -> str:
        sha256 = sample.result.sha256

        async def draw() -> bytes:
            return await asyncio.to_thread(drawing.thumbnail, await self._read(sample_key(sha256)))

        return await self._make(sample, ("thumbnail", sha256), ".jpg", draw)

    async def link_overlay(
        self, sample: StoredSample, mask_codes: tuple[str, ...], code_list: tuple[str, ...]
    ) -> str:
        """Both masks over the picture; NoMask if there is none, PictureUnreadable if one cannot be read.

        `mask_codes` is what the data path declares of its masks, `code_list` the report's.
        """
        result = sample.result
        if not result.mask_sha256 and not result.predicted_mask_sha256:
            raise NoMask(f"{sample.name} has neither a true nor a predicted mask", sample=sample.name)
        recipe = (
            "overlay",
            result.sha256,
            result.mask_sha256,
            mask_codes or result.true_code,
            result.predicted_mask_sha256,
            code_list,
        )

        async def draw() -> bytes:
            truth = prediction = None
            if result.mask_sha256:
                data = await self._read(sample_key(result.mask_sha256))
                truth = MaskFile(data, mask_codes, result.true_code)
            if result.predicted_mask_sha256:
                data = await self._read(content_key("masks", result.predicted_mask_sha256, ".png"))
                prediction = MaskFile(data, code_list)
            image = await self._read(sample_key(result.sha256))
            return await asyncio.to_thread(drawing.overlay, image, truth, prediction)

        return self._link(await self._make(sample, recipe, ".png", draw))

    async def sweep(self) -> None:
        """Delete pictures that are too old; they are only a cache."""
        async for keys in self._store.old_keys(f"{_PREFIX}/", self._now() - KEPT):
            for key in keys:
                await self._store.delete(key)

    async def _make(
        self,
        sample: StoredSample,
        recipe: tuple[object, ...],
        suffix: str,
        draw: Callable[[], Awaitable[bytes]],
    ) -> str:
        digest = hashlib.sha256(repr((drawing.VERSION, *recipe)).encode()).hexdigest()
        key = content_key(_PREFIX, digest, suffix)
        if not await self._is_there(key):
            async with self._makers:
                # Twenty viewers of one page ask for the same picture: the first made it meanwhile.
                if not await self._is_there(key):
                    try:
                        data = await draw()
                    except UnusableImage as unusable:
                        raise PictureUnreadable(
                            f"{sample.result.file} cannot be shown: {unusable.reason}, {unusable.message}; "
                            "its original can be downloaded",
                            sample=sample.name,
                        ) from unusable
                    kind = "image/png" if suffix == ".png" else "image/jpeg"
                    await self._store.put_bytes(key, data, content_type=kind)
        return key

    async def _is_there(self, key: str) -> bool:
        try:
            found = await self._store.stat(key)
        except NotFound:
            return False
        # One that is swept while its link is good would be a broken image.
        return found.modified_at is not None and found.modified_at > self._now() - KEPT + 2 * LINK_LIFE

    async def _read(self, key: str) -> bytes:
        return await self._store.get_bytes(key, max_bytes=drawing.MAX_OBJECT_BYTES)

    def _link(self, key: str, *, download_name: str | None = None) -> str:
        life_s = int(LINK_LIFE.total_seconds())
        return self._store.presign_get(key, expires_s=life_s, download_name=download_name)


def sample_key(sha256: str) -> str:
    """Where an image's or a mask's bytes are."""
    return content_key("samples", sha256)
