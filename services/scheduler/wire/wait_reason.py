"""Why a task waits, as a message with sentences for users."""

from loupe.scheduler.v1 import task_pb2

from services.scheduler.domain.queue import QueuePosition, WaitCause, wait_cause
from services.scheduler.domain.task import TaskHead, TaskState
from services.scheduler.wire.values import timestamp


def wait_reason(value: TaskHead, position: QueuePosition | None, resource: str) -> task_pb2.WaitReason | None:
    """Why the task waits (T4, T5); None if none of its jobs is queued."""
    if position is None:
        return None
    cause = wait_cause(
        served=position.served,
        fits=position.fits,
        recovering=value.recoveries > 0 and value.state is not TaskState.WAITING,
    )
    match cause:
        case WaitCause.NO_WORKER_WITH_RESOURCE:
            message = f"no worker with {resource} is there; start one, or choose another resource"
            message_zh = f"当前没有提供 {resource} 的训练节点，请启动一个或选择其他计算资源"
        case WaitCause.WORKERS_TOO_SMALL:
            takes = value.takes
            gib = takes.memory_bytes / 2**30
            message = (
                f"it takes {takes.gpus} GPUs, {takes.cpus} CPUs and {gib:.3g} GiB of memory, which no worker "
                f"with {resource} has; start a larger one, or choose another resource"
            )
            message_zh = (
                f"任务需要 {takes.gpus} 个 GPU、{takes.cpus} 个 CPU 和 {gib:.3g} GiB 内存，"
                f"提供 {resource} 的训练节点均不满足，请启动更大的节点或选择其他计算资源"
            )
        case WaitCause.RECOVERING:
            message = "its worker was lost; another one goes on from the last checkpoint"
            message_zh = "原训练节点失联，将由其他节点从最近的检查点继续"
        case WaitCause.ALL_WORKERS_BUSY:
            message = f"all workers with {resource} are busy; position {position.number} in the queue"
            message_zh = f"所有提供 {resource} 的节点都在忙，排队位置：{position.number}"
    return task_pb2.WaitReason(
        reason=cause,
        message=message,
        message_zh=message_zh,
        queue_position=position.number,
        since=timestamp(position.since),
    )
