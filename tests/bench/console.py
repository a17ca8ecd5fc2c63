"""Measures how long the console lets one wait, and how it bears much data: `python -m tests.bench console`.

A stack with as much in it as a fab has after years: 1,000,000 tasks and 50 released models are rows made of
others' rows; a curve of 100,000 points came as a worker reports it; a report of 5,000 samples shows pictures
that were imported. Then Chromium opens it (gateway/console/e2e/measure.mjs). `--keep DIR` makes the stack
there and leaves it running; a later run with the same DIR measures it again.
"""

import argparse
import asyncio
import contextlib
import math
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from loupe.client import AsyncLoupe, pages
from loupe.evaluator.v1 import report_pb2, report_service_pb2, report_service_pb2_grpc
from loupe.folders import read_folder
from loupe.profile import load_profile
from loupe.registry.v1 import (
    dataset_service_pb2,
    identity_service_pb2,
    master_data_pb2,
    master_data_service_pb2,
)
from loupe.rpc.channel import connect
from loupe.sample import write_sample
from loupe.scheduler.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc, task_pb2, task_service_pb2

from deploy.embedded import stack
from deploy.embedded.servers import EmbeddedServers
from gateway.static import DIST
from services.kit.database import Database
from services.kit.signals import Signals
from services.scheduler.__main__ import MIGRATIONS
from tests.bench import listing
from tests.bench.stack import leased, postgres, small_image, submit
from tests.support.node import node
from tests.support.tokens import token_of

_SCRIPT = Path(__file__).parents[2] / "gateway/console/e2e/measure.mjs"
_FILLED = "filled"
_TASKS = listing.TASKS
_POINTS = 100_000
_SAMPLES = 5_000
_MODELS = 50
_PER_CODE = 100
_BATCH = 1000
_CLASSIFICATION = task_pb2.NETWORK_CLASSIFICATION


def measure(*arguments: str) -> list[str]:
    """What the browser said, a line a figure; told on stderr as it comes."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench console")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    if not (DIST / "index.html").exists():
        sys.exit("there is no console to be measured: `make console` builds it")
    told: list[str] = []
    with _stack(parser.parse_args(arguments).keep) as folder:
        password = asyncio.run(_password(folder))
        url = f"http://{load_profile(folder).gateway_address}"
        command = [node(), str(_SCRIPT), url, "admin", password]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as browser:
            for line in browser.stdout or ():
                told.append(line.rstrip())
                print(told[-1], file=sys.stderr, flush=True)
    if browser.returncode != 0:
        sys.exit(f"{_SCRIPT.name} ended with {browser.returncode}")
    return told


@contextlib.contextmanager
def _stack(kept: Path | None) -> Iterator[Path]:
    """The data folder of a stack that runs and is full."""
    folder = kept or Path(tempfile.mkdtemp(prefix="loupe-bench-"))
    try:
        if not (folder / _FILLED).exists():
            asyncio.run(_fill_tasks(folder))
        stack.up(folder, detach=True)
        if not (folder / _FILLED).exists():
            asyncio.run(_fill_running(folder))
            (folder / _FILLED).touch()
        yield folder
    finally:
        if kept is None:
            stack.down(folder)
            shutil.rmtree(folder, ignore_errors=True)


async def _password(data_dir: Path) -> str:
    """A one-time one of the administrator's."""
    async with AsyncLoupe.connect(data_dir) as loupe:
        request = identity_service_pb2.ResetPasswordRequest(name="users/admin")
        return str((await loupe.identity.ResetPassword(request)).one_time_password)


async def _fill_tasks(data_dir: Path) -> None:
    """Into a data folder whose stack has never run."""
    async with EmbeddedServers(data_dir) as servers:
        url = servers.postgres.url
        async with (
            Database(url, "scheduler", statement_timeout_s=3600) as database,
            Signals(url) as signals,
        ):
            await database.migrate(MIGRATIONS)
            await listing.fill(database, signals, _TASKS)


async def _fill_running(data_dir: Path) -> None:
    """Everything else."""
    images = data_dir / "images"
    service_token = token_of("scheduler", data_dir / "service-tokens")
    async with AsyncLoupe.connect(data_dir) as loupe:
        write_sample(images, per_code=_PER_CODE)
        await loupe.import_folder(read_folder(images), dataset="bench", path="main")
        await _release(loupe, data_dir)
        async with connect(loupe.profile.scheduler_address, lambda: service_token) as channel:
            await _curve(loupe, job_service_pb2_grpc.JobServiceStub(channel))
        request = dataset_service_pb2.ListSamplesRequest(parent="datasets/bench/paths/main", page_size=500)
        shown = [sample async for sample in pages(loupe.datasets.ListSamples, request, "samples")]
        async with connect(loupe.profile.evaluator_address, lambda: service_token, deadline_s=120) as channel:
            reports = report_service_pb2_grpc.ReportServiceStub(channel)
            await reports.CreateReport(_report(shown))


async def _release(loupe: AsyncLoupe, data_dir: Path) -> None:
    """A model that was trained here, and as many more of its kind as a page of the library shows."""
    task = await submit(loupe, "trained", await small_image(loupe, 64, 20), "cpu")
    await loupe.completed(task)
    await loupe.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task))
    connection = await postgres(data_dir)
    try:
        for table, changed in (
            ("models", {"id": "'line-' || n"}),
            ("model_versions", {"model": "'line-' || n", "task": "o.task || '-' || n"}),
        ):
            names = [
                str(row["column_name"])
                for row in await connection.fetch(
                    "SELECT column_name FROM information_schema.columns"
                    " WHERE table_schema = 'registry' AND table_name = $1",
                    table,
                )
            ]
            await connection.execute(
                f"INSERT INTO registry.{table} ({', '.join(names)}) "  # noqa: S608 -- names of our own tables
                f"SELECT {', '.join(changed.get(name, 'o.' + name) for name in names)} "
                f"FROM generate_series(2, {_MODELS}) n, registry.{table} o"
            )
    finally:
        await connection.close()


async def _curve(loupe: AsyncLoupe, jobs: Any) -> None:  # noqa: ANN401 -- a stub
    """A task whose classification has a curve as noisy as they are, and validations."""
    resource = master_data_service_pb2.CreateComputeResourceRequest(
        compute_resource_id="of-the-curve", compute_resource=master_data_pb2.ComputeResource(cpus=1)
    )
    await loupe.master_data.CreateComputeResource(resource)
    image = await small_image(loupe, 65, _POINTS)
    _, lease = await leased(loupe, jobs, image, "long-curve", "of-the-curve")
    chance = random.Random(1)
    for first in range(0, _POINTS, _BATCH):
        made = range(first, first + _BATCH)
        losses = [2 * math.exp(-at / 20_000) + 0.2 * chance.random() ** 2 for at in made]
        point = task_pb2.ValidationPoint(
            iteration=made[-1], accuracy=1 - 0.7 * math.exp(-first / 20_000) - 0.02 * chance.random()
        )
        await jobs.ReportJob(
            job_service_pb2.ReportJobRequest(
                job=lease.job,
                fencing_token=lease.fencing_token,
                loss_points=[
                    job_pb2.LossPoints(network=_CLASSIFICATION, first_iteration=first, losses=losses)
                ],
                validations=[job_pb2.ValidationReport(network=_CLASSIFICATION, point=point)],
            )
        )
    failure = task_pb2.Failure(code="ENDED", message="the curve was all that was wanted")
    await jobs.FinishJob(
        job_service_pb2.FinishJobRequest(
            job=lease.job,
            fencing_token=lease.fencing_token,
            failed=job_service_pb2.FinishJobRequest.JobFailed(failure=failure),
        )
    )


async def _report(shown: list[Any]) -> AsyncIterator[report_service_pb2.CreateReportRequest]:
    """Samples of which every one is a picture that was imported, a fourth of them misjudged."""
    chance = random.Random(2)
    codes = sorted({sample.code for sample in shown})
    yield report_service_pb2.CreateReportRequest(
        header=report_service_pb2.CreateReportRequest.Header(
            job="jobs/much",
            fencing_token=1,
            report=report_pb2.Report(
                kind=report_pb2.REPORT_KIND_PREDICTION,
                task="tasks/much",
                code_list=codes,
                num_of_classes=len(codes),
                confidence_threshold=0.3,
            ),
        )
    )
    results = []
    for number in range(_SAMPLES):
        sample = shown[number % len(shown)]
        right, confidence = number % 4 != 0, chance.random()
        predicted = sample.code if right else codes[codes.index(sample.code) - 1]
        results.append(
            report_pb2.SampleResult(
                file=f"{number:04}/{sample.file}",
                data_path="datasets/bench/paths/main",
                sha256=sample.sha256,
                true_code=sample.code,
                predicted_code=predicted,
                verdict=report_pb2.VERDICT_CORRECT if right else report_pb2.VERDICT_MISJUDGED,
                confidence=confidence,
                top=[report_pb2.CodeScore(code=predicted, score=confidence)],
                decided_by=report_pb2.DECIDED_BY_SOFTMAX,
                perceptual_hash=chance.randbytes(32),
            )
        )
    for start in range(0, _SAMPLES, 500):
        yield report_service_pb2.CreateReportRequest(
            batch=report_service_pb2.CreateReportRequest.Batch(results=results[start : start + 500])
        )
