"""A worker with the child of these tests, and somebody who gives it jobs."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from loupe.rpc.channel import connect
from loupe.scheduler.v1 import job_pb2, job_service_pb2
from loupe.settings import load

from deploy.embedded.seaweed import ObjectStoreSettings as Bucket
from services.kit.auth import Role
from services.kit.clock import SystemClock
from services.kit.grpc_server import GrpcServer
from services.kit.object_store import ObjectStore, ObjectStoreSettings
from services.trainer.handler import TrainerHandler
from services.worker.jobs import Jobs
from services.worker.warm_child import WarmChild
from services.worker.worker import Worker
from tests.integration.worker.scheduler_double import SchedulerDouble
from tests.support.tokens import only

TOKEN = "loupe_test_token"  # noqa: S105


@dataclass
class WorkerUnderTest:
    """A worker with all that it works with; `run` is its loop."""

    worker: Worker
    child: WarmChild
    scheduler: SchedulerDouble
    objects: ObjectStore
    run: "asyncio.Task[None]"


@pytest_asyncio.fixture(loop_scope="session")
async def work(
    object_store_settings: Bucket, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[WorkerUnderTest]:
    options = getattr(request, "param", {})
    scheduler = SchedulerDouble()
    verifier = only(TOKEN, "services/trainer", Role.WORKER)
    settings = load(ObjectStoreSettings, object_store_settings.environment())
    grpc_server = GrpcServer([scheduler.service()], verifier=verifier, address="127.0.0.1:0")
    async with grpc_server, ObjectStore(settings) as objects:
        address = f"127.0.0.1:{grpc_server.port}"
        async with connect(address, lambda: TOKEN, retries=False) as channel:
            program = [sys.executable, str(Path(__file__).with_name("child.py"))]
            child = WarmChild(program, os.environ, scratch=tmp_path / "children")
            announcement = job_service_pb2.AcquireJobRequest(
                worker="workers/w1",
                compute_resources=["computeResources/cpu"],
                capacity=job_pb2.Amounts(cpus=1, memory_bytes=2**30),
            )
            worker = Worker(
                name="w1",
                compute_resource="cpu",
                handler=TrainerHandler(threads=1, checkpoint_interval_s=60),
                jobs=Jobs(channel, announcement),
                child=child,
                objects=objects,
                folder=tmp_path / "w1",
                clock=SystemClock(),
                **options,
            )
            keeper = asyncio.create_task(child.run())
            run = asyncio.create_task(worker.run())
            try:
                yield WorkerUnderTest(worker, child, scheduler, objects, run)
            finally:
                run.cancel()
                keeper.cancel()
                await asyncio.gather(run, keeper, return_exceptions=True)
