"""The summary of a training that is not submitted yet, as a message (W14)."""

from loupe.scheduler.v1 import job_pb2, summary_pb2

from services import input_messages
from services.scheduler.domain.job import taken_by
from services.scheduler.domain.throughput import InputSize
from services.scheduler.domain.wizard.training_summary import (
    CodeSamples,
    NetworkPlan,
    TrainingSummary,
    WorkersThere,
)
from services.scheduler.wire import queue, tasks
from services.scheduler.wire.values import duration
from services.scheduler.wire.wait_reason import wait_sentence


def summary(value: TrainingSummary) -> summary_pb2.TrainingSummary:
    """What a training resolves to."""
    return summary_pb2.TrainingSummary(
        training=tasks.training(value.spec),
        input=input_messages.to_message(value.spec.input),
        codes=[_code(one) for one in value.codes],
        unlisted_sample_count=value.unlisted,
        data_paths=[
            summary_pb2.PathSamples(data_path=path, sample_count=count) for path, count in value.paths
        ],
        networks=[_network(one) for one in value.networks],
        warm_start_weights_sha256=value.spec.warm_start_weights_sha256,
        takes=queue.amounts(value.takes),
        nodes=value.nodes,
        estimated_duration=duration(value.estimated_s),
        workers=[_workers(one, value) for one in value.workers],
        waiting_count=value.waiting,
    )


def _code(value: CodeSamples) -> summary_pb2.CodeSamples:
    return summary_pb2.CodeSamples(
        code=value.code,
        special=value.special,
        sample_count=value.samples,
        part_count=value.parts,
        train_count=value.train,
        validation_count=value.validation,
        mask_count=value.masks,
    )


def _network(value: NetworkPlan) -> summary_pb2.NetworkPlan:
    return summary_pb2.NetworkPlan(
        network=tasks.network(value.network),
        name=value.name,
        max_iter=value.max_iter,
        batch_size=value.batch_size,
        train_count=value.train,
        epochs=value.epochs,
        images_per_s=value.images_per_s,
        measured_count=value.measured,
        scaled_from=_size(value.scaled_from),
    )


def _size(value: InputSize | None) -> summary_pb2.InputSize | None:
    if value is None:
        return None
    return summary_pb2.InputSize(width=value.width, height=value.height, detail=value.detail)


def _workers(value: WorkersThere, of: TrainingSummary) -> summary_pb2.WorkersThere:
    message = summary_pb2.WorkersThere(
        kind=job_pb2.JobKind.Value(f"JOB_KIND_{value.kind}"),
        worker_count=value.present,
        free_count=value.free,
    )
    if value.cause is not None:
        takes = taken_by(value.kind, of.takes, of.nodes)
        told = wait_sentence(value.cause, value.kind, of.spec.compute_resource, takes)
        message.reason, message.message, message.message_zh = value.cause, told.english, told.chinese
    return message
