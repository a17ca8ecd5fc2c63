"""Registries of the last release and of this tree on one database: a rolling upgrade, and the way back."""

import asyncio
import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from loupe.registry.v1 import master_data_pb2, master_data_service_pb2, master_data_service_pb2_grpc
from loupe.rpc.channel import connect

from tests.support.repository import ROOT
from tests.support.services import service_process

LAST_RELEASE = json.loads((ROOT / "deploy/last-release.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def last_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the last release."""
    folder = tmp_path_factory.mktemp("last-release")
    parts = ("services", "client", "protos", "gateway/__init__.py", "deploy")
    archived = subprocess.run(
        ["git", "archive", LAST_RELEASE["commit"], "--", *parts],  # noqa: S607 -- git is where PATH says
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if archived.returncode:
        pytest.skip(f"the history has no {LAST_RELEASE['commit']}: {archived.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


async def _environments(address: str, token: str, added: str) -> Sequence[str]:
    """The production environments after one was added, through the registry at that address."""
    async with connect(address, lambda: token, deadline_s=60) as channel:
        stub = master_data_service_pb2_grpc.MasterDataServiceStub(channel)
        await stub.CreateProductionEnvironment(
            master_data_service_pb2.CreateProductionEnvironmentRequest(
                production_environment_id=added,
                production_environment=master_data_pb2.ProductionEnvironment(site=added),
            )
        )
        listed = await stub.ListProductionEnvironments(
            master_data_service_pb2.ListProductionEnvironmentsRequest(page_size=100)
        )
        return [environment.name.rpartition("/")[2] for environment in listed.production_environments]


async def test_the_last_release_goes_on_beside_this_one(
    last_release: Path, service_environment: dict[str, str], tmp_path: Path
) -> None:
    token = service_environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"]

    def running(name: str, tree: Path | None = None) -> AbstractAsyncContextManager[tuple[int, str]]:
        return service_process("services.registry", service_environment, tmp_path / f"{name}.log", tree)

    database = await asyncio.to_thread((last_release / "services/kit/database.py").read_text)
    async with running("old", last_release) as (_, old):
        await _environments(old, token, "old-alone")
        async with running("new") as (_, new):
            seen = await asyncio.gather(
                _environments(old, token, "old-beside"), _environments(new, token, "new-beside")
            )
            assert all("old-alone" in names for names in seen)
            assert {"old-beside", "new-beside"} <= set(await _environments(old, token, "last"))
            # Until a release knows decision 92, its services run on beside newer ones and do not restart.
            if "schema_floor" in database:
                async with running("old again", last_release) as (_, again):
                    assert "new-beside" in await _environments(again, token, "old-again")
