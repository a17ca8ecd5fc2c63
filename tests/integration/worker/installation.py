"""Registry, scheduler, evaluator and workers as processes of their own, on the servers of a test."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import json_format, struct_pb2
from loupe.client import AsyncLoupe
from loupe.profile import Profile
from loupe.registry.v1 import algorithm_image_pb2, algorithm_image_service_pb2
from loupe.sample import DEFECTS
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from deploy.embedded.ports import HOST, assign
from tests.support.repository import ROOT
from tests.support.waiting import DEADLINE_S

SERVICES = ("registry", "scheduler", "evaluator")
SMALL = {
    # Two threads wait for each other in a loop; where tests share the cores, one is faster.
    "LOUPE_TORCH_THREADS": "1",
    # What the seeded resource takes, whatever the machine has.
    "LOUPE_CPUS": "2",
    "LOUPE_MEMORY_BYTES": str(4 * 2**30),
}
"""Settings of workers."""


@dataclass
class Installation:
    """The processes by name, and a client of an administrator."""

    environ: Mapping[str, str]
    folder: Path
    client: AsyncLoupe
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def start(
        self, name: str, module: str, *, tree: Path = ROOT, prefix: Sequence[str] = (), **settings: str
    ) -> None:
        """Start `python -m module` of a source tree, by the command `prefix` where there is one.

        Its log is in the folder.
        """
        path = os.pathsep.join(str(tree / part) for part in (".", "client", "protos/gen"))
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(
                *(*prefix, sys.executable, "-m", module),
                env={**os.environ, "PYTHONPATH": path, **self.environ, **settings},
                # Else the folder of the tests' own tree comes before the path.
                cwd=tree,
                stdout=log,
                stderr=log,
            )

    async def start_worker(self, name: str, module: str, *, tree: Path = ROOT, **settings: str) -> None:
        """Start a worker; workers share a cache."""
        own = {
            "LOUPE_WORKER": name,
            "LOUPE_CACHE_DIR": str(self.folder / "cache"),
            "LOUPE_LISTEN": f"{HOST}:0",
        }
        await self.start(name, module, tree=tree, **own | settings)

    def worker(self, kind: str) -> str:
        """The one worker of a kind that runs: `trainer` or `evaluator-worker`."""
        (name,) = (name for name in self.processes if name.startswith(kind))
        return name

    async def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal a process and wait for its end; its exit code."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()

    def log(self, name: str) -> list[dict[str, object]]:
        """The lines that a process logged."""
        lines = (self.folder / f"{name}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    async def tiny_image(
        self, max_iter: int, *, minor: int, segmentation_iterations: int = 0, base_lr: float = 0.01
    ) -> str:
        """A version of a seeded image that trains fast on two cores; of the one that segments, if asked."""
        parameters = {
            "base_lr": base_lr,
            "batch_size": 8,
            "max_iter": max_iter,
            "weight_decay": 0.0001,
            "momentum": 0.9,
            "lr_policy": "poly",
            "power": 0.9,
            "gamma": 0.1,
        }
        training, model = struct_pb2.Struct(), struct_pb2.Struct()
        segmentation = {**parameters, "base_lr": 0.1, "max_iter": segmentation_iterations}
        json_format.ParseDict(
            {
                "classification": parameters,
                **({"segmentation": segmentation} if segmentation_iterations else {}),
            },
            training,
        )
        json_format.ParseDict({"classification": {"name": "ResNet18"}}, model)
        version = algorithm_image_pb2.AlgorithmImageVersion(
            major=3,
            minor=minor,
            classification_networks=["ResNet18"],
            input=algorithm_image_pb2.InputSpecification(
                width=32, height=32, channels=3, mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25]
            ),
            default_training_params=training,
            default_model_params=model,
        )
        kind = "segmentation" if segmentation_iterations else "classification"
        created = await self.client.images.CreateAlgorithmImageVersion(
            algorithm_image_service_pb2.CreateAlgorithmImageVersionRequest(
                parent=f"algorithmImages/surface-{kind}", version=version
            )
        )
        return str(created.name)

    async def train(
        self,
        model_name: str,
        image: str,
        dataset: str,
        *,
        special: Sequence[str] = (),
        seed: int = 1,
        resource: str = "cpu",
    ) -> str:
        """Submit a training; with special codes one of both networks. The task's name."""
        codes = [code for code in DEFECTS if code not in special]
        model_params = {
            "classification": {"name": "ResNet18", "num_of_classes": len(codes)},
            "code_list": [*codes, *special],
        }
        spec = task_pb2.TrainingSpec(
            model_name=model_name,
            algorithm_image_version=image,
            production_environment="productionEnvironments/demo-fab-cell-array",
            data_paths=await self.client.data_paths([dataset], []),
            compute_resource=f"computeResources/{resource}",
            model_params_json=json.dumps(model_params) if special else "",
            train_segmentation=bool(special),
            seed=seed,
            preprocessing=task_pb2.PreprocessingParams(
                train_fraction=0.75, filter_resolution=True, augmentations=[task_pb2.AUGMENTATION_FLIP]
            ),
            acknowledge_missing_training_paths=True,
        )
        return (await self.client.submit(task_pb2.Task(training=spec))).name

    async def until(
        self, task: str, *states: task_pb2.TaskState.ValueType, iteration: int = 0
    ) -> task_pb2.Task:
        """The task once it is in one of the states, and so far; fails when nothing changes for too long."""
        revision, deadline_s = -1, 0.0
        while True:
            found: task_pb2.Task = await self.client.tasks.GetTask(task_service_pb2.GetTaskRequest(name=task))
            if found.state in states and found.progress.iteration >= iteration:
                return found
            if found.revision != revision:
                revision, deadline_s = found.revision, time.monotonic() + DEADLINE_S
            assert time.monotonic() < deadline_s, f"nothing changes: {found}"
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def installed(
    environment: Mapping[str, str],
    folder: Path,
    kind: type[Installation] = Installation,
    *,
    trainer: str = "services.trainer",
) -> AsyncIterator[Installation]:
    """Start the three services and one worker of each kind; end them all afterwards."""
    ports = assign(SERVICES, {})
    addresses = {name: f"{HOST}:{ports[name]}" for name in SERVICES}
    environ = {
        **environment,
        **{f"LOUPE_{name.upper()}_ADDRESS": address for name, address in addresses.items()},
        "LOUPE_LEASE_S": "4",
        **SMALL,
    }
    profile = Profile(
        registry_address=addresses["registry"],
        scheduler_address=addresses["scheduler"],
        evaluator_address=addresses["evaluator"],
        token=environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"],
    )
    client = AsyncLoupe(profile)
    installation = kind(environ, folder, client)
    try:
        for name in SERVICES:
            await installation.start(name, f"services.{name}", LOUPE_LISTEN=addresses[name])
        await installation.start_worker("trainer-1", trainer)
        await installation.start_worker("evaluator-worker-1", "services.evaluator.worker")
        yield installation
    finally:
        await client.close()
        await asyncio.gather(*(installation.stop(name, signal.SIGKILL) for name in [*installation.processes]))
