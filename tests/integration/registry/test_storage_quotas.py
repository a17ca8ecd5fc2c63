"""How much datasets and users may store (D10), and an import on a full disk."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from loupe.access.v1 import access_pb2
from loupe.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from loupe.registry.v1 import (
    dataset_pb2,
    dataset_service_pb2,
    storage_quota_pb2,
    storage_quota_service_pb2,
    storage_quota_service_pb2_grpc,
)

from tests.integration.registry.conftest import Caller, Registry, png, sha256
from tests.support.commands import Command

SET = storage_quota_service_pb2.SetStorageQuotaRequest


def quotas(caller: Caller) -> Any:  # noqa: ANN401 -- a stub, typed for both kinds of channel
    return storage_quota_service_pb2_grpc.StorageQuotaServiceStub(caller.channel)


async def listed(caller: Caller) -> dict[str, storage_quota_pb2.StorageQuota]:
    found: dict[str, storage_quota_pb2.StorageQuota] = {}
    token = ""
    while True:
        answer = await quotas(caller).ListStorageQuotas(
            storage_quota_service_pb2.ListStorageQuotasRequest(page_size=2, page_token=token)
        )
        found |= {one.subject: one for one in answer.storage_quotas}
        token = answer.next_page_token
        if not token:
            assert list(found) == sorted(found)
            return found


async def new_path(caller: Caller, dataset: str) -> str:
    await caller.data.CreateDataset(
        dataset_service_pb2.CreateDatasetRequest(dataset_id=dataset, allow_existing=True)
    )
    created = await caller.data.CreateDataPath(
        dataset_service_pb2.CreateDataPathRequest(
            parent=f"datasets/{dataset}", data_path_id=f"p{secrets.token_hex(3)}"
        )
    )
    return str(created.name)


async def plan(
    caller: Caller, path: str, contents: list[bytes], *, sizes: bool = True
) -> dataset_service_pb2.PlanSampleUploadsResponse:
    planned: dataset_service_pb2.PlanSampleUploadsResponse = await caller.data.PlanSampleUploads(
        dataset_service_pb2.PlanSampleUploadsRequest(
            parent=path,
            sha256s=[sha256(data) for data in contents],
            size_bytes=[len(data) for data in contents] if sizes else [],
        )
    )
    return planned


async def store(caller: Caller, path: str, files: dict[str, bytes], *, sizes: bool = True) -> None:
    """As an importer does it."""
    by_hash = {sha256(data): data for data in files.values()}
    planned = await plan(caller, path, list(files.values()), sizes=sizes)
    async with httpx.AsyncClient() as client:
        for upload in planned.uploads:
            (await client.put(upload.url, content=by_hash[upload.sha256])).raise_for_status()
    await caller.data.AddSamples(
        dataset_service_pb2.AddSamplesRequest(
            parent=path,
            candidates=[
                dataset_pb2.SampleCandidate(file=file, sha256=sha256(data)) for file, data in files.items()
            ],
        )
    )


@pytest.fixture
def dataset() -> str:
    return f"d{secrets.token_hex(4)}"


async def test_d10_an_import_over_the_quota_is_refused_before_its_bytes_are_sent(
    registry: Registry, dataset: str
) -> None:
    """D10: who, how much, and what to do; what was stored stays, and importing it again is no fault."""
    engineer = await registry.with_role(access_pb2.ROLE_ENGINEER)
    path = await new_path(engineer, dataset)
    first, second = png(seed=1), png(seed=2)
    await store(engineer, path, {"TPFIP/1.png": first})
    subject = f"datasets/{dataset}"
    assert (await listed(engineer))[subject].used_bytes == len(first)
    limit = len(first) + len(second) - 1
    quota = await quotas(registry.admin).SetStorageQuota(SET(subject=subject, limit_bytes=limit))
    assert (quota.used_bytes, quota.limit_bytes, quota.inherited) == (len(first), limit, False)
    with pytest.raises(FailedPrecondition) as refused:
        await plan(engineer, path, [first, second])
    assert refused.value.reason == "STORAGE_QUOTA_EXCEEDED"
    assert refused.value.facts["subject"] == subject
    assert refused.value.facts["limit_bytes"] == str(limit)
    assert subject in refused.value.message
    assert "配额" in refused.value.facts["message_zh"]
    # What the path lists already needs no room.
    assert not (await plan(engineer, path, [first])).uploads
    # An older importer says no sizes: it is refused when the bytes are known.
    with pytest.raises(FailedPrecondition):
        await store(engineer, path, {"TPFIP/2.png": second}, sizes=False)
    assert (await listed(engineer))[subject].used_bytes == len(first)
    # While everything runs, an administrator makes room.
    await quotas(registry.admin).SetStorageQuota(SET(subject=subject, limit_bytes=limit + 1))
    await store(engineer, path, {"TPFIP/2.png": second})
    assert (await listed(engineer))[subject].used_bytes == limit + 1
    without = await quotas(registry.admin).SetStorageQuota(SET(subject=subject))
    assert not without.HasField("limit_bytes")


async def test_d10_a_user_is_limited_over_all_own_paths_and_by_the_limit_of_all(
    registry: Registry, dataset: str
) -> None:
    """D10: an own limit goes before that of all; shared paths count for nobody."""
    user, token = await registry.token_of_role(access_pb2.ROLE_ENGINEER)
    engineer = registry.caller(token)
    paths = [await new_path(engineer, dataset) for _ in range(2)]
    one, two, three = png(seed=11), png(seed=12), png(seed=13)
    try:
        await quotas(registry.admin).SetStorageQuota(SET(subject="users/-", limit_bytes=len(one) + len(two)))
        await store(engineer, paths[0], {"TPFIP/1.png": one})
        await store(engineer, paths[1], {"TPFIP/1.png": two})
        with pytest.raises(FailedPrecondition) as refused:
            await plan(engineer, paths[1], [three])
        assert refused.value.facts["subject"] == user
        seen = (await listed(engineer))[user]
        assert (seen.inherited, seen.used_bytes) == (True, len(one) + len(two))
        await quotas(registry.admin).SetStorageQuota(SET(subject=user, limit_bytes=10**9))
        await store(engineer, paths[1], {"TPFIP/2.png": three})
        await engineer.data.SetDataPathOwner(dataset_service_pb2.SetDataPathOwnerRequest(name=paths[1]))
        assert (await listed(engineer))[user].used_bytes == len(one)
    finally:
        await quotas(registry.admin).SetStorageQuota(SET(subject="users/-"))


async def test_d10_what_is_counted_is_what_is_listed(registry: Registry, dataset: str) -> None:
    """D10: replaced, relabelled, deleted and purged samples leave what a sum over the rows gives."""
    engineer = await registry.with_role(access_pb2.ROLE_ENGINEER)
    path = await new_path(engineer, dataset)
    small, large = png(seed=21), png(seed=22, width=64, height=48)
    subject = f"datasets/{dataset}"
    await store(engineer, path, {"TPFIP/1.png": small, "TPFIP/2.png": small})
    assert (await listed(engineer))[subject].used_bytes == 2 * len(small)
    await store(engineer, path, {"TPFIP/1.png": large})
    assert (await listed(engineer))[subject].used_bytes == len(small) + len(large)
    await engineer.data.RelabelSamples(
        dataset_service_pb2.RelabelSamplesRequest(
            parent=path,
            relabels=[dataset_pb2.SampleRelabel(file="TPFIP/1.png", sha256=sha256(large), code="TTFBS")],
        )
    )
    assert (await listed(engineer))[subject].used_bytes == len(small) + len(large)
    async with registry.database.sessions.begin() as session:
        drift = await session.scalar(
            sa.text(
                "SELECT count(*) FROM data_paths p WHERE size_bytes <> (SELECT coalesce(sum("
                "i.size_bytes + coalesce(m.size_bytes, 0)), 0) FROM samples s JOIN objects i USING (sha256) "
                "LEFT JOIN objects m ON m.sha256 = s.mask_sha256 WHERE s.path = p.key)"
            )
        )
    assert drift == 0
    deleted = await engineer.data.DeleteDataPath(dataset_service_pb2.DeleteDataPathRequest(name=path))
    assert (await listed(engineer))[subject].used_bytes == len(small) + len(large)
    await registry.admin.data.PurgeDataPath(dataset_service_pb2.PurgeDataPathRequest(name=deleted.name))
    assert (await listed(engineer))[subject].used_bytes == 0


async def test_d10_only_administrators_limit_and_only_what_there_is(
    registry: Registry, engineer: Caller, releaser: Caller
) -> None:
    """D10, A2."""
    for caller in (engineer, releaser):
        with pytest.raises(PermissionDenied):
            await quotas(caller).SetStorageQuota(SET(subject="datasets/-", limit_bytes=1))
    for subject in ("datasets/nothing-here", "users/nobody-here"):
        with pytest.raises(NotFound):
            await quotas(registry.admin).SetStorageQuota(SET(subject=subject, limit_bytes=1))
    for bad in (SET(subject="models/m", limit_bytes=1), SET(subject="datasets/-", limit_bytes=-1)):
        with pytest.raises(InvalidArgument):
            await quotas(registry.admin).SetStorageQuota(bad)


@pytest.fixture
def command(registry: Registry) -> Command:
    """As an administrator."""
    return Command.of(registry.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"], registry=registry.address)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures of a code."""
    code = tmp_path / "panels" / "TPFIP"
    code.mkdir(parents=True)
    for number in range(2):
        (code / f"{number}.png").write_bytes(png(seed=700 + number))
    return code.parent


async def test_d10_an_import_over_the_quota_is_refused_with_fact_and_remedy(
    command: Command, folder: Path, dataset: str
) -> None:
    """D10: the operator sets it and sees it; the engineer reads who, how much, and what to do."""
    wish = ("data", "import", folder, "--dataset", dataset)
    await command.text(*wish)
    subject = f"datasets/{dataset}"
    assert "may store" in await command.text("quotas", "set", subject, "1kB")
    (folder / "TPFIP" / "more.png").write_bytes(png(seed=800, width=40, height=40))
    for language, told in (("en", "raise the quota"), ("zh", "配额")):
        refused = await command(*wish, "--lang", language)
        assert refused.exit_code == 1
        assert told in refused.stderr
        assert subject in refused.stderr
        assert "Traceback" not in refused.stderr + refused.stdout
    listed = await command.json("quotas", "list")
    (quota,) = [one for one in listed if one["subject"] == subject]
    assert (quota["limitBytes"], quota["inherited"]) == ("1000", False)
    assert "1.0 kB" in await command.text("quotas", "list")
    assert "without a limit" in await command.text("quotas", "remove", subject)
    await command.text(*wish)
    assert "datasets/NAME" in await command.refused("quotas", "set", dataset, "1kB")
    assert "size" in await command.refused("quotas", "set", subject, "many")


@pytest_asyncio.fixture(loop_scope="session")
async def full(registry: Registry) -> AsyncIterator[None]:
    """PostgreSQL answers to each new sample as it does on a full disk."""

    async def run(*statements: str) -> None:
        async with registry.database.sessions.begin() as session:
            for statement in statements:
                await session.execute(sa.text(statement))

    await run(
        "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
        "'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$",
        "CREATE TRIGGER no_space BEFORE INSERT ON samples FOR EACH ROW EXECUTE FUNCTION no_space()",
    )
    try:
        yield
    finally:
        await run("DROP TRIGGER no_space ON samples", "DROP FUNCTION no_space()")


@pytest.mark.usefixtures("full")
async def test_an_import_on_a_full_disk_ends_with_what_the_operator_can_do(
    command: Command, folder: Path, dataset: str
) -> None:
    """SQLSTATE 53100: what is full and who mends it, not an incident and no traceback."""
    for language, told in (("en", "the disk of the database is full"), ("zh", "数据库所在磁盘已满")):
        done = await command("data", "import", folder, "--dataset", dataset, "--lang", language)
        assert done.exit_code == 1
        assert told in done.stderr
        for word in ("Traceback", "incident", "loupe up"):
            assert word not in done.stderr + done.stdout
