"""WorkerService: what an operator sees of a worker, and how it is drained."""

import asyncio

from loupe.trainer.v1 import worker_service_pb2
from loupe.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub

from services.kit.auth import RefusingVerifier, ServiceTokenVerifier
from services.kit.grpc_client import connect
from services.kit.grpc_server import GrpcServer
from services.work import server
from tests.integration.work.conftest import TOKEN, WorkerUnderTest, until


async def test_an_operator_sees_the_running_job_and_can_drain_the_worker(work: WorkerUnderTest) -> None:
    """Before a machine is taken down, its job must move without loss."""
    verifier = ServiceTokenVerifier(TOKEN, RefusingVerifier())
    async with (
        GrpcServer([server.service(work.worker)], verifier=verifier, address="127.0.0.1:0") as serving,
        connect(f"127.0.0.1:{serving.port}", lambda: TOKEN) as channel,
    ):
        stub = WorkerServiceStub(channel)
        work.scheduler.add("jobs/1", behaviour="until-sigterm")
        await until(lambda: work.scheduler.told["jobs/1"].losses[1])
        seen = await stub.GetWorker(worker_service_pb2.GetWorkerRequest())
        assert seen.name == "workers/w1"
        assert seen.compute_resource == "computeResources/cpu"
        assert seen.state == worker_service_pb2.WORKER_STATE_BUSY
        assert (seen.job, seen.task, seen.child_pid) == ("jobs/1", "tasks/1", work.child.pid)
        drained = await stub.DrainWorker(worker_service_pb2.DrainWorkerRequest())
        assert drained.state == worker_service_pb2.WORKER_STATE_DRAINING
        async with asyncio.timeout(20):
            assert await work.scheduler.released.get() == "jobs/1"
            await work.run
