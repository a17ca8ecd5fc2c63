# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""JobService."""

from typing import Any

import grpc
from loupe.scheduler.v1 import job_service_pb2 as rpc
from loupe.scheduler.v1 import job_service_pb2_grpc as rpc_grpc

from services.scheduler.application.dependencies import Dependencies
from services.scheduler.application.heartbeats import Heartbeats
from services.scheduler.application.leases import Leases
from services.scheduler.wire import jobs
from services.scheduler.wire.values import id_of, seconds_of, timestamp

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_WAIT_S = 30.0


class JobServicer(rpc_grpc.JobServiceServicer):
    """For workers."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._leases = Leases(dependencies)
        self._heartbeats = Heartbeats(dependencies)

    async def AcquireJob(self, request: rpc.AcquireJobRequest, _: Context) -> rpc.AcquireJobResponse:
        wait_s = min(_MAX_WAIT_S, max(0.0, seconds_of(request.wait)))
        worker = jobs.worker_of(request)
        if not request.HasField("start_time"):
            worker = await self._leases.introduce(worker)
        if request.starting:
            await self._leases.announce(worker)
            return rpc.AcquireJobResponse(start_time=timestamp(worker.start_time))
        lease = await self._leases.acquire(worker, wait_s)
        return rpc.AcquireJobResponse(
            lease=jobs.lease(lease) if lease is not None else None, start_time=timestamp(worker.start_time)
        )

    async def ReportJob(self, request: rpc.ReportJobRequest, _: Context) -> rpc.ReportJobResponse:
        report = jobs.report_of(request)
        return jobs.answer(await self._heartbeats.report(_job_id(request.job), request.fencing_token, report))

    async def FinishJob(self, request: rpc.FinishJobRequest, _: Context) -> rpc.FinishJobResponse:
        await self._leases.finish(_job_id(request.job), request.fencing_token, jobs.outcome_of(request))
        return rpc.FinishJobResponse()

    async def ReleaseJob(self, request: rpc.ReleaseJobRequest, _: Context) -> rpc.ReleaseJobResponse:
        await self._leases.give_back(_job_id(request.job), request.fencing_token)
        return rpc.ReleaseJobResponse()


def _job_id(name: str) -> str:
    return id_of(name, "jobs", "job")
