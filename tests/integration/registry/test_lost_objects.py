"""Rows outlive their objects after a loss, a deletion, an overwriting: it is seen, and an import heals it."""

from collections.abc import Iterator

import httpx
import pytest
from loupe.errors import PermissionDenied
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2
from loupe.server.v1 import server_pb2, server_service_pb2
from loupe.settings import load

from services.kit import checking
from services.kit.object_store import BlockingObjectStore
from services.registry.settings import Settings

from .conftest import Caller, Importer, Registry, a_mask, png, sha256

UNCHANGED = dataset_pb2.SampleOutcome.OUTCOME_UNCHANGED
Finding = server_pb2.StorageFinding


@pytest.fixture
def store(registry: Registry) -> Iterator[BlockingObjectStore]:
    opened = BlockingObjectStore(load(Settings, registry.environment).objects)
    yield opened
    opened.close()


async def check(
    caller: Caller, *, read: bool = False
) -> tuple[server_service_pb2.CheckStorageResponse, dict[str, server_pb2.StorageFinding]]:
    """The last counts, and the findings by subject."""
    findings = {}
    request = server_service_pb2.CheckStorageRequest(name="servers/registry", read=read)
    async for response in caller.server.CheckStorage(request):
        findings.update({finding.subject: finding for finding in response.findings})
    return response, findings


async def test_importing_again_heals_what_was_lost(
    importer: Importer, registry: Registry, store: BlockingObjectStore
) -> None:
    """D2: the person who has the folder can mend the installation with the command that filled it."""
    files = {f"TPFIP/{n}.png": png(9000 + n) for n in range(3)}
    masks = {"TPFIP/2.png": a_mask(9100)}
    await importer.import_files(files, masks)
    lost, cut = sha256(files["TPFIP/0.png"]), sha256(files["TPFIP/1.png"])
    lost_mask = sha256(masks["TPFIP/2.png"])
    before, _ = await check(registry.admin)
    store.delete(f"samples/{lost}")
    store.delete(f"samples/{lost_mask}")
    store.put_bytes(f"samples/{cut}", files["TPFIP/1.png"][:-1])

    after, findings = await check(registry.admin)
    assert after.object_count == before.object_count
    assert after.lost_count == before.lost_count + 3
    kinds = {subject: finding.kind for subject, finding in findings.items()}
    assert kinds[f"samples/{lost}"] == kinds[f"samples/{lost_mask}"] == Finding.KIND_MISSING
    assert kinds[f"samples/{cut}"] == Finding.KIND_CORRUPT
    assert {findings[f"samples/{one}"].resource for one in (lost, lost_mask, cut)} == {importer.path}
    assert "import the folder again" in findings[f"samples/{lost}"].cure
    assert "重新导入" in findings[f"samples/{lost}"].cure_zh

    uploaded = await importer.upload([*files.values(), *masks.values()])
    assert set(uploaded) == {lost, lost_mask, cut}
    again = await importer.import_files(files, masks)
    assert {outcome.outcome for outcome in again.outcomes} == {UNCHANGED}
    assert (await check(registry.admin))[0].lost_count == before.lost_count


async def test_other_bytes_of_the_same_size_are_found_by_reading(
    importer: Importer, registry: Registry, store: BlockingObjectStore
) -> None:
    """D2: looking is fast and cannot see it; whoever doubts the disk reads everything, then imports again."""
    data = png(9200)
    await importer.import_files({"TPFIP/a.png": data})
    key = f"samples/{sha256(data)}"
    store.put_bytes(key, bytes(len(data)))
    assert key not in (await check(registry.admin))[1]
    assert (await check(registry.admin, read=True))[1][key].kind == Finding.KIND_CORRUPT
    for sent, outcome in ((bytes(len(data)), dataset_pb2.SampleOutcome.OUTCOME_REJECTED), (data, UNCHANGED)):
        plan = await importer.caller.data.PlanSampleUploads(
            dataset_service_pb2.PlanSampleUploadsRequest(parent=importer.path, sha256s=[sha256(data)])
        )
        async with httpx.AsyncClient() as client:
            (await client.put(plan.uploads[0].url, content=sent)).raise_for_status()
        sample = dataset_pb2.SampleCandidate(file="TPFIP/a.png", sha256=sha256(data))
        assert [one.outcome for one in (await importer.add(sample)).outcomes] == [outcome]
    assert await importer.upload([data]) == []
    assert key not in (await check(registry.admin, read=True))[1]


async def test_a_lost_manifest_is_written_again(
    importer: Importer, registry: Registry, store: BlockingObjectStore
) -> None:
    """W12: its row says what it was, and the same listing gives the same bytes."""
    await importer.import_files({"TPFIP/a.png": png(9300)})
    request = dataset_service_pb2.SnapshotDataPathRequest(name=importer.path)
    pinned = await importer.caller.data.SnapshotDataPath(request)
    key = f"manifests/{pinned.sha256}.jsonl"
    data = store.get_bytes(key, max_bytes=2**20)
    store.delete(key)
    finding = (await check(registry.admin))[1][key]
    assert (finding.kind, finding.resource) == (Finding.KIND_MISSING, importer.path)
    assert await importer.caller.data.SnapshotDataPath(request) == pinned
    # Its row has no size: empty, cut short, other bytes.
    for damaged in (b"", data[:-1], bytes(len(data))):
        store.put_bytes(key, damaged)
        assert (await check(registry.admin))[1][key].kind == Finding.KIND_CORRUPT
        assert await importer.caller.data.SnapshotDataPath(request) == pinned
        assert store.get_bytes(key, max_bytes=2**20) == data
        assert key not in (await check(registry.admin))[1]


async def test_objects_without_a_row_are_told_and_not_lost(
    registry: Registry, store: BlockingObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They cost space until garbage collection deletes them, and nothing else."""
    monkeypatch.setattr(checking, "ORPHAN_GRACE", -checking.ORPHAN_GRACE)
    before, _ = await check(registry.admin)
    key = f"samples/{sha256(b'orphan')}"
    store.put_bytes(key, b"orphan")
    after, findings = await check(registry.admin)
    assert findings[key].kind == Finding.KIND_ORPHAN
    assert (after.lost_count, after.orphan_count) == (before.lost_count, before.orphan_count + 1)


async def test_only_an_administrator_checks(engineer: Caller) -> None:
    """A check reads every object of the installation."""
    with pytest.raises(PermissionDenied):
        await check(engineer)
