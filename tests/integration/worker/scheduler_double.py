"""A JobService that is away or refuses a lease on demand. It keeps what workers report."""

# ruff: noqa: D102 -- the contract documents its methods

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from loupe.errors import Aborted, FailedPrecondition, Unavailable
from loupe.scheduler.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc, task_pb2

from services.kit.grpc_server import Service

START_TIME_S = 1_700_000_000


class LeaseLost(Aborted):
    """As the scheduler says it."""

    reason = "LEASE_LOST"


@dataclass
class JobRecord:
    """What a worker reported of one job."""

    losses: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    lines: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    stages: list[task_pb2.Stage] = field(default_factory=list)
    checkpoints: list[tuple[job_pb2.Checkpoint, int]] = field(default_factory=list)
    progress: list[task_pb2.Progress] = field(default_factory=list)
    reports: int = 0
    max_points: int = 0


class WorkerReplaced(FailedPrecondition):
    """As the scheduler refuses it."""

    reason = "WORKER_REPLACED"


class SchedulerDouble(job_service_pb2_grpc.JobServiceServicer):
    """Serves one queue of jobs."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[job_pb2.JobLease] = asyncio.Queue()
        self.records: dict[str, JobRecord] = defaultdict(JobRecord)
        self.finished: asyncio.Queue[job_service_pb2.FinishJobRequest] = asyncio.Queue()
        self.released: asyncio.Queue[str] = asyncio.Queue()
        self.away = False
        self.replaced = False
        self.lost: set[str] = set()
        self.cancelled: set[str] = set()
        # Their worker is drained.
        self.drained: set[str] = set()
        # Start times that the worker sent; the double dates its first call.
        self.start_times: list[int] = []
        # Whether its child was not ready, of each of its calls.
        self.starting: list[bool] = []

    def add(self, job: str, *, token: int = 1, resume: int | None = None, **options: object) -> None:
        lease = job_pb2.JobLease(
            job=job, task="tasks/1", attempt=1, fencing_token=token, kind=job_pb2.JOB_KIND_TRAIN
        )
        lease.duration.FromSeconds(10)
        lease.train.origin.update({name: str(value) for name, value in options.items()})
        if resume is not None:
            lease.train.resume.next_iteration = resume
            lease.train.resume.sha256 = "00" * 32
        self.queue.put_nowait(lease)

    async def AcquireJob(self, request: Any, context: object) -> job_service_pb2.AcquireJobResponse:  # noqa: ANN401, ARG002, N802
        self._check()
        if self.replaced:
            raise WorkerReplaced("another process has this name")
        self.start_times.append(request.start_time.seconds)
        response = job_service_pb2.AcquireJobResponse()
        response.start_time.seconds = request.start_time.seconds or START_TIME_S
        self.starting.append(request.starting)
        if request.starting:
            return response
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(request.wait.ToTimedelta().total_seconds()):
                response.lease.CopyFrom(await self.queue.get())
        return response

    async def ReportJob(  # noqa: N802
        self,
        request: job_service_pb2.ReportJobRequest,
        context: object,  # noqa: ARG002
    ) -> job_service_pb2.ReportJobResponse:
        self._check(request.job)
        record = self.records[request.job]
        record.reports += 1
        for points in request.loss_points:
            known = record.losses[points.network]
            assert points.first_iteration <= len(known), "a hole in the curve"
            known[points.first_iteration :] = list(points.losses)
            record.max_points = max(record.max_points, len(points.losses))
        for log in request.logs:
            record.lines[log.network][log.first_line :] = list(log.lines)
        record.stages.extend(request.stages)
        if request.HasField("progress"):
            record.progress.append(request.progress)
        if request.HasField("checkpoint"):
            record.checkpoints.append((request.checkpoint, len(record.losses[request.checkpoint.network])))
        return job_service_pb2.ReportJobResponse(
            cancel_requested=request.job in self.cancelled,
            release_requested=request.job in self.drained,
            positions=[
                job_pb2.Position(
                    network=task_pb2.NETWORK_CLASSIFICATION,
                    next_iteration=len(record.losses[task_pb2.NETWORK_CLASSIFICATION]),
                    next_line=len(record.lines[task_pb2.NETWORK_CLASSIFICATION]),
                )
            ],
        )

    async def FinishJob(self, request: Any, context: object) -> job_service_pb2.FinishJobResponse:  # noqa: ANN401, ARG002, N802
        self._check(request.job)
        await self.finished.put(request)
        return job_service_pb2.FinishJobResponse()

    async def ReleaseJob(self, request: Any, context: object) -> job_service_pb2.ReleaseJobResponse:  # noqa: ANN401, ARG002, N802
        self._check(request.job)
        await self.released.put(request.job)
        return job_service_pb2.ReleaseJobResponse()

    def service(self) -> Service:
        return Service(
            self,
            job_service_pb2_grpc.add_JobServiceServicer_to_server,
            job_service_pb2.DESCRIPTOR.services_by_name["JobService"],
        )

    def _check(self, job: str = "") -> None:
        if self.away:
            raise Unavailable("away")
        if job in self.lost:
            raise LeaseLost("given away")
