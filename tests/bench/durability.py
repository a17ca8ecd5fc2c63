"""Measures what it costs that acknowledged data survives a power loss.

    python -m tests.bench durability

The same work with LOUPE_DURABILITY=process and =power, by turns, each on an empty folder; a figure is the
median of its rounds.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from loupe.client import AsyncLoupe
from loupe.folders import read_folder
from loupe.profile import load_profile
from loupe.rpc.channel import connect
from loupe.sample import write_sample
from loupe.scheduler.v1 import job_service_pb2_grpc, task_service_pb2

from deploy.embedded import stack
from tests.bench.importing import write_images
from tests.bench.stack import leased, reports_per_s, small_image, submit_to_first_iteration
from tests.support.tokens import token_of

_IMAGES = 600
_REPORTS = 300
_MODES = ("process", "power")
_HIGHER_IS_BETTER = frozenset({"import, images/s", "import again, images/s", "reports/s"})


def measure(rounds: str = "2") -> dict[str, Any]:
    """Both modes by turns, and power as a ratio to process."""
    found: dict[str, dict[str, list[float]]] = {mode: defaultdict(list) for mode in _MODES}
    for _ in range(int(rounds)):
        for mode in _MODES:
            for name, value in _measure(mode).items():
                found[mode][name].append(value)
    figures: dict[str, Any] = {}
    for name in found["power"]:
        medians = {mode: statistics.median(found[mode][name]) for mode in _MODES}
        of, to = ("power", "process") if name in _HIGHER_IS_BETTER else ("process", "power")
        figures[name] = {
            **{mode: round(value, 3) for mode, value in medians.items()},
            "pace of power, process = 1": round(medians[of] / medians[to], 2),
        }
    return figures


def _measure(mode: str) -> dict[str, float]:
    before = os.environ.get("LOUPE_DURABILITY")
    os.environ["LOUPE_DURABILITY"] = mode
    try:
        with tempfile.TemporaryDirectory(prefix="loupe-bench-") as folder:
            data_dir = Path(folder) / "stack"
            try:
                stack.up(data_dir, detach=True)
                return asyncio.run(_measure_running(data_dir, Path(folder) / "images"))
            finally:
                stack.down(data_dir)
    finally:
        if before is None:
            del os.environ["LOUPE_DURABILITY"]
        else:
            os.environ["LOUPE_DURABILITY"] = before


async def _measure_running(data_dir: Path, images: Path) -> dict[str, float]:
    figures: dict[str, float] = {}
    async with AsyncLoupe.connect(data_dir) as loupe:
        write_images(images / "many", _IMAGES)
        many = read_folder(images / "many")
        for name in ("import, images/s", "import again, images/s"):
            started = time.monotonic()
            await loupe.import_folder(many, dataset="many", path="main")
            figures[name] = _IMAGES / (time.monotonic() - started)
        write_sample(images / "few", per_code=12)
        await loupe.import_folder(read_folder(images / "few"), dataset="bench", path="main")
        first = await submit_to_first_iteration(loupe)
        figures["submission to first iteration, pack found, s"] = first["pack found"]
        figures["release to number, s"] = await _release_s(loupe)
        figures["reports/s"] = await _reports_per_s(loupe, data_dir)
    return figures


async def _release_s(loupe: AsyncLoupe) -> float:
    """From the call until the version has its number, of each completed task."""
    took = []
    answer = await loupe.tasks.ListTasks(task_service_pb2.ListTasksRequest(page_size=10))
    for task in answer.tasks:
        started = time.monotonic()
        released = await loupe.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task.name))
        while not released.model_version:
            released = await loupe.tasks.GetTask(task_service_pb2.GetTaskRequest(name=task.name))
        took.append(time.monotonic() - started)
    return statistics.median(took)


async def _reports_per_s(loupe: AsyncLoupe, data_dir: Path) -> float:
    image = await small_image(loupe, 65, _REPORTS * 100)
    service_token = token_of("scheduler", data_dir / "service-tokens")
    async with connect(load_profile(data_dir).scheduler_address, lambda: service_token) as channel:
        jobs = job_service_pb2_grpc.JobServiceStub(channel)
        _, lease = await leased(loupe, jobs, image, "curve")
        return await reports_per_s(jobs, lease, _REPORTS)
