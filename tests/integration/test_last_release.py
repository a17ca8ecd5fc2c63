"""All services of the last release beside those of the next, on one database and bucket, and the way back."""

import asyncio
import contextlib
import io
import json
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio
from loupe.client import AsyncLoupe
from loupe.folders import read_folder
from loupe.profile import Profile
from loupe.registry.v1 import master_data_pb2, master_data_service_pb2
from loupe.sample import write_sample
from loupe.scheduler.v1 import task_pb2, task_service_pb2
from loupe.server.v1 import server_service_pb2

from deploy.embedded.ports import HOST, assign
from tests.integration.worker.installation import SMALL, Installation
from tests.support.repository import ROOT
from tests.support.services import told_port
from tests.support.waiting import DEADLINE_S, eventually

LAST_RELEASE = json.loads((ROOT / "deploy/last-release.json").read_text(encoding="utf-8"))
SERVERS = {
    **{name: f"services.{name}" for name in ("registry", "scheduler", "evaluator")},
    "gateway": "gateway",
}
PARTS = ("services", "client", "protos", "gateway/*.py", "deploy")
ITERATIONS = 80
COMPLETED, RELEASED, TRAINING = (
    task_pb2.TASK_STATE_COMPLETED,
    task_pb2.TASK_STATE_RELEASED,
    task_pb2.TASK_STATE_TRAINING,
)
EXPANDING = """
from alembic import op

revision = "{revision}"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE TABLE of_the_next_release (id bigint PRIMARY KEY)")
    op.execute("ALTER TABLE {table} ADD COLUMN of_the_next_release text NOT NULL DEFAULT 'new'")
"""
TABLES = {"registry": "data_paths", "scheduler": "tasks", "evaluator": "report"}

# As many processes as an installation, so one process of pytest-xdist.
pytestmark = pytest.mark.xdist_group("installation")


@pytest.fixture(scope="module")
def last_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the last release."""
    archived = subprocess.run(
        ["git", "archive", LAST_RELEASE["commit"], "--", *PARTS],  # noqa: S607 -- git is where PATH says
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if archived.returncode:
        pytest.skip(f"the history has no {LAST_RELEASE['commit']}: {archived.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("last-release")
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def next_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree with one more migration of each schema, as the next release will have them."""
    folder = tmp_path_factory.mktemp("next-release")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS],  # noqa: S607 -- as above
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for service, table in TABLES.items():
        versions = folder / "services" / service / "migrations/versions"
        head = max(path.name[:4] for path in versions.glob("[0-9]*.py"))
        revision = f"{int(head) + 1:04}"
        text = EXPANDING.format(revision=revision, head=head, table=table)
        (versions / f"{revision}_next.py").write_text(text)
    return folder


@dataclass(frozen=True)
class Release:
    """A source tree, its servers, and a client that calls these alone."""

    name: str
    tree: Path
    addresses: Mapping[str, str]
    of: Installation

    async def start(self, times: str = "") -> None:
        """Start the four servers; returns when all of them serve. `times` names their logs."""
        # The registry first: it makes what the others ask for.
        await self._start("registry", times)
        await asyncio.gather(*(self._start(server, times) for server in SERVERS if server != "registry"))

    async def _start(self, server: str, times: str) -> None:
        name = f"{self.name}-{server}{times}"
        await self.of.start(name, SERVERS[server], tree=self.tree, LOUPE_LISTEN=self.addresses[server])
        log = self.of.folder / f"{name}.log"
        await eventually(lambda: told_port(log, "serving") or self._ended(name))
        assert not self._ended(name), f"see {log}"

    def _ended(self, name: str) -> bool:
        return self.of.processes[name].returncode is not None

    async def stop(self) -> None:
        """Stop what runs of this release, in order: each process ends well."""
        for name in [name for name in self.of.processes if name.startswith(self.name)]:
            assert await self.of.stop(name, signal.SIGTERM) == 0, name

    async def models(self) -> list[str]:
        """The versions of all models, as the gateway tells browsers."""
        headers = {"Authorization": f"Bearer {self.of.environ['LOUPE_BOOTSTRAP_ADMIN_TOKEN']}"}
        async with httpx.AsyncClient(base_url=f"http://{self.addresses['gateway']}", headers=headers) as http:
            answer = await http.get("/v1/models", timeout=DEADLINE_S)
        return sorted(model["name"] for model in answer.raise_for_status().json()["models"])

    async def take(self, dataset: str, *, seed: int) -> None:
        """Import pictures of their own through this release."""
        folder = self.of.folder / dataset
        write_sample(folder, per_code=4, seed=seed)
        await self.of.client.import_folder(read_folder(folder), dataset=dataset, path="main")

    async def begin(self, model: str, resource: str, image: str, dataset: str) -> str:
        """Submit a training through this release, and see it train."""
        task = await self.of.train(model, image, dataset, resource=resource)
        await self.of.until(task, TRAINING, COMPLETED, iteration=1)
        return task

    async def release(self, task: str) -> str:
        """Release a training through this one; the version once the model library has it."""
        await self.of.until(task, COMPLETED)
        await self.of.client.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task))

        async def numbered() -> str:
            return (await self.of.until(task, RELEASED)).model_version

        await eventually(numbered)
        return await numbered()


@pytest_asyncio.fixture(loop_scope="session")
async def releases(
    last_release: Path, next_release: Path, service_environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[tuple[Release, Release]]:
    """The last one and the next one, not started yet: all processes know the servers of both."""
    trees = {"old": last_release, "new": next_release}
    ports = assign([f"{name}-{server}" for name in trees for server in SERVERS], {})
    addresses = {
        name: {server: f"{HOST}:{ports[f'{name}-{server}']}" for server in SERVERS} for name in trees
    }
    environ = {
        **service_environment,
        **{
            f"LOUPE_{server.upper()}_ADDRESS": ",".join(addresses[name][server] for name in trees)
            for server in SERVERS
        },
        **SMALL,
        # Calls of workers are told at this level.
        "LOUPE_LOG_LEVEL": "DEBUG",
        "LOUPE_DECODERS": "2",
    }
    async with contextlib.AsyncExitStack() as clients:
        made = []
        for name, tree in trees.items():
            profile = Profile(
                registry_address=addresses[name]["registry"],
                scheduler_address=addresses[name]["scheduler"],
                evaluator_address=addresses[name]["evaluator"],
                token=environ["LOUPE_BOOTSTRAP_ADMIN_TOKEN"],
            )
            client = await clients.enter_async_context(AsyncLoupe(profile))
            made.append(Release(name, tree, addresses[name], Installation(environ, tmp_path, client)))
        old, new = made
        new = replace(new, of=replace(new.of, processes=old.of.processes))
        try:
            yield old, new
        finally:
            left = [*old.of.processes]
            await asyncio.gather(*(old.of.stop(process, signal.SIGKILL) for process in left))


def reports(installation: Installation, log: str, of: str) -> int:
    """How many reports of jobs a scheduler took from a kind of worker."""
    wanted = ("/loupe.scheduler.v1.JobService/ReportJob", f"services/{of}", "OK")
    lines = installation.log(log)
    return sum((line.get("method"), line.get("principal"), line.get("code")) == wanted for line in lines)


async def revisions(environ: Mapping[str, str]) -> dict[str, str]:
    """Of each schema."""
    connection = await asyncpg.connect(environ["LOUPE_DATABASE_URL"].replace("+asyncpg", ""))
    try:
        return {
            service: await connection.fetchval(f"SELECT version_num FROM {service}.schema_revision")  # noqa: S608
            for service in TABLES
        }
    finally:
        await connection.close()


async def test_the_last_release_runs_beside_the_next_and_alone_again(
    releases: tuple[Release, Release],
) -> None:
    """A rolling upgrade and its end, as an operator lives them; what was begun under both is finished."""
    began_s = time.monotonic()
    old, new = releases
    await old.start()
    await old.of.start_worker("old-trainer", "services.trainer", tree=old.tree)
    await old.take("before", seed=1)
    image = await old.of.tiny_image(ITERATIONS, minor=20)
    over_the_migration = await old.begin("migrated", "cpu", image, "before")
    before = await revisions(old.of.environ)

    # Each trainer is given work and judged by the other release's services.
    await new.start()
    after = await revisions(old.of.environ)
    assert all(after[service] > before[service] for service in TABLES), after
    await old.of.client.master_data.CreateComputeResource(
        master_data_service_pb2.CreateComputeResourceRequest(
            compute_resource_id="next",
            compute_resource=master_data_pb2.ComputeResource(cpus=2, memory_bytes=2**30),
        )
    )
    of_next = {"LOUPE_COMPUTE_RESOURCE": "next"}
    to_old = {"LOUPE_SCHEDULER_ADDRESS": old.addresses["scheduler"]}
    await new.of.start_worker("new-trainer", "services.trainer", tree=new.tree, **of_next, **to_old)
    await new.of.start_worker("new-judge", "services.evaluator.worker", tree=new.tree)
    await old.of.start_worker("old-judge", "services.evaluator.worker", tree=old.tree, **of_next)
    await asyncio.gather(old.take("beside-old", seed=2), new.take("beside-new", seed=3))
    reverse = await old.begin("reverse", "next", image, "beside-new")
    crossed = await new.begin("crossed", "cpu", image, "beside-old")
    versions = [await new.release(over_the_migration), await old.release(reverse)]
    await eventually(lambda: reports(old.of, "new-scheduler", "trainer"))
    assert reports(old.of, "old-scheduler", "trainer")
    assert await old.models() == await new.models() == ["models/migrated", "models/reverse"]

    # The old ones start again on the new schema, then are alone again, in the middle of a training.
    for name in [name for name in old.of.processes if name.startswith("old-")]:
        assert await old.of.stop(name, signal.SIGTERM) == 0
    await old.start(" again")
    await new.of.until(crossed, COMPLETED)
    assert await new.of.stop("new-judge", signal.SIGTERM) == 0
    await old.of.start_worker("old-trainer-again", "services.trainer", tree=old.tree)
    left = await new.begin("left", "cpu", image, "beside-new")
    await new.stop()
    await old.of.start_worker("old-judge-again", "services.evaluator.worker", tree=old.tree)
    await old.take("after", seed=4)
    await old.of.until(left, COMPLETED)
    await _nothing_is_lost(old, [over_the_migration, reverse, crossed, left], versions)
    print(f"took {time.monotonic() - began_s:.0f} s")  # noqa: T201


async def _nothing_is_lost(old: Release, tasks: list[str], versions: list[str]) -> None:
    """Tasks with their curves and reports, versions, pictures, objects and events."""
    client = old.of.client
    for task in tasks:
        found = await client.tasks.GetTask(task_service_pb2.GetTaskRequest(name=task))
        assert found.state in {COMPLETED, RELEASED}
        curve = await client.tasks.GetLossCurve(task_service_pb2.GetLossCurveRequest(name=task))
        assert list(curve.iterations) == list(range(ITERATIONS))
        assert (await client.find_report(task)).name == found.report
    assert [name.endswith("/v3.01") for name in versions] == [True, True]
    for version in versions:
        assert (await client.find_report(version)).overall.sample_count
    paths = {path.name: path.sample_count for path in await client.list_data_paths()}
    assert len(paths) == 4
    assert len({*paths.values()}) == 1, paths
    objects = 0
    for server, stub in client.servers.items():
        checked = server_service_pb2.CheckStorageResponse()
        async for checked in stub.CheckStorage(
            server_service_pb2.CheckStorageRequest(name=f"servers/{server}", read=True)
        ):
            assert not checked.findings, checked
        objects += checked.object_count
    assert objects > sum(paths.values())
