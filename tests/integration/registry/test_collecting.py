"""Uploads that nobody added, and what is never collected (D2, W12)."""

from datetime import timedelta

import sqlalchemy as sa
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2, model_pb2, model_service_pb2
from loupe.settings import load

from services.kit.database import Database
from services.kit.object_store import ObjectStore
from services.kit.orphans import Collector
from services.registry.application.collecting import FOLDERS, forget_uploads
from services.registry.settings import Settings

from .conftest import Importer, Registry, png, sha256, version_of


async def test_uploads_that_no_row_names_are_collected(
    importer: Importer, module_service_environment: dict[str, str]
) -> None:
    """D2, W12: an abandoned import leaves nothing; a replaced sample stays, for a snapshot may hold it."""
    settings = load(Settings, module_service_environment)
    await importer.import_files({"TPFIP/a.png": png(901)})
    pinned = await importer.caller.data.SnapshotDataPath(
        dataset_service_pb2.SnapshotDataPathRequest(name=importer.path)
    )
    await importer.import_files({"TPFIP/a.png": png(902)})
    (abandoned,) = await importer.upload([png(903)])
    replaced, listed = sha256(png(901)), sha256(png(902))
    async with (
        ObjectStore(settings.objects) as store,
        Database(settings.database.url, "registry") as database,
    ):
        await store.put_bytes(f"manifests/{'0' * 64}.jsonl", b"{}")
        collector = Collector(database.sessions, store, FOLDERS)
        assert await collector.collect() == 0
        await forget_uploads(database.sessions)
        assert await importer.upload([png(903)]) == [], "what is young is waited for"
        assert len(list(store.blocking.keys("incoming/"))) == 1
        # As if a day had passed.
        assert await collector.collect(timedelta(seconds=-60)) == 2
        await forget_uploads(database.sessions, timedelta(seconds=-60))
        assert list(store.blocking.keys("incoming/")) == []
        async with database.sessions.begin() as session:
            assert (await session.execute(sa.text("SELECT count(*) FROM uploads"))).scalar_one() == 0
        for key in (f"samples/{replaced}", f"samples/{listed}", f"manifests/{pinned.sha256}.jsonl"):
            assert await store.exists(key)
    # Whoever comes back is told to upload it again.
    (again,) = (
        await importer.add(dataset_pb2.SampleCandidate(file="TPFIP/b.png", sha256=abandoned))
    ).outcomes
    assert again.outcome == dataset_pb2.SampleOutcome.OUTCOME_REJECTED


async def test_x_a_package_that_no_version_has_is_collected(
    registry: Registry, module_service_environment: dict[str, str]
) -> None:
    """Of an export that was lost after its upload; what the registry has on record stays, archived or not."""
    settings = load(Settings, module_service_environment)
    recorded, orphan = sha256(b"recorded"), sha256(b"orphan")
    version = await registry.service.models.CreateModelVersion(
        model_service_pb2.CreateModelVersionRequest(
            parent="models/exported", version=version_of("tasks/exported")
        )
    )
    await registry.service.models.RecordPackage(
        model_service_pb2.RecordPackageRequest(
            name=version.name, package=model_pb2.Package(sha256=recorded, size_bytes=8)
        )
    )
    async with (
        ObjectStore(settings.objects) as store,
        Database(settings.database.url, "registry") as database,
    ):
        for one in (recorded, orphan):
            await store.put_bytes(f"packages/{one}.zip", b"x")
        collector = Collector(database.sessions, store, FOLDERS)
        await collector.collect()
        assert await store.exists(f"packages/{orphan}.zip"), "what is young may be on its way"
        await collector.collect(timedelta(seconds=-60))
        assert not await store.exists(f"packages/{orphan}.zip")
        assert await store.exists(f"packages/{recorded}.zip")
