"""Measures how long a point takes from its step to a reader of the gateway (M5), and what a report costs.

    python -m tests.bench live

A scripted child makes steps at two paces and hands their losses on as the trainer's loop does; from there on
all is real: the worker's `HeldJob`, a whole embedded stack, and a reader of server-sent events. Beside it,
the same PostgreSQL carries bare rows from a COMMIT with NOTIFY to a LISTEN at the same pace.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from loupe.client import AsyncLoupe
from loupe.folders import read_folder
from loupe.profile import Profile, load_profile
from loupe.rpc.channel import connect
from loupe.sample import write_sample
from loupe.scheduler.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc, task_pb2

from deploy.embedded import stack
from services.worker.held_job import HeldJob
from services.worker.report_buffer import Heartbeat
from tests.bench.stack import commits_per_s, leased, postgres, reports_per_s, small_image
from tests.support.tokens import token_of

# What a trainer's loop holds back at most before it hands losses on: training/loop.py.
_CHILD_GATHERS_S = 0.05
_PACES: Mapping[str, float] = {"5 ms": 0.005, "150 ms": 0.15}
_SECONDS_A_PACE = 12.0
_INSERT_AND_NOTIFY = "WITH stored AS (INSERT INTO public.bench VALUES ($1)) SELECT pg_notify('bench', '')"


def measure() -> dict[str, Any]:
    """Start a stack in a temporary folder, measure it, stop it."""
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as folder:
        data_dir = Path(folder) / "stack"
        try:
            stack.up(data_dir, detach=True)
            return asyncio.run(_measure_running(data_dir, Path(folder) / "images"))
        finally:
            stack.down(data_dir)


async def _measure_running(data_dir: Path, images: Path) -> dict[str, Any]:
    profile = load_profile(data_dir)
    service_token = token_of("scheduler", data_dir / "service-tokens")
    figures: dict[str, Any] = {}
    async with (
        AsyncLoupe.connect(data_dir) as loupe,
        connect(profile.scheduler_address, lambda: service_token) as channel,
    ):
        write_sample(images, per_code=4)
        await loupe.import_folder(read_folder(images), dataset="bench", path="main")
        image = await small_image(loupe, 66, 1_000_000)
        jobs = job_service_pb2_grpc.JobServiceStub(channel)
        _, lease = await leased(loupe, jobs, image, "reports")
        reports, commits = await reports_per_s(jobs, lease, 300), await commits_per_s(data_dir)
        figures["reports of 100 points/s, one worker that waits for each answer"] = round(reports)
        figures["bare INSERT+COMMIT/s on one connection"] = round(commits)
        figures["reports as a ratio to bare commits"] = round(reports / commits, 2)
        for pace, step_s in _PACES.items():
            _, lease = await leased(loupe, jobs, image, f"pace-{pace.partition(' ')[0]}")
            delays = await _step_to_reader(profile, jobs, lease, step_s)
            floor = await _commit_to_listener(data_dir, max(step_s, _CHILD_GATHERS_S))
            figures[f"a step every {pace}: to the reader"] = _quantiles(delays)
            figures[f"a step every {pace}: bare COMMIT to LISTEN"] = _quantiles(floor)
            figures[f"a step every {pace}: ratio of the medians"] = round(
                statistics.median(delays) / statistics.median(floor), 1
            )
    return figures


def _quantiles(delays_s: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(delays_s, n=100)
    return {"p50, ms": round(cuts[49] * 1e3, 1), "p99, ms": round(cuts[98] * 1e3, 1), "points": len(delays_s)}


class _Reporter:
    """The part of `services.worker.jobs.Jobs` that a held job uses."""

    def __init__(self, stub: Any) -> None:  # noqa: ANN401 - a stub
        self._stub = stub

    async def report(
        self, lease: job_pb2.JobLease, heartbeat: Heartbeat
    ) -> job_service_pb2.ReportJobResponse:
        heartbeat.job, heartbeat.fencing_token = lease.job, lease.fencing_token
        return await self._stub.ReportJob(heartbeat)


async def _step_to_reader(
    profile: Profile,
    stub: Any,  # noqa: ANN401 - a stub
    lease: job_pb2.JobLease,
    step_s: float,
) -> list[float]:
    """Seconds from each step to its arrival, in the order of the steps."""
    jobs: Any = _Reporter(stub)
    nowhere: Any = None  # it stores nothing
    job = HeldJob(lease, jobs, nowhere, max_unreported_bytes=1 << 20, folders=())
    held = asyncio.create_task(job.run())
    made_s: list[float] = []
    arrived_s: list[float] = []

    async def read() -> None:
        async for first, count in _losses(profile, lease.task):
            assert first == len(arrived_s)
            arrived_s.extend([time.monotonic()] * count)

    reading = asyncio.create_task(read())
    await job.started()
    waiting: list[float] = []
    handed_on_s = time.monotonic()
    until_s = handed_on_s + _SECONDS_A_PACE
    while time.monotonic() < until_s:
        await asyncio.sleep(step_s)
        made_s.append(time.monotonic())
        waiting.append(0.5)
        if made_s[-1] - handed_on_s >= _CHILD_GATHERS_S:
            first = len(made_s) - len(waiting)
            points = job_pb2.LossPoints(
                network=task_pb2.NETWORK_CLASSIFICATION, first_iteration=first, losses=waiting
            )
            points.step_time.FromDatetime(datetime.now(UTC))
            job.buffer.add_loss_points(points)
            waiting, handed_on_s = [], made_s[-1]
            await job.schedule_heartbeat()
    await job.flush()
    async with asyncio.timeout(5):
        while len(arrived_s) < len(made_s) - len(waiting):  # noqa: ASYNC110 -- read() sets no event
            await asyncio.sleep(0.01)
    for task in (reading, held):
        task.cancel()
    await asyncio.gather(reading, held, return_exceptions=True)
    delays = [arrived - made for made, arrived in zip(made_s, arrived_s, strict=False)]
    # The first second pays for connections and prepared statements; a training has minutes.
    return delays[int(1 / step_s) :]


async def _losses(profile: Profile, task: str) -> AsyncIterator[tuple[int, int]]:
    """The first iteration and the number of points of every event."""
    async with (
        httpx.AsyncClient(
            timeout=30, headers={"Authorization": f"Bearer {profile.token}"}, trust_env=False
        ) as client,
        client.stream("GET", f"http://{profile.gateway_address}/v1/{task}/loss:watch") as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                news = json.loads(line.removeprefix("data: "))
                if "losses" in news:
                    yield int(news.get("firstIteration", 0)), len(news["losses"])


async def _commit_to_listener(data_dir: Path, pace_s: float) -> list[float]:
    """Seconds from the begin of an INSERT that notifies to its arrival at another connection."""
    sent_s: list[float] = []
    delays: list[float] = []
    writer, listener = await postgres(data_dir), await postgres(data_dir)
    try:
        await writer.execute("CREATE TABLE IF NOT EXISTS public.bench (payload bytea)")
        await listener.add_listener("bench", lambda *_: delays.append(time.monotonic() - sent_s[-1]))
        until_s = time.monotonic() + _SECONDS_A_PACE
        while time.monotonic() < until_s:
            await asyncio.sleep(pace_s)
            sent_s.append(time.monotonic())
            await writer.fetch(
                "WITH stored AS (INSERT INTO public.bench VALUES ($1)) SELECT pg_notify('bench', '')",
                b"x" * 400,
            )
    finally:
        await writer.execute("DROP TABLE IF EXISTS public.bench")
        await asyncio.gather(writer.close(), listener.close())
    return delays
