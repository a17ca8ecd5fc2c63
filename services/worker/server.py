"""What runs on a worker, for operators: `loupe.trainer.v1.WorkerService`."""

from loupe.trainer.v1 import worker_service_pb2, worker_service_pb2_grpc

from services.kit.grpc_server import Service
from services.worker.worker import Worker


class WorkerServicer(worker_service_pb2_grpc.WorkerServiceServicer):
    """Answers for one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def GetWorker(  # noqa: N802 -- the contract's name
        self,
        request: worker_service_pb2.GetWorkerRequest,  # noqa: ARG002
        context: object,  # noqa: ARG002
    ) -> worker_service_pb2.Worker:
        """The worker's state and its running job."""
        return self._worker.status


def service(worker: Worker) -> Service:
    """The service for a worker's server."""
    return Service(
        servicer=WorkerServicer(worker),
        add_to_server=worker_service_pb2_grpc.add_WorkerServiceServicer_to_server,
        descriptor=worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"],
    )
