"""A fleet with workers and data, and somebody who trains there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from loupe.client import AsyncLoupe, Loupe, pages
from loupe.registry.v1 import dataset_service_pb2
from loupe.sample import write_sample
from loupe.scheduler.v1 import queue_service_pb2, task_pb2, task_service_pb2
from loupe.server.v1 import server_service_pb2

from tests.faults import scenario
from tests.fleet.installation import Installation
from tests.support.waiting import eventually

PANELS = "datasets/panels/paths/main"
_WARM_UP = 120
"""Iterations of the first training, which tells the pace of this machine."""


@dataclass(frozen=True, kw_only=True)
class Fab:
    """`loupe` is for threads, `client` for this loop; `iterations_per_s` is the pace of one thread here."""

    fleet: Installation
    loupe: Loupe
    client: AsyncLoupe
    image: str
    iterations_per_s: float

    async def submit(self, name: str, iterations: int) -> str:
        """A training; its name."""
        return await asyncio.to_thread(scenario.submit, self.loupe, self.image, name, 1, iterations)

    async def task(self, name: str) -> task_pb2.Task:
        """How far it is."""
        found: task_pb2.Task = await self.client.tasks.GetTask(task_service_pb2.GetTaskRequest(name=name))
        return found

    async def until_trained(self, name: str, iterations: int) -> None:
        """Return when a training has done so many iterations."""

        async def is_so_far() -> bool:
            task = await self.task(name)
            assert task.state in {task_pb2.TASK_STATE_WAITING, task_pb2.TASK_STATE_TRAINING}, task
            return task.progress.iteration >= iterations

        await eventually(is_so_far)

    async def until_completed(self, name: str, iterations: int) -> task_pb2.Task:
        """The task at its end: COMPLETED in its first attempt, with every point of its curve once."""

        async def has_ended() -> bool:
            state = (await self.task(name)).state
            return state not in {task_pb2.TASK_STATE_WAITING, task_pb2.TASK_STATE_TRAINING}

        await eventually(has_ended)
        ended = await self.task(name)
        assert ended.state == task_pb2.TASK_STATE_COMPLETED, ended.failure.message
        curve = await self.client.tasks.GetLossCurve(
            task_service_pb2.GetLossCurveRequest(name=name, network=task_pb2.NETWORK_CLASSIFICATION)
        )
        assert list(curve.iterations) == list(range(iterations))
        assert ended.attempt == 1
        return ended

    async def holder(self, task: str) -> str:
        """The host of the worker that has the lease of a task; empty if none has."""
        request = queue_service_pb2.ListWorkersRequest(page_size=100)
        async for worker in pages(self.client.queue.ListWorkers, request, "workers"):
            if any(lease.task == task for lease in worker.leases):
                # By default a worker is called by its host and its process.
                return str(worker.name).removeprefix("workers/").rpartition("-")[0]
        return ""

    async def datasets(self) -> set[str]:
        """The names of all."""
        request = dataset_service_pb2.ListDatasetsRequest(page_size=500)
        return {one.name async for one in pages(self.client.datasets.ListDatasets, request, "datasets")}

    async def lost(self) -> dict[str, int]:
        """By server, how much of what its rows name no store has (`loupe check`); empty if nothing."""
        counts = {}
        for name, server in self.client.servers.items():
            request = server_service_pb2.CheckStorageRequest(name=f"servers/{name}")
            async for last in server.CheckStorage(request):
                counts[name] = last.lost_count
        return {name: count for name, count in counts.items() if count}


@asynccontextmanager
async def working(fleet: Installation) -> AsyncIterator[Fab]:
    """With data, an image that trains fast, and the pace of a first training; its workers are ready."""
    write_sample(fleet.folder / "images", per_code=8, seed=1)
    async with fleet.client() as client:
        with Loupe(client.profile) as loupe:
            await asyncio.to_thread(
                loupe.import_folder, fleet.folder / "images", dataset="panels", path="main"
            )
            image = await asyncio.to_thread(scenario.tiny_image, loupe, _WARM_UP)
            fab = Fab(fleet=fleet, loupe=loupe, client=client, image=image, iterations_per_s=0.0)
            yield replace(fab, iterations_per_s=await _pace(fab))


async def _pace(fab: Fab) -> float:
    """Iterations a second, as the worker of a first training tells them."""
    first = await fab.submit("first", _WARM_UP)
    told = [0.0]

    async def is_trained() -> bool:
        task = await fab.task(first)
        assert task.state != task_pb2.TASK_STATE_FAILED, task.failure.message
        told.append(max(told[-1], task.progress.images_per_s))
        return task.state == task_pb2.TASK_STATE_COMPLETED

    await eventually(is_trained)
    assert told[-1] > 0
    return told[-1] / scenario.BATCH
