"""WorkerService: what an operator sees of a worker."""

import pytest
from loupe.errors import PermissionDenied, Unauthenticated
from loupe.rpc.authorization import bearer
from loupe.rpc.channel import connect
from loupe.trainer.v1 import worker_service_pb2
from loupe.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub

from services.kit.auth import PolicyTable, Principal, Role
from services.kit.grpc_server import GrpcServer
from services.worker import server
from tests.integration.worker.conftest import TOKEN, WorkerUnderTest
from tests.support.tokens import only
from tests.support.waiting import eventually


async def test_an_operator_sees_the_running_job(work: WorkerUnderTest) -> None:
    """Whoever looks for what a machine does must find its job."""
    verifier = only(TOKEN, "users/admin", Role.ADMIN)
    async with (
        GrpcServer([server.service(work.worker)], verifier=verifier, address="127.0.0.1:0") as serving,
        connect(f"127.0.0.1:{serving.port}", lambda: TOKEN) as channel,
    ):
        stub = WorkerServiceStub(channel)
        work.scheduler.add("jobs/1", behaviour="until-sigterm")
        await eventually(lambda: work.scheduler.records["jobs/1"].losses[1])
        seen = await stub.GetWorker(worker_service_pb2.GetWorkerRequest())
        assert seen.name == "workers/w1"
        assert seen.compute_resource == "computeResources/cpu"
        assert seen.state == worker_service_pb2.WORKER_STATE_BUSY
        assert (seen.job, seen.task, seen.child_pid) == ("jobs/1", "tasks/1", work.child.pid)


class _People:
    """Knows whoever is called as their role is."""

    async def verify(self, token: str) -> Principal:
        return Principal(f"users/{token.lower()}", Role[token])


async def test_a2_a_worker_admits_exactly_the_roles_of_the_table(work: WorkerUnderTest) -> None:
    """Its server is one more on the fab's network."""
    methods = worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"].methods
    policies = PolicyTable.from_descriptors([methods[0].containing_service])
    refused = set()
    async with (
        GrpcServer([server.service(work.worker)], verifier=_People(), address="127.0.0.1:0") as serving,
        connect(f"127.0.0.1:{serving.port}") as channel,
    ):
        for method in methods:
            rpc = f"/{method.containing_service.full_name}/{method.name}"
            call = channel.unary_unary(rpc)
            with pytest.raises(Unauthenticated):
                await call(b"")
            for role in (Role.VIEWER, Role.ENGINEER, Role.RELEASER, Role.ADMIN, Role.WORKER, Role.SERVICE):
                try:
                    await call(b"", metadata=(bearer(role.name),))
                except PermissionDenied:
                    refused.add((rpc, role))
                assert ((rpc, role) in refused) == (not policies.of(rpc).role.admits(role))
    assert refused
