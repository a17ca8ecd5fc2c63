"""The images, and an installation whose processes are containers of them."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.embedded import service_tokens
from tests.images import building
from tests.integration.worker.installation import Installation, installed

USER = 10001
CONFINED = (
    *("--network", "host", "--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp:size=2g,mode=1777"),  # noqa: S108 -- in the container
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--shm-size", "1g"),
    # Higher ones than this process has cannot be set where it has no right to.
    *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"),
)
"""As the chart and Compose start them; the network is this machine's, where the stores of the tests are."""


@pytest.fixture(scope="session")
def services_image() -> str:
    return _built("services")


@pytest.fixture(scope="session")
def train_image() -> str:
    return _built("train")


def _built(target: str) -> str:
    if why := building.missing():
        pytest.skip(why)
    return building.build(target)


class Containers(Installation):
    """The same processes, each in a container of the image that it is in."""

    images: dict[str, str]
    prefix: str

    async def start(self, name: str, module: str, **settings: str) -> None:
        """Start `python -m module` in a container; its log is in the folder."""
        kind = "train" if module.startswith("services.trainer") or module.endswith(".worker") else "services"
        given = {**self.environ, **settings, "LOUPE_SERVICE_TOKENS_DIR": "/run/loupe/tokens"}
        mounts = ["--volume", f"{self.environ['LOUPE_SERVICE_TOKENS_DIR']}:/run/loupe/tokens:ro"]
        if kind == "train":
            given["LOUPE_CACHE_DIR"] = "/var/cache/loupe"
            # Of a name, as Compose has it: the engine makes it as the image has the folder.
            mounts += ["--volume", f"{self.prefix}cache:/var/cache/loupe"]
        variables = [word for variable in given.items() for word in ("--env", "=".join(variable))]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(
                *self.command("run", "--rm", "--name", self.prefix + name, *CONFINED, *mounts, *variables),
                *(self.images[kind], "python", "-m", module),
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    async def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal a container's process and wait for its end; its exit code."""
        with contextlib.suppress(AssertionError):  # it has ended
            await asyncio.to_thread(
                building.call, "podman", "kill", "--signal", number.name, self.prefix + name
            )
        return await self.processes.pop(name).wait()

    async def inside(self, name: str, *command: str) -> tuple[int, str]:
        """Exit code and output of a command in a running container."""
        process = await asyncio.create_subprocess_exec(
            *self.command("exec", self.prefix + name, *command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    def command(self, verb: str, *arguments: str) -> list[str]:
        """Of podman."""
        storage = ("--root", str(building.CACHE / "storage"), "--runroot", str(building.CACHE / "run"))
        return ["podman", *storage, "--storage-driver", "overlay", "--runtime", "runc", verb, *arguments]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def containers(
    services_image: str,
    train_image: str,
    module_service_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Containers]:
    """Registry, scheduler, evaluator and a worker of each kind, on stores outside of their containers."""
    folder = tmp_path_factory.mktemp("containers")
    service_tokens.create(folder / "tokens")
    for path in (folder / "tokens", *(folder / "tokens").iterdir()):
        os.chown(path, USER, USER)
    # The way to them is pytest's, and root's alone; what is mounted does not need it.
    environment = {**module_service_environment, "LOUPE_SERVICE_TOKENS_DIR": str(folder / "tokens")}
    Containers.images = {"services": services_image, "train": train_image}
    Containers.prefix = f"loupe-test-{os.getpid()}-"
    async with installed(environment, folder, Containers) as running:
        assert isinstance(running, Containers)
        yield running
    building.call("podman", "volume", "rm", "--force", f"{Containers.prefix}cache")
