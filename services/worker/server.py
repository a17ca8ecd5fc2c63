"""What runs on a worker, for operators: `loupe.trainer.v1.WorkerService`."""

from loupe.trainer.v1 import worker_service_pb2, worker_service_pb2_grpc

from services.kit.grpc_server import Service
from services.worker.worker import Worker, WorkerState, WorkerStatus

_STATES = {
    WorkerState.STARTING: worker_service_pb2.WORKER_STATE_STARTING,
    WorkerState.IDLE: worker_service_pb2.WORKER_STATE_IDLE,
    WorkerState.BUSY: worker_service_pb2.WORKER_STATE_BUSY,
    WorkerState.DRAINING: worker_service_pb2.WORKER_STATE_DRAINING,
}


class WorkerServicer(worker_service_pb2_grpc.WorkerServiceServicer):
    """Answers for one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def GetWorker(  # noqa: N802 -- the contract's name
        self,
        request: worker_service_pb2.GetWorkerRequest,  # noqa: ARG002
        context: object,  # noqa: ARG002
    ) -> worker_service_pb2.Worker:
        """What runs here now."""
        return _message(self._worker.status)

    async def DrainWorker(  # noqa: N802 -- the contract's name
        self,
        request: worker_service_pb2.DrainWorkerRequest,  # noqa: ARG002
        context: object,  # noqa: ARG002
    ) -> worker_service_pb2.Worker:
        """Begin to drain; the process ends when the running job is given back."""
        self._worker.drain()
        return _message(self._worker.status)


def service(worker: Worker) -> Service:
    """The service for a worker's server."""
    return Service(
        servicer=WorkerServicer(worker),
        add_to_server=worker_service_pb2_grpc.add_WorkerServiceServicer_to_server,
        descriptor=worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"],
    )


def _message(status: WorkerStatus) -> worker_service_pb2.Worker:
    message = worker_service_pb2.Worker(
        name=f"workers/{status.name}",
        compute_resource=f"computeResources/{status.compute_resource}",
        state=_STATES[status.state],
        task=status.task,
        job=status.job,
        child_pid=status.child_pid,
    )
    message.start_time.FromDatetime(status.start_time)
    return message
