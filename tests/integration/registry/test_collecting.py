"""Uploads that nobody added, and what is never collected (D2, W12)."""

from datetime import timedelta

from loupe.registry.v1 import dataset_pb2, dataset_service_pb2

from services.kit.database import Database
from services.kit.object_store import ObjectStore
from services.kit.process import SystemClock
from services.kit.settings import load
from services.registry.application.collecting import Collector
from services.registry.settings import Settings

from .conftest import Importer, png, sha256


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
        Database(settings.database_url, "registry") as database,
    ):
        await store.put_bytes(f"manifests/{'0' * 64}.jsonl", b"{}")
        collector = Collector(database.sessions, store, SystemClock())
        assert await collector.collect() == 0
        assert await store.exists(f"samples/{abandoned}")
        # As if a day had passed.
        assert await collector.collect(timedelta(seconds=-60)) == 2
        assert not await store.exists(f"samples/{abandoned}")
        for key in (f"samples/{replaced}", f"samples/{listed}", f"manifests/{pinned.sha256}.jsonl"):
            assert await store.exists(key)
    # Whoever comes back is told to upload it again.
    (again,) = (
        await importer.add(dataset_pb2.SampleCandidate(file="TPFIP/b.png", sha256=abandoned))
    ).outcomes
    assert again.outcome == dataset_pb2.SampleOutcome.OUTCOME_REJECTED
