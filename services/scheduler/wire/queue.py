"""Workers and queue as messages."""

from loupe.scheduler.v1 import job_pb2, queue_pb2

from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.workers import KnownWorker, Presence, ResourceFigures, WorkerLease
from services.scheduler.wire.values import timestamp


def worker(value: KnownWorker, presence: Presence) -> queue_pb2.Worker:
    """A worker."""
    announced = value.announced
    return queue_pb2.Worker(
        name=announced.name,
        presence=queue_pb2.WorkerPresence.Value(f"WORKER_PRESENCE_{presence}"),
        kinds=[_kind(kind) for kind in announced.kinds],
        compute_resources=announced.compute_resources,
        capacity=amounts(announced.capacity),
        free=amounts(value.free),
        leases=[_lease(lease) for lease in value.leases],
        start_time=timestamp(announced.start_time),
        heard_time=timestamp(value.last_contact),
        version=announced.build.version,
        torch_version=announced.build.torch_version,
        device=announced.build.device,
        drain_time=timestamp(value.drain.time if value.drain else None),
        drainer=value.drain.drainer if value.drain else "",
    )


def resource_queue(value: ResourceFigures) -> queue_pb2.ResourceQueue:
    """Waiting and running jobs of a compute resource."""
    return queue_pb2.ResourceQueue(
        compute_resource=value.compute_resource,
        waiting_count=value.waiting_count,
        wait_reasons=[
            queue_pb2.WaitingCount(
                reason=one.cause.value, count=one.count, oldest_wait_time=timestamp(one.oldest)
            )
            for one in value.waiting
        ],
        oldest_wait_time=timestamp(value.oldest),
        running_count=value.running,
        worker_count=value.workers,
        capacity=amounts(value.capacity),
        taken=amounts(value.taken),
    )


def amounts(value: Amounts) -> job_pb2.Amounts:
    """Amounts of compute resources."""
    return job_pb2.Amounts(gpus=value.gpus, cpus=value.cpus, memory_bytes=value.memory_bytes)


def _lease(value: WorkerLease) -> queue_pb2.WorkerLease:
    return queue_pb2.WorkerLease(
        job=f"jobs/{value.job}",
        task=f"tasks/{value.task}",
        attempt=value.attempt,
        kind=_kind(value.kind),
        takes=amounts(value.takes),
        start_time=timestamp(value.start_time),
        expire_time=timestamp(value.expire_time),
    )


def _kind(kind: str) -> job_pb2.JobKind.ValueType:
    return job_pb2.JobKind.Value(f"JOB_KIND_{kind}")
