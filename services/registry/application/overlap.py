"""Compares data with the training data of a version (P7)."""

import asyncio
import logging
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from loupe.errors import NotFound
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import DatabaseSessions, database_time
from services.kit.object_store import ObjectStore
from services.registry.application.manifest import ManifestFile, manifest_entries
from services.registry.domain.datasets import Snapshot
from services.registry.domain.identifiers import refuse
from services.registry.domain.models import Release
from services.registry.domain.overlap import Listings, TrainingOverlap, compared_faults
from services.registry.storage.datasets import PART_OF_A_LISTING, DataPaths, Snapshots
from services.registry.storage.images import AlgorithmImages
from services.registry.storage.manifest_samples import ManifestSamples
from services.registry.storage.models import Models
from services.registry.wire import names

_log = logging.getLogger(__name__)

Judged = tuple[str, str] | Release
"""A version, by its model and its number or alias; or what an unreleased training would be released as."""


class Overlaps:
    """Finds the samples of some data that a version, or an unreleased training, was trained with."""

    def __init__(self, sessions: DatabaseSessions, store: ObjectStore) -> None:
        self._sessions = sessions
        self._store = store
        self._copying: dict[str, asyncio.Task[None]] = {}

    async def measure(self, judged: Judged, data: Sequence[str]) -> TrainingOverlap:
        """Compare data paths and snapshots with the data that the weights were trained with; NotFound."""
        refuse(compared_faults(data))
        async with self._sessions.begin() as session:
            trained = await _trained_with(session, judged)
            compared = await _listings(session, data)
        await self._copy(compared.manifests | trained.manifests)
        async with self._sessions.begin() as session:
            return await ManifestSamples(session).overlap(compared, trained)

    async def exclude(self, judged: Judged, snapshots: Sequence[str]) -> tuple[list[str], TrainingOverlap]:
        """Pin what remains of the snapshots without what the weights were trained with; NotFound.

        Returns the snapshots of what remains, in their order, without those of which nothing does, and the
        overlap of the ones given.
        """
        pinned = [(name, names.parse_snapshot(name, "data")) for name in snapshots]
        overlap = await self.measure(judged, snapshots)
        async with self._sessions.begin() as session:
            trained = await _trained_with(session, judged)
            affected = await ManifestSamples(session).affected_lines({one for _, one in pinned}, trained)
        kept = [
            await self._without(name, affected[manifest]) if affected[manifest] else name
            for name, manifest in pinned
        ]
        return [name for name in kept if name], overlap

    async def _without(self, snapshot: str, lines: set[int]) -> str:
        """The snapshot of the other lines; empty if there are none."""
        dataset, path, manifest = names.SNAPSHOT.parse(snapshot, "data")
        with tempfile.TemporaryDirectory(prefix="manifest-") as folder, ManifestFile() as kept:
            file = Path(folder, "manifest.jsonl")
            await self._store.download(f"manifests/{manifest}.jsonl", file)
            await asyncio.to_thread(kept.write_lines_of, file, lines)
            if not kept.code_counts:
                return ""
            # The object first: its row says that it is complete.
            await self._store.put_content(
                "manifests", kept.path, suffix=".jsonl", content_type="application/jsonl"
            )
        async with self._sessions.begin() as session:
            key = await DataPaths(session).key(dataset, path)
            new = Snapshot(dataset, path, kept.sha256, kept.code_counts, await database_time(session))
            await Snapshots(session).put(key, PART_OF_A_LISTING, new)
        return names.SNAPSHOT.make(dataset, path, kept.sha256)

    async def _copy(self, manifests: Collection[str]) -> None:
        """Copy the manifests that are not in the database yet; each is copied once."""
        async with self._sessions.begin() as session:
            unknown = await ManifestSamples(session).unknown(manifests)
        for manifest in unknown:
            # The copy continues after the caller's deadline: a large listing may take longer.
            await asyncio.shield(self._copying.get(manifest) or self._begin(manifest))

    def _begin(self, manifest: str) -> asyncio.Task[None]:
        def forget(copying: asyncio.Task[None]) -> None:
            del self._copying[manifest]
            error = None if copying.cancelled() else copying.exception()
            if error is not None:
                # Callers that still wait get the error; a later comparison tries again.
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
        # In one transaction, so that a manifest is copied completely or not at all.
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


async def _trained_with(session: AsyncSession, judged: Judged) -> Listings:
    """The training data of the weights, of their algorithm image, and of the versions they began with."""
    found = Listings()
    release = judged if isinstance(judged, Release) else (await Models(session).resolve(*judged)).release
    while True:
        found.manifests.update(names.parse_snapshot(name, "snapshots") for name in release.snapshots)
        image = names.parse_image_version(release.algorithm_image_version)
        for path in (await AlgorithmImages(session).get_version(*image)).training_paths:
            found.paths.add(names.parse_data_path(path))
        if not release.starts_from_parent:
            return found
        model, number = names.parse_model_version(release.parent_version)
        release = (await Models(session).resolve(model, number)).release
