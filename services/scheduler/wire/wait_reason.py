"""Why a task waits, as a message with sentences for users."""

from loupe.scheduler.v1 import task_pb2
from loupe.translation import Sentence, sentence

from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import JobKind, taken_by
from services.scheduler.domain.queue import QueuePosition, WaitCause, wait_cause
from services.scheduler.domain.task import TaskHead, TaskState
from services.scheduler.wire.values import timestamp

_TRAINER, _EVALUATOR_WORKER = sentence("trainer"), sentence("evaluator worker")
# What does the work of a job, and the work.
_WORK = {
    JobKind.TRAIN: (_TRAINER, sentence("training")),
    JobKind.EVALUATE: (_EVALUATOR_WORKER, sentence("evaluation")),
    JobKind.PREDICT: (_EVALUATOR_WORKER, sentence("prediction")),
    JobKind.PACKAGE: (_EVALUATOR_WORKER, sentence("packaging")),
}


def wait_reason(value: TaskHead, position: QueuePosition | None, resource: str) -> task_pb2.WaitReason | None:
    """Why the task waits (T4, T5); None if none of its jobs is queued."""
    if position is None:
        return None
    cause = wait_cause(
        served=position.served,
        fits=position.fits,
        recovering=position.recovering and value.state is not TaskState.WAITING,
        drained=position.drained,
        held_back=position.held_back,
    )
    takes = taken_by(position.kind, value.takes, value.nodes)
    message = wait_sentence(cause, position.kind, resource, takes, position.number)
    return task_pb2.WaitReason(
        reason=cause,
        message=message.english,
        message_zh=message.chinese,
        queue_position=position.number,
        since=timestamp(position.since),
    )


def wait_sentence(  # noqa: PLR0911 -- one a cause
    cause: WaitCause, kind: JobKind, resource: str, takes: Amounts, number: int | None = None
) -> Sentence:
    """Why a job of this kind waits, or would wait; `number` is its position in the queue, if it is there."""
    worker, work = _WORK[kind]
    match cause:
        case WaitCause.DISK_ALMOST_FULL:
            return sentence(
                "less than 5 % of the disk is free, and no training begins until there is more; "
                "have the operator free some"
            )
        case WaitCause.NO_WORKER_WITH_RESOURCE:
            return sentence(
                "no {worker} with {resource} is there; start one, or choose another resource",
                worker=worker,
                resource=resource,
            )
        case WaitCause.WORKERS_DRAINED:
            return sentence(
                "every {worker} with {resource} is drained; have the operator undrain one, or choose another "
                "resource",
                worker=worker,
                resource=resource,
            )
        case WaitCause.WORKERS_TOO_SMALL:
            return sentence(
                "it takes {gpus} GPUs, {cpus} CPUs and {gib:.3g} GiB of memory, which no {worker} "
                "with {resource} has; start a larger one, or choose another resource",
                worker=worker,
                gpus=takes.gpus,
                cpus=takes.cpus,
                gib=takes.memory_bytes / 2**30,
                resource=resource,
            )
        case WaitCause.RECOVERING if kind is JobKind.TRAIN:
            return sentence("its trainer was lost; another one goes on from the last checkpoint")
        case WaitCause.RECOVERING:
            return sentence(
                "its {worker} was lost; another one begins the {work} again", worker=worker, work=work
            )
        case WaitCause.ALL_WORKERS_BUSY if number is None:
            return sentence("every {worker} with {resource} is busy", worker=worker, resource=resource)
        case WaitCause.ALL_WORKERS_BUSY:
            return sentence(
                "every {worker} with {resource} is busy; position {number} in the queue for {work}",
                worker=worker,
                resource=resource,
                work=work,
                number=number,
            )
