"""The pictures of a sample: original, thumbnail, and masks drawn over it (P4)."""

from collections.abc import Awaitable
from pathlib import PurePosixPath

from loupe.image_files import UnusableImage

from services.evaluator.application.drawing import MaskMeaning, overlay_order
from services.evaluator.domain.errors import NoMask, PictureUnreadable
from services.evaluator.domain.report import StoredSample
from services.kit.object_store import content_key
from services.vision.pictures import PictureStore, sample_key, type_of_file


class Pictures:
    """Makes the pictures of samples and links to them."""

    def __init__(self, store: PictureStore) -> None:
        self._store = store

    def link_original(self, sample: StoredSample) -> str:
        """A link to the file as it was imported."""
        name = PurePosixPath(sample.result.file).name
        # The name is part of a header, which a quote or a control character would end.
        safe = "".join(c if c.isprintable() and c not in '"\\;%' and ord(c) < 128 else "_" for c in name)
        return self._store.link(
            sample_key(sample.result.sha256), content_type=type_of_file(name), download_name=safe or "sample"
        )

    async def link_thumbnail(self, sample: StoredSample) -> str:
        """A link to the thumbnail; PictureUnreadable if the sample cannot be decoded."""
        return self._link(await _readable(sample, self._store.thumbnail(sample.result.sha256)))

    async def thumbnail(self, sample: StoredSample) -> bytes:
        """The thumbnail as JPEG, about 8 KB; PictureUnreadable if the sample cannot be decoded."""
        return await self._store.read(await _readable(sample, self._store.thumbnail(sample.result.sha256)))

    async def link_overlay(
        self, sample: StoredSample, mask_codes: tuple[str, ...], code_list: tuple[str, ...]
    ) -> str:
        """A link to both masks drawn over the picture; NoMask or PictureUnreadable if there cannot be one.

        `mask_codes` are those of the data path, `code_list` is the one of the report.
        """
        result = sample.result
        if not result.mask_sha256 and not result.predicted_mask_sha256:
            raise NoMask(f"{sample.name} has neither a true nor a predicted mask", sample=sample.name)
        recipe = (
            "overlay 2",  # change it when the drawing changes: old pictures are then not used again
            result.sha256,
            result.mask_sha256,
            mask_codes or result.true_code,
            result.predicted_mask_sha256,
            code_list,
        )

        keys = [sample_key(result.sha256)]
        truth = prediction = None
        if result.mask_sha256:
            keys.append(sample_key(result.mask_sha256))
            truth = MaskMeaning(mask_codes, result.true_code)
        if result.predicted_mask_sha256:
            keys.append(content_key("masks", result.predicted_mask_sha256, ".png"))
            prediction = MaskMeaning(code_list)
        drawn = self._store.make(recipe, ".png", "overlay", keys, **overlay_order(truth, prediction))
        return self._link(await _readable(sample, drawn))

    def _link(self, key: str) -> str:
        return self._store.link(key, content_type=type_of_file(key))


async def _readable(sample: StoredSample, key: Awaitable[str]) -> str:
    try:
        return await key
    except UnusableImage as unusable:
        raise PictureUnreadable(
            f"{sample.result.file} cannot be shown: {unusable.reason}, {unusable.message}; "
            "its original can be downloaded",
            sample=sample.name,
        ) from unusable
