"""Compares data with what made a version's weights (P7)."""

import asyncio
import logging
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import DatabaseSessions
from services.kit.errors import NotFound
from services.kit.object_store import ObjectStore
from services.registry.application.manifest import manifest_entries
from services.registry.domain.identifiers import refuse
from services.registry.domain.models import ModelVersion
from services.registry.domain.overlap import Listings, TrainingOverlap, compared_faults
from services.registry.storage.datasets import DataPaths, Snapshots
from services.registry.storage.images import AlgorithmImages
from services.registry.storage.manifest_samples import ManifestSamples
from services.registry.storage.models import Models
from services.registry.wire import names

_log = logging.getLogger(__name__)


class Overlaps:
    """Finds the samples of some data that a version was trained with."""

    def __init__(self, sessions: DatabaseSessions, store: ObjectStore) -> None:
        self._sessions = sessions
        self._store = store
        self._copying: dict[str, asyncio.Task[None]] = {}

    async def measure(self, model: str, version_id: str, data: Sequence[str]) -> TrainingOverlap:
        """Compare data paths and snapshots with what made the version's weights; NotFound."""
        refuse(compared_faults(data))
        async with self._sessions.begin() as session:
            version = await Models(session).resolve(model, version_id)
            compared = await _listings(session, data)
            trained = await _trained_with(session, version)
        await self._copy(compared.manifests | trained.manifests)
        async with self._sessions.begin() as session:
            return await ManifestSamples(session).overlap(compared, trained)

    async def _copy(self, manifests: Collection[str]) -> None:
        """Copy what has not been compared before into the database, each manifest once and for all."""
        async with self._sessions.begin() as session:
            unknown = await ManifestSamples(session).unknown(manifests)
        for manifest in unknown:
            # It goes on when the caller gives up: a large listing may take longer than a caller waits.
            await asyncio.shield(self._copying.get(manifest) or self._begin(manifest))

    def _begin(self, manifest: str) -> asyncio.Task[None]:
        def forget(copying: asyncio.Task[None]) -> None:
            del self._copying[manifest]
            error = None if copying.cancelled() else copying.exception()
            if error is not None:
                # Whoever still waits is told; a later comparison tries again.
                _log.warning("manifest not copied", extra={"manifest": manifest}, exc_info=error)

        copying = self._copying[manifest] = asyncio.create_task(self._copy_one(manifest))
        copying.add_done_callback(forget)
        return copying

    async def _copy_one(self, manifest: str) -> None:
        with tempfile.TemporaryDirectory(prefix="manifest-") as folder:
            file = Path(folder, "manifest.jsonl")
            await self._store.download(f"manifests/{manifest}.jsonl", file)
            await self._put(manifest, file)

    async def _put(self, manifest: str, file: Path) -> None:
        # One transaction: a manifest of which any line is there is there whole.
        async with self._sessions.begin() as session:
            samples, first_line = ManifestSamples(session), 0
            batches = manifest_entries(file)
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                await samples.put(manifest, first_line, batch)
                first_line += len(batch)


async def _listings(session: AsyncSession, data: Sequence[str]) -> Listings:
    found = Listings()
    for name in data:
        path, _, sha256 = name.partition("/snapshots/")
        dataset, path_id = names.parse_data_path(path, "data")
        key = await DataPaths(session).key(dataset, path_id)
        if not sha256:
            found.paths.add((dataset, path_id))
            continue
        if not await Snapshots(session).has(key, names.parse_snapshot(name, "data")):
            raise NotFound(f"{name} does not exist; snapshot the data path", resource=name)
        found.manifests.add(sha256)
    return found


async def _trained_with(session: AsyncSession, version: ModelVersion) -> Listings:
    """What made the weights: the version's data, its image's, and the same of what it was started from."""
    found = Listings()
    release = version.release
    while True:
        found.manifests.update(names.parse_snapshot(name, "snapshots") for name in release.snapshots)
        image = names.parse_image_version(release.algorithm_image_version)
        for path in (await AlgorithmImages(session).get_version(*image)).training_paths:
            found.paths.add(names.parse_data_path(path))
        if not release.starts_from_parent:
            return found
        model, number = names.parse_model_version(release.parent_version)
        release = (await Models(session).resolve(model, number)).release
