"""Where a child process reads objects from and keeps its packs, as its environment says."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from loupe.errors import LoupeError
from loupe.settings import load, setting

from services.kit.object_store import BlockingObjectStore, ObjectStoreSettings
from services.vision.pack import PackCache
from services.vision.samples import DirectoryObjects, ObjectReader, object_unavailable

_MAX_OBJECT_BYTES = 2 * 2**30
"""A checkpoint of a large network; pictures have a limit of their own."""
_CONNECTIONS = 32


@dataclass(frozen=True, kw_only=True)
class ChildSettings:
    """Settings of a trainer's or evaluator's child."""

    cache_dir: Path = setting(  # noqa: RUF009 - declares, as dataclasses.field does
        "LOUPE_CACHE_DIR", default=Path(tempfile.gettempdir()) / "loupe", doc="Packs and work folders"
    )
    pack_cache_bytes: int = setting("LOUPE_PACK_CACHE_BYTES", default=8 * 2**30, doc="Bound of the packs")
    objects_dir: Path | None = setting(  # noqa: RUF009
        "LOUPE_OBJECTS_DIR", default=None, doc="A folder to read objects from instead of S3, for benches"
    )


class S3Objects:
    """Objects of the deployment's store."""

    def __init__(self, store: BlockingObjectStore) -> None:
        self._store = store

    def read(self, key: str) -> bytes:
        """The whole object. Raises InfrastructureFault."""
        try:
            return self._store.get_bytes(key, max_bytes=_MAX_OBJECT_BYTES)
        except LoupeError as error:
            raise object_unavailable(key, error) from error


def from_environment() -> tuple[ObjectReader, PackCache, Path]:
    """Objects, packs and the folder below which work folders go: a worker gives its child one (TMPDIR)."""
    settings = load(ChildSettings, os.environ)
    packs = PackCache(settings.cache_dir / "packs", max_bytes=settings.pack_cache_bytes)
    scratch = Path(tempfile.gettempdir())
    if settings.objects_dir:
        return DirectoryObjects(settings.objects_dir), packs, scratch
    store = BlockingObjectStore(load(ObjectStoreSettings, os.environ), connections=_CONNECTIONS)
    return S3Objects(store), packs, scratch
