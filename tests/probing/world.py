"""What an installation holds after a day's work: so that generated requests meet more than 404."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from loupe.client import AsyncLoupe
from loupe.folders import read_folder
from loupe.sample import write_sample
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from tests.bench.stack import small_image, submit

_ENDED = {task_pb2.TASK_STATE_COMPLETED, task_pb2.TASK_STATE_FAILED}


async def furnish(data_dir: Path, images: Path) -> Mapping[str, str]:
    """Train and release; path parameters of the interface, each with a value that exists."""
    async with AsyncLoupe.connect(data_dir) as loupe:
        write_sample(images, per_code=6)
        listing = read_folder(images)
        await loupe.import_folder(listing, dataset="bench", path="main")
        image = await small_image(loupe, 64, 10)
        task = await submit(loupe, "probed", image, "cpu")
        async for view in loupe.watch(task):
            if view.task.state in _ENDED:
                break
        released = await loupe.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task))
        # Nobody stands for this resource: it waits while others are asked about.
        await submit(loupe, "waits", image, "gpu")
        base_url = f"http://{loupe.profile.gateway_address}"
        token = loupe.profile.token
    async with httpx.AsyncClient(
        base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=60.0
    ) as http:
        return await _names(http, released.name, released.report)


async def _names(http: httpx.AsyncClient, task: str, report: str) -> Mapping[str, str]:
    async def get(path: str) -> Any:  # noqa: ANN401 -- JSON
        return (await http.get(path)).raise_for_status().json()

    async def post(path: str, body: object) -> Any:  # noqa: ANN401 -- JSON
        return (await http.post(path, json=body)).raise_for_status().json()

    await post("/v1/users?userId=probed", {"role": "ROLE_ENGINEER"})
    token = await post("/v1/users/probed/tokens", {})
    version = (await get("/v1/models/probed/versions"))["versions"][0]["name"]
    result = (await get(f"/v1/{report}/sampleResults?pageSize=1"))["results"][0]["name"]
    sample = (await get("/v1/datasets/bench/paths/main/samples?pageSize=1"))["samples"][0]
    mark = await post("/v1/relabelMarks", {"sampleResult": result, "rightCode": sample["code"]})
    return {
        "algorithmImage": "surface-classification",
        "computeResource": "cpu",
        "dataset": "bench",
        "path": "main",
        "sample": sample["code"],
        "file": sample["file"].rpartition("/")[2],
        "model": "probed",
        "version": version.rpartition("/")[2],
        "productionEnvironment": "demo-fab-cell-array",
        "relabelMark": mark["name"].rpartition("/")[2],
        "report": report.rpartition("/")[2],
        "sampleResult": result.rpartition("/")[2],
        "task": task.rpartition("/")[2],
        "user": "probed",
        "token": token["name"].rpartition("/")[2],
    }
