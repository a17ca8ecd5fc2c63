"""Whoever takes over the child of a trainer reaches the objects of its job and nothing else."""

import asyncio
import contextlib
import hashlib
import io
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from loupe.client import AsyncLoupe
from loupe.folders import read_folder
from loupe.profile import Profile
from loupe.sample import write_sample
from loupe.scheduler.v1 import task_pb2
from minio import Minio

from deploy.embedded.loupe_processes import Workers, loupe_processes
from deploy.embedded.ports import SERVICE_PORTS
from deploy.embedded.process import Launch, ProcessSpec
from deploy.embedded.servers import EmbeddedServers, Plan
from services.kit import child_confinement
from tests.integration.worker.installation import Installation
from tests.support.taken_over import NAMING_SEED
from tests.support.taken_over_worker import TARGETS
from tests.support.waiting import DEADLINE_S

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(
        child_confinement.measures() != child_confinement.MEASURES,
        reason="this kernel cannot confine a child in every way (docs/security.md)",
    ),
]

OTHERS_WEIGHTS = b"weights of somebody else"


@dataclass(frozen=True)
class Attacked:
    """A stack whose trainer is in the hands of an attacker."""

    servers: EmbeddedServers
    installation: Installation
    images: Path
    foreign: Sequence[str]
    """Keys of objects that are there, and of another job."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def attacked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Attacked]:
    tmp_path = tmp_path_factory.mktemp("attacked")
    images = tmp_path / "images"
    write_sample(images, per_code=4, seed=1)
    write_sample(tmp_path / "others", per_code=2, seed=2)
    others = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "others").glob("*/*.jpg")]
    foreign = [
        *(f"samples/{sha256}" for sha256 in others),
        f"weights/{hashlib.sha256(OTHERS_WEIGHTS).hexdigest()}.safetensors",
        "stack/ready",
    ]

    def processes(plan: Plan) -> Sequence[ProcessSpec]:
        specs = loupe_processes(plan, workers=Workers(trainers=1, evaluators=0))
        return [
            replace(spec, prepare=partial(taken_over, plan, spec, foreign))
            if spec.name == "trainer-1"
            else spec
            for spec in specs
            if spec.name != "gateway"
        ]

    async with contextlib.AsyncExitStack() as resources:
        servers = EmbeddedServers(tmp_path / "data", more=processes, port_names=SERVICE_PORTS, durable=False)
        await servers.start(timeout_s=DEADLINE_S)
        resources.push_async_callback(servers.stop, kill=True)
        address = {name: f"127.0.0.1:{servers.plan.ports[name]}" for name in SERVICE_PORTS}
        client = AsyncLoupe(
            Profile(
                registry_address=address["registry"],
                scheduler_address=address["scheduler"],
                evaluator_address=address["evaluator"],
                token=servers.credentials.admin_token,
            )
        )
        resources.push_async_callback(client.close)
        for dataset, folder in (("panels", images), ("others", tmp_path / "others")):
            await client.import_folder(read_folder(folder), dataset=dataset, path="main")
        installation = Installation({}, tmp_path, client)
        yield Attacked(servers, installation, images, foreign)


def taken_over(plan: Plan, trainer: ProcessSpec, foreign: Sequence[str]) -> Launch:
    """The trainer as it would start, with a child of ours, who is told where everything is."""
    root, launch = plan.folder.root, trainer.prepare()
    # Written before anything starts, or by the servers that started first.
    files = [
        "credentials.json",
        "nats/nats.conf",
        "seaweed/identities.json",
        "logs/registry.log",
        "stack.json",
    ]
    folders = [".", "postgres", "seaweed/data", "nats/jetstream", "logs", "cache", "cache/children"]
    sockets = [str(path) for path in root.glob("seaweed/run/*.sock")]
    targets = {
        "registry": ["1"],
        "files": [str(root / file) for file in files],
        "folders": [str(root / folder) for folder in folders],
        "addresses": [f"127.0.0.1:{port}" for port in plan.ports.values()]
        + [f"127.0.0.1:{port + 10_000}" for name, port in plan.ports.items() if name.startswith("seaweed_")],
        "sockets": [*sockets, *map(str, Path("/tmp").glob("seaweedfs-*-grpc-*.sock"))],  # noqa: S108
        "objects": list(foreign),
        "named": [str(root / "credentials.json"), "/etc/hostname"],
    }
    return replace(
        launch,
        command=(sys.executable, "-m", "tests.support.taken_over_worker"),
        environment={**launch.environment, TARGETS: json.dumps(targets)},
    )


async def test_a_child_that_was_taken_over_reaches_nothing_but_its_own_job(attacked: Attacked) -> None:
    """It decodes pictures of strangers: one key of the installation that it finds is theirs."""
    servers, installation = attacked.servers, attacked.installation
    store = servers.object_store
    objects = Minio(store.endpoint, access_key=store.access_key, secret_key=store.secret_key, secure=False)
    weights = next(key for key in attacked.foreign if key.startswith("weights/"))
    await asyncio.to_thread(
        objects.put_object, store.bucket, weights, io.BytesIO(OTHERS_WEIGHTS), len(OTHERS_WEIGHTS)
    )
    image = await installation.tiny_image(4, minor=7)
    task = await installation.train("attacked", image, "panels")
    failed = await installation.until(task, task_pb2.TASK_STATE_FAILED)
    assert failed.failure.code == "TAKEN_OVER", failed.failure
    report = json.loads(failed.failure.message)
    assert report["reached"] == []
    assert report["own"] == len(list(attacked.images.glob("*/*.jpg")))
    assert report["tried"] > 100
    for key in attacked.foreign:
        await asyncio.to_thread(objects.stat_object, store.bucket, key)


async def test_a_worker_stores_and_deletes_no_file_that_is_not_its_childs(attacked: Attacked) -> None:
    """The worker may read the installation's secrets: a child that names them must not have them stored."""
    image = await attacked.installation.tiny_image(4, minor=8)
    task = await attacked.installation.train("naming", image, "panels", seed=NAMING_SEED)
    failed = await attacked.installation.until(task, task_pb2.TASK_STATE_FAILED)
    assert "no file of its own" in failed.failure.message
    assert attacked.servers.folder.credentials_file.exists()
    store = attacked.servers.object_store
    objects = Minio(store.endpoint, access_key=store.access_key, secret_key=store.secret_key, secure=False)
    found = await asyncio.to_thread(lambda: list(objects.list_objects(store.bucket, "checkpoints/")))
    assert found == []
