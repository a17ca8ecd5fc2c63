"""A training over two hosts draws the curve of one process, whichever host is lost meanwhile (T5).

For root the second host is a network namespace at the other end of a cable, else another address of this one.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from loupe.errors import LoupeError
from loupe.folders import read_folder
from loupe.registry.v1 import master_data_pb2, master_data_service_pb2
from loupe.sample import write_sample
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from tests.integration.worker.installation import Installation, installed
from tests.support.hosts import Host, second_host
from tests.support.relay import relay_to
from tests.support.waiting import DEADLINE_S, eventually

TRAINING, WAITING = task_pb2.TASK_STATE_TRAINING, task_pb2.TASK_STATE_WAITING
ITERATIONS = 40
SECRET = "of the hosts that train together in a test"  # noqa: S105
PORT = 7105

pytestmark = pytest.mark.xdist_group("hosts")


@pytest.fixture(scope="module")
def other() -> Iterator[Host]:
    with second_host() as host:
        yield host


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installation(
    module_service_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """Everything in float64, in which a curve shows more than rounding; the trainer is alone at first."""
    folder: Path = tmp_path_factory.mktemp("hosts")
    environment = {**module_service_environment, "LOUPE_CHECKPOINT_INTERVAL_S": "0.5"}
    async with installed(environment, folder, trainer="tests.support.float64_trainer") as running:
        write_sample(folder / "images", per_code=8, seed=1)
        deadline_s = time.monotonic() + DEADLINE_S
        while True:
            try:
                await running.client.import_folder(
                    read_folder(folder / "images"), dataset="panels", path="main"
                )
                break
            except LoupeError:
                assert time.monotonic() < deadline_s
                await asyncio.sleep(0.2)
        yield running


async def curve(installation: Installation, task: str) -> dict[int, float]:
    found: task_service_pb2.LossCurve = await installation.client.tasks.GetLossCurve(
        task_service_pb2.GetLossCurveRequest(name=task, network=task_pb2.NETWORK_CLASSIFICATION)
    )
    return dict(zip(found.iterations, found.losses, strict=True))


def outcomes(installation: Installation, trainer: str, task: str) -> list[object]:
    """How the jobs of a task ended, as a trainer's log has it."""
    lines = installation.log(trainer)
    return [line["outcome"] for line in lines if line["message"] == "job ends" and line["task"] == task]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def image(installation: Installation) -> str:
    """With a small learning rate: rounding stays under the tolerance over all iterations."""
    return await installation.tiny_image(ITERATIONS, minor=30, base_lr=0.0001)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def straight(installation: Installation, image: str) -> dict[int, float]:
    """The curve of one process."""
    task = await installation.train("alone", image, "panels")
    await eventually(lambda: "trained" in outcomes(installation, "trainer-1", task))
    return await curve(installation, task)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def group(installation: Installation, other: Host) -> AsyncIterator["Group"]:
    """The leader, on this host, which waits for its follower; the resource is two hosts with a core each."""
    resource = master_data_pb2.ComputeResource(cpus=1, memory_bytes=2**30, nodes=2)
    await installation.client.master_data.CreateComputeResource(
        master_data_service_pb2.CreateComputeResourceRequest(
            compute_resource_id="pair", compute_resource=resource
        )
    )
    endpoint, _, port = installation.environ["LOUPE_S3_ENDPOINT"].rpartition(":")
    async with relay_to(endpoint, int(port), listen=other.here) as store:
        running = Group(installation, other, f"{other.here}:{store.listens_at}")
        await running.start_leader()
        yield running


class Group:
    """A leader and its follower."""

    def __init__(self, installation: Installation, other: Host, store: str) -> None:
        self._installation = installation
        self._other = other
        self._store = store

    async def start_leader(self) -> None:
        """It has the name, and so the place, of the one before."""
        await self._installation.start_worker(
            "leader",
            "tests.support.float64_trainer",
            LOUPE_COMPUTE_RESOURCE="pair",
            LOUPE_CPUS="1",
            LOUPE_MEMORY_BYTES=str(2**30),
            LOUPE_NODES="2",
            LOUPE_MEETING_LISTEN=f"{self._other.here}:{PORT}",
            LOUPE_MEETING_SECRET=SECRET,
        )

    async def start_follower(self, name: str = "follower", secret: str = SECRET) -> None:
        """It knows its leader, the secret and the object store, and nothing else."""
        of_services = dict.fromkeys((one for one in self._installation.environ if "S3" not in one), "")
        own = {
            "LOUPE_S3_ENDPOINT": self._store,
            "LOUPE_TORCH_THREADS": "1",
            "LOUPE_WORKER": name,
            "LOUPE_CACHE_DIR": str(self._installation.folder / f"cache-of-{name}"),
            "LOUPE_LEADER_ADDRESS": f"{self._other.here}:{PORT}",
            "LOUPE_MEETING_SECRET": secret,
        }
        await self._installation.start(
            name,
            "tests.support.float64_follower",
            prefix=self._other.prefix,
            **of_services | own,
        )

    async def child_of_leader(self) -> int:
        """Its process id."""
        (child,) = psutil.Process(self._installation.processes["leader"].pid).children()
        return child.pid


async def test_a_follower_may_come_late_and_a_stranger_not_at_all(
    installation: Installation, image: str, straight: dict[int, float], group: Group
) -> None:
    """A job waits until its hosts are there. Who lacks the secret is no host, and disturbs nobody."""
    task = await installation.train("late", image, "panels", resource="pair")
    await group.start_follower("stranger", "of somebody who listens on the network of the hosts")
    told = lambda name, message: any(line["message"] == message for line in installation.log(name))  # noqa: E731
    await eventually(lambda: told("leader", "a stranger was refused: it does not know the secret"))
    (why,) = (line for line in installation.log("stranger") if line["message"] == "the leader is not there")
    assert why["reason"] == "SECRET_REFUSED"
    assert (await installation.until(task, WAITING)).state == WAITING
    await group.start_follower()
    await eventually(lambda: "trained" in outcomes(installation, "leader", task))
    await installation.stop("stranger")
    assert outcomes(installation, "leader", task) == ["trained"]
    assert await curve(installation, task) == pytest.approx(straight, rel=1e-6)


@pytest.mark.parametrize("lost", ["follower", "leader", "child of the leader", "network"])
async def test_whatever_is_lost_the_training_goes_on_from_its_checkpoint(  # noqa: PLR0917
    installation: Installation,
    image: str,
    straight: dict[int, float],
    group: Group,
    other: Host,
    lost: str,
) -> None:
    """T5: all processes end, nobody waits for ever, and the curve is whole and the same."""
    if lost == "network" and not other.cable:
        pytest.skip("a cable that can be cut needs root, and the program ip")
    if "follower" not in installation.processes:
        await group.start_follower()
    task = await installation.train(f"lost-{lost.replace(' ', '-')}", image, "panels", resource="pair")
    await installation.until(task, TRAINING, iteration=ITERATIONS // 4)
    before = len(outcomes(installation, "leader", task))
    match lost:
        case "follower":
            await installation.stop("follower", signal.SIGKILL)
            await group.start_follower()
        case "leader":
            await installation.stop("leader", signal.SIGKILL)
            await group.start_leader()
        case "child of the leader":
            os.kill(await group.child_of_leader(), signal.SIGKILL)
        case "network":
            with other.cut():
                await eventually(lambda: len(outcomes(installation, "leader", task)) > before)
    await eventually(lambda: "trained" in outcomes(installation, "leader", task))
    codes = {"follower": ["failed PROCESS_LOST"], "network": ["failed PROCESS_LOST"], "leader": []}
    assert outcomes(installation, "leader", task) == [*codes.get(lost, ["failed CHILD_DIED"]), "trained"]
    assert await curve(installation, task) == pytest.approx(straight, rel=1e-6)
