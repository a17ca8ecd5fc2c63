"""Measures a whole embedded stack: start, memory, submission to first step, loss points in and out.

    python -m tests.bench stack

Every figure stands beside a limit measured in the same run on the same machine, because machines are shared.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
from google.protobuf import duration_pb2, timestamp_pb2
from loupe.client import AsyncLoupe
from loupe.folders import read_folder
from loupe.profile import load_profile
from loupe.registry.v1 import algorithm_image_pb2, algorithm_image_service_pb2
from loupe.rpc.channel import connect
from loupe.sample import write_sample
from loupe.scheduler.v1 import (
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    task_pb2,
    task_service_pb2,
)

from deploy.embedded import stack
from tests.support.tokens import token_of

_POINTS = 40_000
_BATCH = 100
_CLASSIFICATION = task_pb2.NETWORK_CLASSIFICATION


def measure() -> dict[str, Any]:
    """Start a stack in a temporary folder, measure it, stop it."""
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as folder:
        data_dir = Path(folder) / "stack"
        figures: dict[str, Any] = {}
        try:
            figures["cold start to ready, s"] = _seconds(lambda: stack.up(data_dir, detach=True))
            stack.down(data_dir)
            figures["second start to ready, s"] = _seconds(lambda: stack.up(data_dir, detach=True))
            figures |= asyncio.run(_measure_running(data_dir, Path(folder) / "images"))
        finally:
            stack.down(data_dir)
    return figures


def _seconds(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return round(time.monotonic() - started, 2)


async def _measure_running(data_dir: Path, images: Path) -> dict[str, Any]:
    async with AsyncLoupe.connect(data_dir) as loupe:
        memory = {
            process.name: round((process.memory_bytes or 0) / 1e6)
            for process in stack.status(data_dir).processes
        }
        figures: dict[str, Any] = {
            "idle memory per process, MB": memory,
            "idle memory in all, MB": sum(memory.values()),
        }
        write_sample(images, per_code=12)
        listing = read_folder(images)
        started = time.monotonic()
        await loupe.import_folder(listing, dataset="bench", path="main")
        figures["import, images/s"] = round(len(listing.samples) / (time.monotonic() - started), 1)
        figures["submit to first iteration with a warm trainer, s"] = await submit_to_first_iteration(loupe)
        figures |= await _loss_points(loupe, data_dir)
    return figures


async def submit(loupe: AsyncLoupe, name: str, image: str, resource: str) -> str:
    """A new task's name; it trains on what `bench/main` holds."""
    """A new task's name; it trains on what `bench/main` holds."""
    spec = task_pb2.TrainingSpec(
        model_name=name,
        algorithm_image_version=image,
        production_environment="productionEnvironments/demo-fab-cell-array",
        data_paths=["datasets/bench/paths/main"],
        compute_resource=f"computeResources/{resource}",
        acknowledge_missing_training_paths=True,
    )
    return str((await loupe.submit(task_pb2.Task(training=spec))).name)


async def small_image(loupe: AsyncLoupe, minor: int, iterations: int) -> str:
    """A version of the seeded image that takes 64 px and trains so many iterations."""
    version = algorithm_image_pb2.AlgorithmImageVersion(
        major=3,
        minor=minor,
        classification_networks=["ResNet18"],
        input=algorithm_image_pb2.InputSpecification(
            width=64, height=64, channels=3, mean=[0.5] * 3, std=[0.25] * 3
        ),
    )
    version.default_model_params.update({"classification": {"name": "ResNet18"}})
    version.default_training_params.update(
        {
            "classification": {
                "base_lr": 0.01,
                "batch_size": 16,
                "max_iter": iterations,
                "weight_decay": 0.0001,
                "momentum": 0.9,
                "lr_policy": "poly",
                "power": 0.9,
                "gamma": 0.1,
            }
        }
    )
    request = algorithm_image_service_pb2.CreateAlgorithmImageVersionRequest(
        parent="algorithmImages/surface-classification", version=version
    )
    return str((await loupe.images.CreateAlgorithmImageVersion(request)).name)


async def submit_to_first_iteration(loupe: AsyncLoupe) -> dict[str, float]:
    """First submission packs the images; the second finds the pack (D, M5)."""
    image = await small_image(loupe, 64, 30)
    figures = {}
    for run in ("with packing", "pack found"):
        submitted = time.time()
        task = await submit(loupe, f"first-{run.split(' ', maxsplit=1)[0]}", image, "cpu")
        async for message in loupe.tasks.WatchLoss(
            task_service_pb2.WatchLossRequest(name=task, network=_CLASSIFICATION)
        ):
            figures[run] = round(message.step_time.ToNanoseconds() / 1e9 - submitted, 2)
            figures[f"{run}, seen by a viewer"] = round(time.time() - submitted, 2)
            break
        async for view in loupe.watch(task):
            if view.task.state in {task_pb2.TASK_STATE_COMPLETED, task_pb2.TASK_STATE_FAILED}:
                break
    return figures


async def _loss_points(loupe: AsyncLoupe, data_dir: Path) -> dict[str, Any]:
    """Points stored and read back, by a worker that reports as fast as it is answered."""
    image = await small_image(loupe, 65, _POINTS)
    profile = load_profile(data_dir)
    service_token = token_of("scheduler", data_dir / "service-tokens")
    async with connect(profile.scheduler_address, lambda: service_token) as channel:
        jobs = job_service_pb2_grpc.JobServiceStub(channel)
        task, lease = await leased(loupe, jobs, image, "curve")
        reports = await reports_per_s(jobs, lease, _POINTS // _BATCH)
        short_task, short_lease = await leased(loupe, jobs, image, "short-curve")
        await jobs.ReportJob(
            job_service_pb2.ReportJobRequest(
                job=short_lease.job,
                fencing_token=short_lease.fencing_token,
                loss_points=[job_pb2.LossPoints(network=_CLASSIFICATION, losses=[1.0] * 100)],
            )
        )
    commits = await commits_per_s(data_dir)
    opened = await _median_s(lambda: _curve(loupe, task, 1000))
    short = await _median_s(lambda: _curve(loupe, short_task, 1000))
    full = await _median_s(lambda: _curve(loupe, task, 0))
    return {
        "loss points stored/s (batches of 100, one worker)": round(reports * _BATCH),
        "reports/s": round(reports),
        "bare INSERT+COMMIT/s on one connection": round(commits),
        "reports as a ratio to bare commits": round(reports / commits, 2),
        "curve of 40,000 points, 1,000 shown, ms": round(opened * 1e3, 1),
        "curve of 100 points, ms": round(short * 1e3, 1),
        "curve of 40,000 as a ratio to one of 100": round(opened / short, 2),
        "all 40,000 points, ms": round(full * 1e3, 1),
    }


async def reports_per_s(jobs: Any, lease: Any, reports: int) -> float:  # noqa: ANN401 - a stub, a lease
    """Reports of 100 points each from a worker that waits for each answer."""
    started = time.monotonic()
    for first in range(0, reports * _BATCH, _BATCH):
        now = timestamp_pb2.Timestamp()
        now.GetCurrentTime()
        points = job_pb2.LossPoints(
            network=_CLASSIFICATION,
            first_iteration=first,
            losses=[1.0 / (1 + first + i) for i in range(_BATCH)],
            step_time=now,
        )
        await jobs.ReportJob(
            job_service_pb2.ReportJobRequest(
                job=lease.job, fencing_token=lease.fencing_token, loss_points=[points]
            )
        )
    return reports / (time.monotonic() - started)


async def leased(
    loupe: AsyncLoupe,
    jobs: Any,  # noqa: ANN401 - a stub
    image: str,
    name: str,
    resource: str = "gpu",
) -> tuple[str, Any]:
    """A submitted task and the lease of its training."""
    # Nobody else stands for this resource, so the job is ours.
    task = await submit(loupe, name, image, resource)
    answer = await jobs.AcquireJob(
        job_service_pb2.AcquireJobRequest(
            # A process of its own: what one of the same name holds would be queued again.
            worker=f"workers/bench-{name}",
            kinds=[job_pb2.JOB_KIND_TRAIN],
            compute_resources=[f"computeResources/{resource}"],
            capacity=job_pb2.Amounts(gpus=8, cpus=64, memory_bytes=2**40),
            wait=duration_pb2.Duration(seconds=5),
        )
    )
    return task, answer.lease


async def _curve(loupe: AsyncLoupe, task: str, points: int) -> None:
    await loupe.tasks.GetLossCurve(
        task_service_pb2.GetLossCurveRequest(name=task, network=_CLASSIFICATION, max_points=points)
    )


async def _median_s(action: Callable[[], Awaitable[None]], times: int = 30) -> float:
    taken = []
    for _ in range(times):
        started = time.monotonic()
        await action()
        taken.append(time.monotonic() - started)
    return statistics.median(taken)


async def postgres(data_dir: Path) -> Any:  # noqa: ANN401 - asyncpg has no types
    """A connection of its own to the stack's PostgreSQL."""
    state = json.loads((data_dir / "stack.json").read_text())
    credentials = json.loads((data_dir / "credentials.json").read_text())
    return await asyncpg.connect(
        host="127.0.0.1",
        port=state["ports"]["postgres"],
        user="loupe",
        password=credentials["postgres_password"],
        database="loupe",
    )


async def commits_per_s(data_dir: Path, seconds: float = 3.0) -> float:
    """What one connection to the same PostgreSQL does at best: the limit that a report has."""
    connection = await postgres(data_dir)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS public.bench (payload bytea)")
        payload, count, started = b"x" * 400, 0, time.monotonic()
        while time.monotonic() - started < seconds:
            await connection.execute("INSERT INTO public.bench VALUES ($1)", payload)
            count += 1
        return count / seconds
    finally:
        await connection.execute("DROP TABLE IF EXISTS public.bench")
        await connection.close()
