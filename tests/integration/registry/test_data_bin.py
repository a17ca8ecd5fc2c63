"""Deleted data paths: a bin for thirty days (D8)."""

import asyncio
import json
import os
import sys
from datetime import UTC, timedelta

import pytest
import sqlalchemy as sa
from loupe.access.v1 import access_pb2
from loupe.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2, identity_service_pb2
from loupe.settings import load

from services.kit.object_store import ObjectStore
from services.kit.orphans import Collector
from services.registry.application.collecting import FOLDERS
from services.registry.settings import Settings
from tests.support.waiting import eventually

from .conftest import Caller, Importer, Registry, new_path, png, run_registry, sha256

_SERVERS = ("REGISTRY", "SCHEDULER", "EVALUATOR")


async def delete(caller: Caller, path: str) -> dataset_pb2.DeletedDataPath:
    deleted: dataset_pb2.DeletedDataPath = await caller.data.DeleteDataPath(
        dataset_service_pb2.DeleteDataPathRequest(name=path)
    )
    return deleted


async def restore(caller: Caller, name: str, path: str = "") -> dataset_pb2.DataPath:
    restored: dataset_pb2.DataPath = await caller.data.RestoreDataPath(
        dataset_service_pb2.RestoreDataPathRequest(name=name, data_path_id=path)
    )
    return restored


async def purge(caller: Caller, name: str) -> None:
    await caller.data.PurgeDataPath(dataset_service_pb2.PurgeDataPathRequest(name=name))


async def in_bin(caller: Caller, dataset: str) -> list[dataset_pb2.DeletedDataPath]:
    answer = await caller.data.ListDeletedDataPaths(
        dataset_service_pb2.ListDeletedDataPathsRequest(parent=dataset)
    )
    return list(answer.data_paths)


async def get(caller: Caller, path: str) -> dataset_pb2.DataPath:
    found: dataset_pb2.DataPath = await caller.data.GetDataPath(
        dataset_service_pb2.GetDataPathRequest(name=path)
    )
    return found


def dataset_of(path: str) -> str:
    return path.partition("/paths/")[0]


async def test_d8_a_deleted_data_path_waits_in_the_bin_and_can_be_restored(importer: Importer) -> None:
    """As it was: with its samples, counts, masks, owner and revision."""
    engineer, path = importer.caller, importer.path
    await importer.import_files({"A/1.png": png(1), "A/2.png": png(2), "B/1.png": png(3)})
    before = await get(engineer, path)
    deleted = await delete(engineer, path)
    assert deleted.data_path == before
    assert deleted.deleter == before.owner
    kept = deleted.purge_time.ToDatetime(UTC) - deleted.delete_time.ToDatetime(UTC)
    assert kept == timedelta(days=30)
    assert await in_bin(engineer, dataset_of(path)) == [deleted]
    assert deleted in await in_bin(engineer, "datasets/-")
    assert await restore(engineer, deleted.name) == before
    assert await get(engineer, path) == before
    listed = await engineer.data.ListSamples(dataset_service_pb2.ListSamplesRequest(parent=path))
    assert [sample.file for sample in listed.samples] == ["A/1.png", "A/2.png", "B/1.png"]
    assert await in_bin(engineer, dataset_of(path)) == []
    with pytest.raises(NotFound):
        await restore(engineer, deleted.name)


async def test_d8_nothing_uses_what_is_in_the_bin(importer: Importer) -> None:
    """No list, no count, no import, no training; who asks for it by name is told where it is."""
    engineer, path = importer.caller, importer.path
    other = Importer(engineer, await new_path(engineer, dataset_of(path).removeprefix("datasets/"), "other"))
    await importer.import_files({"A/1.png": png(1)})
    await delete(engineer, path)
    for call in (
        get(engineer, path),
        importer.import_files({"A/2.png": png(2)}),
        engineer.data.SnapshotDataPath(dataset_service_pb2.SnapshotDataPathRequest(name=path)),
        engineer.data.ListSamples(dataset_service_pb2.ListSamplesRequest(parent=path)),
        engineer.data.LinkSample(dataset_service_pb2.LinkSampleRequest(parent=path, file="A/1.png")),
        engineer.data.CountParts(dataset_service_pb2.CountPartsRequest(data_paths=[path], codes=["A"])),
        delete(engineer, path),
    ):
        with pytest.raises(NotFound) as refused:
            await call
        assert refused.value.reason == "DATA_PATH_DELETED"
        assert "in the bin" in refused.value.message
    listed = await engineer.data.ListDataPaths(
        dataset_service_pb2.ListDataPathsRequest(parent=dataset_of(path))
    )
    assert [one.name for one in listed.data_paths] == [other.path]
    dataset = await engineer.data.GetDataset(dataset_service_pb2.GetDatasetRequest(name=dataset_of(path)))
    assert (dataset.path_count, dataset.sample_count) == (1, 0)
    # The same picture under another code is no contradiction to what is deleted.
    answer = await other.import_files({"B/1.png": png(1)})
    assert not answer.outcomes[0].same_pixels_under_other_codes


async def test_d8_the_name_of_a_deleted_data_path_is_free(importer: Importer) -> None:
    """For another one; then the deleted one is restored under another name, and the conflict is told."""
    engineer, path = importer.caller, importer.path
    await importer.import_files({"A/1.png": png(1)})
    first = await delete(engineer, path)
    await new_path(engineer, dataset_of(path).removeprefix("datasets/"))
    await importer.import_files({"A/2.png": png(2), "A/3.png": png(3)})
    with pytest.raises(AlreadyExists) as refused:
        await restore(engineer, first.name)
    assert refused.value.reason == "DATA_PATH_NAME_TAKEN"
    assert "another id" in refused.value.message
    with pytest.raises(InvalidArgument):
        await restore(engineer, first.name, "not an id")
    restored = await restore(engineer, first.name, "old")
    assert (restored.name, restored.sample_count) == (f"{dataset_of(path)}/paths/old", 1)
    assert (await get(engineer, path)).sample_count == 2
    second, third = await delete(engineer, path), await delete(engineer, restored.name)
    await new_path(engineer, dataset_of(path).removeprefix("datasets/"))
    fourth = await delete(engineer, path)
    assert await in_bin(engineer, dataset_of(path)) == [third, second, fourth]
    # Both at once want one name: one gets it.
    outcomes = await asyncio.gather(
        restore(engineer, second.name), restore(engineer, fourth.name), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["AlreadyExists", "DataPath"]


async def test_d8_pages_of_the_bin_go_on_where_the_last_one_ended(engineer: Caller) -> None:
    """Also between two deleted paths of one name."""
    path = await new_path(engineer)
    dataset = dataset_of(path)
    for _ in range(3):
        await delete(engineer, path)
        await new_path(engineer, dataset.removeprefix("datasets/"))
    request = dataset_service_pb2.ListDeletedDataPathsRequest(parent=dataset, page_size=2)
    first = await engineer.data.ListDeletedDataPaths(request)
    request.page_token = first.next_page_token
    rest = await engineer.data.ListDeletedDataPaths(request)
    assert [*first.data_paths, *rest.data_paths] == await in_bin(engineer, dataset)
    assert (len(first.data_paths), len(rest.data_paths), rest.next_page_token) == (2, 1, "")


@pytest.mark.parametrize("name", ["p", "p.", "p.x", "p.0", "p.01", "p.1.1 ", ".1", f"p.{10**18}", "é.1"])
async def test_d8_a_made_up_name_in_the_bin_is_refused(engineer: Caller, name: str) -> None:
    """Before it reaches a query."""
    with pytest.raises(InvalidArgument) as refused:
        await restore(engineer, f"datasets/d/deletedPaths/{name}")
    assert refused.value.violations[0].reason == "BAD_NAME"


async def test_a4_only_its_owner_and_administrators_restore_and_only_these_purge(registry: Registry) -> None:
    """What somebody deleted comes back by nobody else's hand."""
    owner, token = await registry.token_of_role(access_pb2.ROLE_ENGINEER)
    of_owner = registry.caller(token)
    stranger = await registry.with_role(access_pb2.ROLE_ENGINEER)
    path = await new_path(of_owner)
    deleted = await delete(of_owner, path)
    with pytest.raises(PermissionDenied) as refused:
        await restore(stranger, deleted.name)
    assert (refused.value.reason, refused.value.facts["owner"]) == ("NOT_DATA_PATH_OWNER", owner)
    with pytest.raises(PermissionDenied) as refused:
        await purge(of_owner, deleted.name)
    assert refused.value.reason == "ROLE_TOO_LOW"
    await restore(registry.admin, deleted.name)
    deleted = await delete(registry.admin, path)
    assert (deleted.data_path.owner, deleted.deleter) == (owner, "users/admin")
    await purge(registry.admin, deleted.name)
    with pytest.raises(NotFound) as gone:
        await restore(of_owner, deleted.name)
    assert gone.value.reason == "NOT_FOUND"
    with pytest.raises(NotFound) as gone:
        await get(of_owner, path)
    assert gone.value.reason == "NOT_FOUND"
    audited = await registry.admin.identity.ListAuditEntries(
        identity_service_pb2.ListAuditEntriesRequest(principal="users/admin", page_size=3)
    )
    assert [(entry.action.rpartition("/")[2], entry.resource) for entry in audited.entries] == [
        ("PurgeDataPath", deleted.name),
        ("DeleteDataPath", deleted.name),
        ("RestoreDataPath", path),
    ]


async def test_d8_a_pinned_data_path_is_not_deleted_and_no_deleted_one_is_pinned(
    registry: Registry, importer: Importer
) -> None:
    """W12: whichever comes first of a submission and a deletion wins, and the other is refused."""
    engineer = importer.caller
    for number in range(6):
        path = Importer(engineer, await new_path(engineer))
        await path.import_files({"A/1.png": png(number)})
        outcomes = await asyncio.gather(
            delete(engineer, path.path),
            engineer.data.SnapshotDataPath(dataset_service_pb2.SnapshotDataPathRequest(name=path.path)),
            return_exceptions=True,
        )
        refused = [one for one in outcomes if isinstance(one, Exception)]
        assert [type(one) for one in refused] in ([FailedPrecondition], [NotFound])
    async with registry.database.sessions.begin() as session:
        pinned = await session.scalar(
            sa.text(
                "SELECT count(*) FROM snapshots s JOIN data_paths p ON p.key = s.path "
                "WHERE p.delete_time IS NOT NULL"
            )
        )
    assert pinned == 0


async def test_d8_a_person_deletes_restores_and_gives_away_by_the_command(registry: Registry) -> None:
    """`loupe data`: what it says leads to the next step, and a refusal names owner and remedy."""
    owner, token = await registry.token_of_role(access_pb2.ROLE_ENGINEER)
    heir, heirs_token = await registry.token_of_role(access_pb2.ROLE_ENGINEER)
    importer = Importer(registry.caller(token), await new_path(registry.caller(token)))
    await importer.import_files({"A/1.png": png(5)})
    path = importer.path.replace("/paths/", "/").removeprefix("datasets/")

    async def loupe(*arguments: str, as_: str = token) -> tuple[int | None, str, str]:
        addresses = {f"LOUPE_{name}_ADDRESS": registry.address for name in _SERVERS}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loupe.cli", "data", *arguments),
            env={**os.environ, **addresses, "LOUPE_TOKEN": as_},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    code, _, told = await loupe("delete", path, as_=heirs_token)
    assert code == 1
    assert f"is {owner}'s; ask its owner or an administrator" in told
    code, out, _ = await loupe("delete", path, "--json")
    deleted = json.loads(out)
    assert (code, deleted["dataPath"]["owner"], deleted["dataPath"]["sampleCount"]) == (0, owner, "1")
    short = f"{path}.{deleted['name'].rpartition('.')[2]}"
    assert short in (await loupe("bin"))[1]
    listed = json.loads((await loupe("bin", "--json"))[1])["deletedDataPaths"]
    assert deleted in listed
    assert (await loupe("purge", short))[0] == 1
    code, out, _ = await loupe("restore", short, "--as", "again", "--json")
    restored = json.loads(out)
    assert restored["name"] == importer.path.removesuffix("/p") + "/again"
    code, out, _ = await loupe("owner", path.removesuffix("/p") + "/again", heir, "--json")
    assert json.loads(out) == {**restored, "owner": heir}
    assert (await loupe("owner", path.removesuffix("/p") + "/again", "--shared"))[0] == 1
    code, out, _ = await loupe("owner", path.removesuffix("/p") + "/again", "--shared", as_=heirs_token)
    assert "every engineer" in out
    assert (await loupe("owner", path))[0] == 2
    assert "DATASET/PATH.N" in (await loupe("restore", path))[2]


async def test_d8_the_bin_is_purged_by_postgresqls_time_and_its_objects_stay_till_then(
    registry: Registry, importer: Importer
) -> None:
    """Thirty days or what is set; garbage collection leaves what is in the bin; the purge is audited."""
    engineer = importer.caller
    await importer.import_files({"A/1.png": png(77)}, masks={"A/1.png": png(78)})
    await importer.import_files({"A/1.png": png(77)})
    overdue = await delete(engineer, importer.path)
    young = await delete(engineer, await new_path(engineer))
    settings = load(Settings, registry.environment)
    async with ObjectStore(settings.objects) as store:
        # As if a day had passed.
        await Collector(registry.database.sessions, store, FOLDERS).collect(timedelta(seconds=-60))
        assert await store.exists(f"samples/{sha256(png(77))}")
    await restore(engineer, overdue.name)
    overdue = await delete(engineer, importer.path)
    async with registry.database.sessions.begin() as session:
        await session.execute(
            sa.text("UPDATE data_paths SET delete_time = now() - interval '7 days' WHERE key = :key"),
            {"key": int(overdue.name.rpartition(".")[2])},
        )
    assert [one.name for one in await in_bin(engineer, dataset_of(importer.path))] == [overdue.name]

    async def is_purged() -> bool:
        return not await in_bin(engineer, dataset_of(importer.path))

    # The registry looks when it starts.
    environment = {**registry.environment, "LOUPE_DATA_BIN_DAYS": "7"}
    async for other in run_registry(environment):
        await eventually(is_purged)
        (left,) = await in_bin(other.admin, dataset_of(young.data_path.name))
        kept = left.purge_time.ToDatetime(UTC) - left.delete_time.ToDatetime(UTC)
        assert (left.name, kept) == (young.name, timedelta(days=7))
    audited = await registry.admin.identity.ListAuditEntries(
        identity_service_pb2.ListAuditEntriesRequest(principal="services/registry", page_size=1)
    )
    (entry,) = audited.entries
    assert (entry.action, entry.resource) == (
        "loupe.registry.v1.DatasetService/PurgeDataPath",
        overdue.name,
    )
