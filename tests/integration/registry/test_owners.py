"""Whose data paths are, and what others may not do to them (A4)."""

import secrets
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from loupe.access.v1 import access_pb2
from loupe.errors import InvalidArgument, NotFound, PermissionDenied
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2, identity_pb2, identity_service_pb2

from services.kit.database import Database
from services.registry.__main__ import MIGRATIONS

from .conftest import Caller, Importer, Registry, new_path, png, sha256


async def get_path(caller: Caller, name: str) -> dataset_pb2.DataPath:
    found: dataset_pb2.DataPath = await caller.data.GetDataPath(
        dataset_service_pb2.GetDataPathRequest(name=name)
    )
    return found


async def set_owner(caller: Caller, path: str, owner: str) -> dataset_pb2.DataPath:
    changed: dataset_pb2.DataPath = await caller.data.SetDataPathOwner(
        dataset_service_pb2.SetDataPathOwnerRequest(name=path, owner=owner)
    )
    return changed


async def an_engineer(registry: Registry) -> tuple[str, Caller]:
    name, token = await registry.token_of_role(access_pb2.ROLE_ENGINEER)
    return name, registry.caller(token)


async def test_a4_only_its_owner_and_administrators_change_a_data_path(registry: Registry) -> None:
    """Nobody else deletes it, changes its samples or labels, or gives it away; reading is for all."""
    owner, of_owner = await an_engineer(registry)
    _, stranger = await an_engineer(registry)
    importer = Importer(of_owner, await new_path(of_owner))
    await importer.import_files({"A/1.png": png(1), "A/2.png": png(2)})
    path = importer.path
    before = await get_path(stranger, path)
    assert (before.owner, before.sample_count) == (owner, 2)
    candidate = dataset_pb2.SampleCandidate(file="A/1.png", sha256=sha256(png(2)))
    dataset = path.removesuffix("/paths/p")
    for change in (
        stranger.data.DeleteDataPath(dataset_service_pb2.DeleteDataPathRequest(name=path)),
        stranger.data.PlanSampleUploads(
            dataset_service_pb2.PlanSampleUploadsRequest(parent=path, sha256s=[sha256(png(3))])
        ),
        stranger.data.AddSamples(dataset_service_pb2.AddSamplesRequest(parent=path, candidates=[candidate])),
        stranger.data.RelabelSamples(
            dataset_service_pb2.RelabelSamplesRequest(
                parent=path, relabels=[{"file": "A/1.png", "sha256": sha256(png(1)), "code": "B"}]
            )
        ),
        stranger.data.CreateDataPath(
            dataset_service_pb2.CreateDataPathRequest(
                parent=dataset,
                data_path_id="p",
                data_path=dataset_pb2.DataPath(mask_codes=["A"]),
                allow_existing=True,
            )
        ),
        set_owner(stranger, path, ""),
    ):
        with pytest.raises(PermissionDenied) as refused:
            await change
        assert refused.value.reason == "NOT_DATA_PATH_OWNER"
        assert refused.value.facts == {"path": path, "owner": owner}
        assert owner in refused.value.message
    assert await get_path(stranger, path) == before
    # Whoever trains on it changes nothing.
    await stranger.data.SnapshotDataPath(dataset_service_pb2.SnapshotDataPathRequest(name=path))
    replaced = await Importer(registry.admin, path).import_files({"A/1.png": png(3)})
    assert replaced.outcomes[0].outcome == dataset_pb2.SampleOutcome.OUTCOME_REPLACED
    assert replaced.data_path.owner == owner


async def test_a4_a_data_path_is_handed_over_and_shared(registry: Registry) -> None:
    """By its owner; the former one may no more, and what is shared is every engineer's."""
    owner, of_owner = await an_engineer(registry)
    heir, of_heir = await an_engineer(registry)
    path = await new_path(of_owner)
    assert (await set_owner(of_owner, path, heir)).owner == heir
    with pytest.raises(PermissionDenied):
        await set_owner(of_owner, path, owner)
    assert not (await set_owner(of_heir, path, "")).owner
    added = await Importer(of_owner, path).import_files({"A/1.png": png(1)})
    assert added.outcomes[0].outcome == dataset_pb2.SampleOutcome.OUTCOME_ADDED
    assert (await set_owner(of_owner, path, owner)).owner == owner
    (entry, *_) = (
        await registry.admin.identity.ListAuditEntries(
            identity_service_pb2.ListAuditEntriesRequest(principal=owner)
        )
    ).entries
    assert (entry.action.rpartition("/")[2], entry.resource) == ("SetDataPathOwner", f"{path} owner={owner}")


async def test_a4_an_owner_can_change_what_it_owns(registry: Registry) -> None:
    """A path given to nobody, to a viewer or to a disabled user would be nobody's to change."""
    _, of_owner = await an_engineer(registry)
    path = await new_path(of_owner)
    viewer, _ = await registry.token_of_role(access_pb2.ROLE_VIEWER)
    gone = await registry.admin.identity.CreateUser(
        identity_service_pb2.CreateUserRequest(
            user_id=f"user-{secrets.token_hex(4)}",
            user=identity_pb2.User(role=access_pb2.ROLE_ENGINEER, disabled=True),
        )
    )
    for name in (viewer, gone.name):
        with pytest.raises(InvalidArgument) as refused:
            await set_owner(of_owner, path, name)
        assert refused.value.violations[0].reason == "CANNOT_OWN"
    with pytest.raises(NotFound):
        await set_owner(of_owner, path, "users/nobody")
    with pytest.raises(InvalidArgument):
        await set_owner(of_owner, path, "somebody")


async def test_a4_paths_from_before_get_their_maker_from_the_audit_log(
    postgres_url: str, tmp_path: Path
) -> None:
    """Who imported into a path later did not make it; whose maker is unknown stays shared."""
    before = tmp_path / "versions"
    before.mkdir()
    for revision in (MIGRATIONS / "versions").glob("000[1-6]_*.py"):
        shutil.copy(revision, before)
    async with Database(postgres_url, "registry") as database:
        assert await database.migrate(tmp_path) == "0006"
        async with database.sessions.begin() as session:
            await session.execute(sa.text("INSERT INTO datasets VALUES ('d', '', '', now())"))
            made = (
                "INSERT INTO data_paths (dataset, id, description, create_time, update_time) "
                "SELECT 'd', id, '', now() - interval '3 days', now() FROM unnest(CAST(:ids AS text[])) AS id"
            )
            await session.execute(sa.text(made), {"ids": ["known", "late", "service", "unknown"]})
            for path, principal, result, days in (
                ("known", "users/before", "OK", "3 days 1 second"),
                ("known", "users/refused", "ALREADY_EXISTS", "2 days 23:59:59.5"),
                ("known", "users/maker", "OK", "2 days 23:59:59"),
                ("known", "users/importer", "OK", "2 days 23:59:58"),
                ("late", "users/importer", "OK", "2 days"),
                ("service", "services/loupe", "OK", "2 days 23:59:59"),
            ):
                entry = (
                    "INSERT INTO audit_entries (time, principal, action, resource, result, peer) "
                    "SELECT now() - CAST(CAST(:age AS text) AS interval), :principal, :action, :resource, "
                    ":result, ''"
                )
                action = "loupe.registry.v1.DatasetService/CreateDataPath"
                values = {"age": days, "principal": principal, "action": action, "result": result}
                await session.execute(sa.text(entry), {**values, "resource": f"datasets/d/paths/{path}"})
        await database.migrate(MIGRATIONS)
        async with database.sessions.begin() as session:
            rows = (await session.execute(sa.text("SELECT id, owner FROM data_paths ORDER BY id"))).all()
    assert [tuple(row) for row in rows] == [
        ("known", "users/maker"),
        ("late", ""),
        ("service", ""),
        ("unknown", ""),
    ]
