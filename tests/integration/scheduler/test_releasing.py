"""Releases of one model at the same instant, while a registry dies (R1, R2)."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

from loupe.access.v1 import access_pb2
from loupe.registry.v1 import model_service_pb2
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from services.kit.settings import load
from services.scheduler.__main__ import compose
from services.scheduler.settings import Settings
from tests.integration.scheduler.conftest import living
from tests.support.services import service_process

_RELEASES = 50
_KILLED_AFTER = 10


async def test_r2_fifty_releases_at_once_are_numbered_though_a_registry_is_killed(
    bench: Any, eventually: Any, tmp_path: Path
) -> None:
    """The scheduler releases, and a registry that may die in between numbers.

    Half of the callers release through a scheduler whose registry is killed on the way; what that one was
    asked and did not answer, the other hears of from the stream.
    """
    parent = await bench.released()
    tasks = []
    for _ in range(_RELEASES):
        tasks.append(await bench.submit(model_name="", parent_version=parent.model_version))
        await (await bench.worker.acquire()).trained()
        await (await bench.worker.acquire()).reported()
    environment = bench.stack.environment
    async with service_process("services.registry", environment, tmp_path / "registry.log") as replica:
        registry, address = replica
        settings = load(Settings, {**environment, "LOUPE_REGISTRY_ADDRESS": address})
        async with living(lambda process: compose(process, settings)) as scheduler:
            other = await replace(bench.stack, address=scheduler).with_role(access_pb2.ROLE_RELEASER)
            releases = [
                asyncio.ensure_future(_release(other if number % 2 else bench.releaser, task))
                for number, task in enumerate(tasks)
            ]
            while sum(release.done() for release in releases) < _KILLED_AFTER:
                await asyncio.wait(releases, return_when=asyncio.FIRST_COMPLETED, timeout=0.01)
            os.kill(registry, signal.SIGKILL)
            answers = await asyncio.gather(*releases)
            assert {answer.state for answer in answers} == {task_pb2.TASK_STATE_RELEASED}

            async def all_numbered() -> bool:
                return all([(await bench.get(task)).model_version for task in tasks])

            await eventually(all_numbered)
    listed = await bench.engineer.models.ListModelVersions(
        model_service_pb2.ListModelVersionsRequest(
            parent=f"models/{parent.training.model_name}", page_size=500
        )
    )
    assert [version.release_number for version in listed.versions] == list(range(_RELEASES + 1, 0, -1))
    assert {version.task for version in listed.versions} == {parent.name, *(task.name for task in tasks)}
    numbers = {version.task: version.name for version in listed.versions}
    for task in tasks:
        assert (await bench.get(task)).model_version == numbers[task.name]


async def _release(caller: Any, task: task_pb2.Task) -> task_pb2.Task:
    released: task_pb2.Task = await caller.tasks.ReleaseTask(
        task_service_pb2.ReleaseTaskRequest(name=task.name)
    )
    return released
