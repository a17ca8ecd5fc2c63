"""A scheduler and a registry for each test module. The tests act as the worker."""

import asyncio
import contextlib
import hashlib
import io
import secrets
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import pytest_asyncio
import sqlalchemy as sa
from google.protobuf import duration_pb2, timestamp_pb2
from loupe.access.v1 import access_pb2
from loupe.registry.v1 import (
    dataset_pb2,
    dataset_service_pb2,
    dataset_service_pb2_grpc,
    identity_pb2,
    identity_service_pb2,
    identity_service_pb2_grpc,
    master_data_pb2,
    master_data_service_pb2,
    master_data_service_pb2_grpc,
    model_pb2,
    model_service_pb2_grpc,
    question_bank_service_pb2_grpc,
)
from loupe.rpc.channel import connect
from loupe.scheduler.v1 import (
    draft_service_pb2_grpc,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    queue_service_pb2_grpc,
    task_pb2,
    task_service_pb2,
    task_service_pb2_grpc,
)
from loupe.server.v1 import server_service_pb2_grpc
from loupe.settings import load
from PIL import Image

from services.kit.database import Database
from services.kit.lifecycle import Process
from services.registry.__main__ import serve
from services.registry.settings import Settings as RegistrySettings
from services.scheduler.__main__ import compose
from services.scheduler.settings import Settings
from services.service_tokens import ServiceTokenSettings
from tests.support.waiting import eventually

IMAGE = "algorithmImages/surface-classification/versions/v3.0"
ENVIRONMENT = "productionEnvironments/demo-fab-cell-array"
CODES = ("TPFIP", "TTFBS", "TTMUD")

# What most tests train: small numbers, nobody computes anything.
TRAINING_PARAMS = '{"classification": {"max_iter": 1000, "batch_size": 4}}'


class Caller:
    """Stubs of both services with one caller's token."""

    def __init__(self, name: str, registry: grpc.aio.Channel, scheduler: grpc.aio.Channel) -> None:
        self.name = name
        self.registry = registry
        # The generated stubs are typed for both kinds of channel at once, which no caller can satisfy.
        self.data: Any = dataset_service_pb2_grpc.DatasetServiceStub(registry)
        self.identity: Any = identity_service_pb2_grpc.IdentityServiceStub(registry)
        self.master_data: Any = master_data_service_pb2_grpc.MasterDataServiceStub(registry)
        self.banks: Any = question_bank_service_pb2_grpc.QuestionBankServiceStub(registry)
        self.models: Any = model_service_pb2_grpc.ModelServiceStub(registry)
        self.tasks: Any = task_service_pb2_grpc.TaskServiceStub(scheduler)
        self.jobs: Any = job_service_pb2_grpc.JobServiceStub(scheduler)
        self.queue: Any = queue_service_pb2_grpc.QueueServiceStub(scheduler)
        self.drafts: Any = draft_service_pb2_grpc.DraftServiceStub(scheduler)
        self.server: Any = server_service_pb2_grpc.ServerServiceStub(scheduler)

    async def get(self, name: str) -> task_pb2.Task:
        return await self.tasks.GetTask(task_service_pb2.GetTaskRequest(name=name))


@dataclass
class Stack:
    """A running registry and scheduler."""

    environment: dict[str, str]
    registry_address: str
    address: str
    database: Database
    admin: Caller
    service: Caller

    def caller(self, name: str, token: str) -> Caller:
        return Caller(
            name,
            connect(self.registry_address, lambda: token, deadline_s=60),
            connect(self.address, lambda: token, deadline_s=60),
        )

    async def with_role(self, role: int) -> Caller:
        """A new user with this role."""
        user = f"user-{secrets.token_hex(4)}"
        await self.admin.identity.CreateUser(
            identity_service_pb2.CreateUserRequest(user_id=user, user=identity_pb2.User(role=role))
        )
        token = await self.admin.identity.CreateToken(
            identity_service_pb2.CreateTokenRequest(parent=f"users/{user}")
        )
        return self.caller(f"users/{user}", token.secret)

    async def new_resource(
        self, *, gpus: int = 0, cpus: int = 1, memory_bytes: int = 2**30, nodes: int = 1
    ) -> str:
        """A new compute resource, so that a test has its own queue."""
        resource = f"r-{secrets.token_hex(4)}"
        created = await self.admin.master_data.CreateComputeResource(
            master_data_service_pb2.CreateComputeResourceRequest(
                compute_resource_id=resource,
                compute_resource=master_data_pb2.ComputeResource(
                    gpus=gpus, cpus=cpus, memory_bytes=memory_bytes, nodes=nodes
                ),
            )
        )
        return str(created.name)

    async def execute(self, statement: str, **values: object) -> None:
        """Run SQL in the scheduler's schema, for example to move times."""
        async with self.database.sessions.begin() as session:
            await session.execute(sa.text(statement), values)

    async def scalar(self, statement: str, **values: object) -> Any:
        async with self.database.sessions.begin() as session:
            return await session.scalar(sa.text(statement), values)


@contextlib.asynccontextmanager
async def living(main: Callable[[Process], Awaitable[Any]]) -> AsyncIterator[str]:
    """The address of a process that runs within the block."""
    process = Process()
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def start(process: Process) -> None:
        server = await main(process)
        address.set_result(f"127.0.0.1:{server.port}")

    living = asyncio.create_task(process.live(start))
    await asyncio.wait({living, address}, return_when=asyncio.FIRST_COMPLETED)
    if living.done():
        living.result()
    try:
        yield address.result()
    finally:
        process.stop()
        assert await living == 0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(module_service_environment: dict[str, str]) -> AsyncIterator[Stack]:
    environment = {
        **module_service_environment,
        "LOUPE_LISTEN": "127.0.0.1:0",
        "LOUPE_DECODERS": "2",
    }
    # Long: tests let leases end by hand, and a busy machine must not.
    environment["LOUPE_LEASE_S"] = "120"
    async with living(lambda process: serve(process, load(RegistrySettings, environment))) as registry:
        environment["LOUPE_REGISTRY_ADDRESS"] = registry
        async with living(lambda process: compose(process, load(Settings, environment))) as scheduler:

            def caller(name: str, token: Callable[[], str]) -> Caller:
                return Caller(
                    name,
                    connect(registry, token, deadline_s=60),
                    connect(scheduler, token, deadline_s=60),
                )

            database = Database(environment["LOUPE_DATABASE_URL"], "scheduler")
            yield Stack(
                environment,
                registry,
                scheduler,
                database,
                caller("users/admin", lambda: environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"]),
                caller("services/scheduler", load(ServiceTokenSettings, environment).own("scheduler")),
            )
            await database.dispose()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engineer(stack: Stack) -> Caller:
    return await stack.with_role(access_pb2.ROLE_ENGINEER)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def releaser(stack: Stack) -> Caller:
    return await stack.with_role(access_pb2.ROLE_RELEASER)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def viewer(stack: Stack) -> Caller:
    return await stack.with_role(access_pb2.ROLE_VIEWER)


def _png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 24), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


async def import_path(  # noqa: PLR0917 -- what a path is made of
    caller: Caller,
    dataset: str,
    path: str,
    files: dict[str, int],
    group: str = "",
    picture: int | None = None,
    like: str = "",
) -> str:
    """A data path with a number of pictures of each code; no pictures make an invalid one.

    With `group` all pictures are of one group; with `picture` all have the same pixels; with `like` they are
    those that another path of the dataset has, or would have.
    """
    await caller.data.CreateDataset(
        dataset_service_pb2.CreateDatasetRequest(dataset_id=dataset, allow_existing=True)
    )
    created = await caller.data.CreateDataPath(
        dataset_service_pb2.CreateDataPathRequest(parent=f"datasets/{dataset}", data_path_id=path)
    )
    contents = {
        f"{code}/{index}.png": _png(
            zlib.crc32(f"{dataset} {like or path} {code} {index}".encode()) if picture is None else picture
        )
        for code, count in files.items()
        for index in range(count)
    }
    if contents:
        hashes = {file: hashlib.sha256(data).hexdigest() for file, data in contents.items()}
        plan = await caller.data.PlanSampleUploads(
            dataset_service_pb2.PlanSampleUploadsRequest(parent=created.name, sha256s=list(hashes.values()))
        )
        by_hash = {hashes[file]: data for file, data in contents.items()}
        async with httpx.AsyncClient() as client:
            for upload in plan.uploads:
                (await client.put(upload.url, content=by_hash[upload.sha256])).raise_for_status()
        answer = await caller.data.AddSamples(
            dataset_service_pb2.AddSamplesRequest(
                parent=created.name,
                candidates=[
                    dataset_pb2.SampleCandidate(file=file, sha256=sha, group=group)
                    for file, sha in hashes.items()
                ],
            )
        )
        assert answer.data_path.sample_count == len(contents)
    return str(created.name)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def data_path(engineer: Caller) -> str:
    """Three codes, four pictures each."""
    return await import_path(engineer, "panels", "good", dict.fromkeys(CODES, 4))


def training(model_name: str, resource: str, paths: Sequence[str], **changes: Any) -> task_pb2.Task:
    """A valid submission, with changes."""
    values: dict[str, Any] = {
        "model_name": model_name,
        "algorithm_image_version": IMAGE,
        "production_environment": ENVIRONMENT,
        "data_paths": paths,
        "compute_resource": resource,
        "training_params_json": TRAINING_PARAMS,
        **changes,
    }
    return task_pb2.Task(training=task_pb2.TrainingSpec(**values))


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Held:
    """A lease, and the calls of its worker."""

    def __init__(self, stub: Any, lease: job_pb2.JobLease) -> None:
        self.stub = stub
        self.lease = lease

    def _request(self, cls: Any, **fields: Any) -> Any:
        return cls(job=self.lease.job, fencing_token=self.lease.fencing_token, **fields)

    async def report(self, **fields: Any) -> job_service_pb2.ReportJobResponse:
        return await self.stub.ReportJob(self._request(job_service_pb2.ReportJobRequest, **fields))

    async def points(
        self, first: int, losses: Sequence[float], network: int = task_pb2.NETWORK_CLASSIFICATION
    ) -> job_service_pb2.ReportJobResponse:
        return await self.report(
            phase=task_pb2.PHASE_TRAINING,
            loss_points=[job_pb2.LossPoints(network=network, first_iteration=first, losses=losses)],
        )

    async def checkpoint(self, next_iteration: int, sha256: str) -> None:
        await self.report(
            checkpoint=job_pb2.Checkpoint(
                sha256=sha256, next_iteration=next_iteration, network=task_pb2.NETWORK_CLASSIFICATION
            )
        )

    async def _finish(self, **outcome: Any) -> None:
        await self.stub.FinishJob(self._request(job_service_pb2.FinishJobRequest, **outcome))

    async def trained(
        self, weights: str = "", looks: model_pb2.TrainingLooks | None = None, **images_per_s: float
    ) -> None:
        """With what was measured, by network: `classification=100.0`."""
        await self._finish(
            trained=job_service_pb2.FinishJobRequest.Trained(
                weights_sha256=weights or sha(self.lease.task),
                split_sha256=sha("split of " + self.lease.task),
                throughputs=[
                    job_pb2.Throughput(
                        network=task_pb2.Network.Value(f"NETWORK_{network.upper()}"), images_per_s=pace
                    )
                    for network, pace in images_per_s.items()
                ],
                looks=looks,
            )
        )

    async def reported(self, report: str = "reports/r1") -> None:
        await self._finish(reported=job_service_pb2.FinishJobRequest.Reported(report=report))

    async def failed(self, code: str, *, retryable: bool = False) -> None:
        failure = task_pb2.Failure(
            code=code, message="it went wrong", message_zh="出错了", log_tail="the last line"
        )
        await self._finish(
            failed=job_service_pb2.FinishJobRequest.JobFailed(failure=failure, retryable=retryable)
        )

    async def terminated(self) -> None:
        await self._finish(terminated=job_service_pb2.FinishJobRequest.Terminated())

    async def give_back(self) -> None:
        await self.stub.ReleaseJob(self._request(job_service_pb2.ReleaseJobRequest))


class Worker:
    """A worker for every kind of job of one compute resource."""

    def __init__(
        self,
        stack: Stack,
        resource: str,
        name: str = "workers/test",
        capacity: job_pb2.Amounts | None = None,
        **build: str | bool,
    ) -> None:
        self.stack = stack
        self.build = build
        self.resource = resource
        self.name = name
        # Room for all that the tests of a module leave running.
        self.capacity = capacity or job_pb2.Amounts(gpus=0, cpus=1000, memory_bytes=2**50)
        self.start_time: timestamp_pb2.Timestamp | None = None

    async def ask(self, *kinds: int, wait_s: int = 0) -> Held | None:
        answer = await self.stack.service.jobs.AcquireJob(
            job_service_pb2.AcquireJobRequest(
                worker=self.name,
                kinds=kinds or (job_pb2.JOB_KIND_TRAIN, job_pb2.JOB_KIND_EVALUATE, job_pb2.JOB_KIND_PREDICT),
                compute_resources=[self.resource],
                capacity=self.capacity,
                wait=duration_pb2.Duration(seconds=wait_s),
                start_time=self.start_time,
                **self.build,
            )
        )
        self.start_time = answer.start_time
        return Held(self.stack.service.jobs, answer.lease) if answer.HasField("lease") else None

    async def acquire(self, *kinds: int, wait_s: int = 20) -> Held:
        held = await self.ask(*kinds, wait_s=wait_s)
        assert held is not None, "no job came"
        return held

    async def lose_lease(self, held: Held) -> None:
        """Let the lease expire, and wait until the sweeper has ended it."""
        await self.stack.execute(
            "UPDATE jobs SET lease_expire_time = now() - interval '1 second' WHERE id = :job",
            job=held.lease.job.removeprefix("jobs/"),
        )

        async def taken_away() -> bool:
            return not await self.stack.scalar(
                "SELECT state = 'LEASED' AND fencing_token = :token FROM jobs WHERE id = :job",
                job=held.lease.job.removeprefix("jobs/"),
                token=held.lease.fencing_token,
            )

        await eventually(taken_away)


@dataclass
class Bench:
    """What a test needs: a queue of its own, an engineer, data, and a worker."""

    stack: Stack
    engineer: Caller
    releaser: Caller
    worker: Worker
    resource: str
    data_path: str

    def training(self, **changes: Any) -> task_pb2.Task:
        name = changes.pop("model_name", f"m-{secrets.token_hex(5)}")
        return training(name, self.resource, changes.pop("data_paths", [self.data_path]), **changes)

    async def submit(self, caller: Caller | None = None, **changes: Any) -> task_pb2.Task:
        priority = changes.pop("priority", 0)
        task = self.training(**changes)
        task.priority = priority
        return await (caller or self.engineer).tasks.CreateTask(task_service_pb2.CreateTaskRequest(task=task))

    async def get(self, task: task_pb2.Task | str) -> task_pb2.Task:
        return await self.engineer.get(task if isinstance(task, str) else task.name)

    async def completed(self, **changes: Any) -> task_pb2.Task:
        """A completed task."""
        task = await self.submit(**changes)
        held = await self.worker.acquire()
        await held.points(0, [1.0, 0.5])
        await held.trained()
        await (await self.worker.acquire()).reported()
        return await self.get(task)

    async def released(self, **changes: Any) -> task_pb2.Task:
        """A released task with its number."""
        task = await self.completed(**changes)
        return await self.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task.name))


@pytest_asyncio.fixture(loop_scope="session")
async def bench(stack: Stack, engineer: Caller, releaser: Caller, data_path: str) -> Bench:
    resource = await stack.new_resource()
    return Bench(stack, engineer, releaser, Worker(stack, resource), resource, data_path)


@pytest.fixture(scope="session")
def new_worker() -> type[Worker]:
    return Worker


@pytest.fixture(scope="session")
def path_importer() -> Callable[..., Awaitable[str]]:
    return import_path


@pytest.fixture(scope="session", name="eventually")
def _eventually() -> Callable[..., Awaitable[None]]:
    return eventually
