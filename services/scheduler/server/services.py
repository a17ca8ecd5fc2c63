"""All services of the scheduler as the server takes them."""

from loupe.scheduler.v1 import draft_service_pb2 as drafts_rpc
from loupe.scheduler.v1 import draft_service_pb2_grpc as drafts_grpc
from loupe.scheduler.v1 import job_service_pb2 as jobs_rpc
from loupe.scheduler.v1 import job_service_pb2_grpc as jobs_grpc
from loupe.scheduler.v1 import queue_service_pb2 as queue_rpc
from loupe.scheduler.v1 import queue_service_pb2_grpc as queue_grpc
from loupe.scheduler.v1 import task_service_pb2 as tasks_rpc
from loupe.scheduler.v1 import task_service_pb2_grpc as tasks_grpc

from services.kit.grpc_server import Service
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.server.drafts import DraftServicer
from services.scheduler.server.jobs import JobServicer
from services.scheduler.server.queue import QueueServicer
from services.scheduler.server.tasks import TaskServicer


def services(dependencies: Dependencies) -> tuple[Service, ...]:
    """Servicers with their contracts."""
    return (
        Service(
            TaskServicer(dependencies),
            tasks_grpc.add_TaskServiceServicer_to_server,
            tasks_rpc.DESCRIPTOR.services_by_name["TaskService"],
        ),
        Service(
            JobServicer(dependencies),
            jobs_grpc.add_JobServiceServicer_to_server,
            jobs_rpc.DESCRIPTOR.services_by_name["JobService"],
        ),
        Service(
            QueueServicer(dependencies),
            queue_grpc.add_QueueServiceServicer_to_server,
            queue_rpc.DESCRIPTOR.services_by_name["QueueService"],
        ),
        Service(
            DraftServicer(dependencies),
            drafts_grpc.add_DraftServiceServicer_to_server,
            drafts_rpc.DESCRIPTOR.services_by_name["DraftService"],
        ),
    )
