"""Jobs between the contracts and the domain."""

from collections.abc import Iterable

import numpy as np
from loupe.errors import InvalidArgument
from loupe.scheduler.v1 import job_pb2, job_service_pb2, task_pb2

from services import input_messages, look_messages
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import Checkpoint, JobKind, Network
from services.scheduler.domain.progress import Phase, Progress, Stage, StageName, StageState
from services.scheduler.domain.queue import Build, Worker
from services.scheduler.domain.spec import ExportSpec, PinnedPath, PredictionSpec, TrainingSpec
from services.scheduler.domain.task import Task
from services.scheduler.domain.work import (
    CurvePosition,
    Failed,
    JobReport,
    Lease,
    LogLines,
    NonconformingSample,
    Outcome,
    Packaged,
    Points,
    ReportAnswer,
    Reported,
    Terminated,
    Trained,
)
from services.scheduler.wire import tasks
from services.scheduler.wire.values import (
    duration,
    enum_of,
    enum_or_none,
    finite,
    id_of,
    seconds_of,
    sha256,
    struct,
    text,
    time_of,
    timestamp,
)

# Evaluation takes the training's batch size, which fits: it keeps no gradients. At most this.
_MAX_EVALUATION_BATCH = 64
_MAX_LINE_CHARACTERS = 16_384
_MAX_BUILD_CHARACTERS = 200
_MAX_COUNT = 2**31 - 1
_MAX_BYTES = 2**63 - 1


# From the wire.


def worker_of(message: job_service_pb2.AcquireJobRequest) -> Worker:
    """The worker that asks for a job; InvalidArgument if its kinds, resources or capacity are missing."""
    id_of(message.worker, "workers", "worker")
    kinds = tuple(
        enum_of(JobKind, job_pb2.JobKind, "JOB_KIND_", number, "kinds")
        for number in dict.fromkeys(message.kinds)
    )
    if not kinds:
        raise InvalidArgument("kinds must name the kinds of jobs that the worker does", reason="NO_KINDS")
    resources = tuple(dict.fromkeys(message.compute_resources))
    for resource in resources:
        id_of(resource, "computeResources", "compute_resources")
    if not resources:
        raise InvalidArgument(
            "compute_resources must name those that the worker does tasks of", reason="NO_COMPUTE_RESOURCES"
        )
    if message.capacity.cpus < 1:
        raise InvalidArgument(
            "capacity must say how many GPUs, CPUs and bytes of memory the worker has", reason="NO_CAPACITY"
        )
    return Worker(
        name=message.worker,
        kinds=kinds,
        compute_resources=resources,
        capacity=_amounts_of(message.capacity),
        start_time=time_of(message.start_time),
        build=Build(
            *(
                text(part, _MAX_BUILD_CHARACTERS)
                for part in (message.version, message.torch_version, message.device)
            )
        ),
    )


def _amounts_of(message: job_pb2.Amounts) -> Amounts:
    # A column holds no more, and no more is needed.
    return Amounts(
        min(message.gpus, _MAX_COUNT), min(message.cpus, _MAX_COUNT), min(message.memory_bytes, _MAX_BYTES)
    )


def report_of(message: job_service_pb2.ReportJobRequest) -> JobReport:
    """What a heartbeat reports. `overall_fraction` of a progress is output only."""
    return JobReport(
        phase=enum_or_none(Phase, task_pb2.Phase, "PHASE_", message.phase),
        progress=_progress_of(message.progress) if message.HasField("progress") else None,
        stages=tuple(_stage_of(stage) for stage in message.stages),
        points=tuple(
            Points(
                tasks.network_of(points.network),
                points.first_iteration,
                np.array(points.losses, dtype="<f4").tobytes(),
                time_of(points.step_time) if points.HasField("step_time") else None,
            )
            for points in message.loss_points
        ),
        logs=tuple(
            LogLines(
                tasks.network_of(log.network),
                log.first_line,
                tuple(text(line, _MAX_LINE_CHARACTERS) for line in log.lines),
            )
            for log in message.logs
        ),
        validations=tuple(
            (tasks.network_of(one.network), one.point.iteration, finite(one.point.accuracy))
            for one in message.validations
        ),
        nonconforming=_nonconforming_of(message.nonconforming_samples),
        checkpoint=_checkpoint_of(message.checkpoint) if message.HasField("checkpoint") else None,
    )


def outcome_of(message: job_service_pb2.FinishJobRequest) -> Outcome:
    """The outcome of a job."""
    match message.WhichOneof("outcome"):
        case "trained":
            return Trained(
                sha256(message.trained.weights_sha256, "trained.weights_sha256"),
                sha256(message.trained.split_sha256, "trained.split_sha256"),
                {
                    tasks.network_of(one.network): one.images_per_s
                    for one in message.trained.throughputs
                    if finite(one.images_per_s) > 0
                },
                look_messages.from_message(message.trained),
            )
        case "reported":
            if not message.reported.report.startswith("reports/"):
                raise InvalidArgument("reported.report must be reports/…", reason="BAD_NAME")
            return Reported(message.reported.report)
        case "packaged":
            package = message.packaged.package
            if not 0 < package.size_bytes <= _MAX_BYTES:
                raise InvalidArgument("packaged.package.size_bytes must be the file's size", reason="NO_SIZE")
            return Packaged(
                sha256(package.sha256, "packaged.package.sha256"),
                package.size_bytes,
                package.abi_version,
                package.format_version,
            )
        case "failed":
            return Failed(tasks.failure_of(message.failed.failure), message.failed.retryable)
        case "terminated":
            return Terminated()
        case _:
            raise InvalidArgument("outcome must say how the job ended", reason="NO_OUTCOME")


def _progress_of(message: task_pb2.Progress) -> Progress:
    def seconds(field: str) -> float | None:
        return seconds_of(getattr(message, field)) if message.HasField(field) else None  # type: ignore[arg-type]

    return Progress(
        fraction=min(1.0, max(0.0, finite(message.fraction))),
        iteration=message.iteration,
        max_iteration=message.max_iteration,
        images_per_s=finite(message.images_per_s),
        learning_rate=finite(message.learning_rate),
        remaining_s=seconds("remaining"),
        remaining_low_s=seconds("remaining_low"),
        remaining_high_s=seconds("remaining_high"),
    )


def _stage_of(message: task_pb2.Stage) -> Stage:
    return Stage(
        name=enum_of(StageName, task_pb2.StageName, "STAGE_NAME_", message.name, "stages.name"),
        state=enum_of(StageState, task_pb2.StageState, "STAGE_STATE_", message.state, "stages.state"),
        duration_s=seconds_of(message.duration) if message.HasField("duration") else None,
        sample_count=message.sample_count,
        nonconforming_count=message.nonconforming_count,
        train_count=message.train_count,
        validation_count=message.validation_count,
        contact_sheet_sha256=message.contact_sheet_sha256
        and sha256(message.contact_sheet_sha256, "stages.contact_sheet_sha256"),
    )


def _nonconforming_of(
    messages: Iterable[task_pb2.NonconformingSample],
) -> tuple[NonconformingSample, ...]:
    # The last report of a sample counts: one statement cannot write a row twice.
    by_name = {
        (message.data_path, message.file): NonconformingSample(
            data_path=text(message.data_path, 1024),
            file=text(message.file, 1024),
            sha256=text(message.sha256, 64),
            reason=text(message.reason, 64),
            message=text(message.message, 1024),
            width=message.width,
            height=message.height,
            message_zh=text(message.message_zh, 1024),
        )
        for message in messages
    }
    return tuple(by_name.values())


def _checkpoint_of(message: job_pb2.Checkpoint) -> Checkpoint:
    return Checkpoint(
        sha256(message.sha256, "checkpoint.sha256"),
        tasks.network_of(message.network),
        message.next_iteration,
    )


# To the wire.


def answer(value: ReportAnswer) -> job_service_pb2.ReportJobResponse:
    """The answer to a heartbeat."""
    return job_service_pb2.ReportJobResponse(
        lease_expire_time=timestamp(value.lease_expire_time),
        cancel_requested=value.cancel_requested,
        release_requested=value.release_requested,
        positions=[_position(network, position) for network, position in value.positions.items()],
    )


def _position(network: Network, position: CurvePosition) -> job_pb2.Position:
    return job_pb2.Position(
        network=tasks.network(network),
        next_iteration=position.next_iteration,
        next_line=position.next_line,
    )


def lease(value: Lease) -> job_pb2.JobLease:
    """A granted job with everything that its worker needs."""
    job, task = value.job, value.task
    message = job_pb2.JobLease(
        job=job.name,
        task=task.name,
        attempt=job.attempt,
        fencing_token=job.fencing_token,
        duration=duration(value.duration_s),
        kind=job_pb2.JobKind.Value(f"JOB_KIND_{job.kind}"),
        recoveries=job.recoveries,
    )
    match task.spec:
        case PredictionSpec():
            message.predict.CopyFrom(_predict(task.spec))
        case ExportSpec():
            message.package.CopyFrom(_package(task.spec))
        case TrainingSpec() if job.kind is JobKind.EVALUATE:
            message.evaluate.CopyFrom(_evaluate(task, task.spec))
        case TrainingSpec():
            message.train.CopyFrom(_train(task, task.spec, job.checkpoint))
    return message


def _train(task: Task, spec: TrainingSpec, resume: Checkpoint | None) -> job_pb2.TrainWork:
    return job_pb2.TrainWork(
        manifests=_manifests(spec.pinned),
        code_list=spec.code_list,
        num_of_classes=spec.num_of_classes,
        classification_network=spec.classification_network,
        input=input_messages.to_message(spec.input),
        training_params=struct(spec.training_params),
        preprocessing=tasks.preprocessing(spec.preprocessing),
        seed=spec.seed,
        train_segmentation=spec.train_segmentation,
        warm_start_weights_sha256=spec.warm_start_weights_sha256,
        resume=_checkpoint(resume) if resume is not None else None,
        origin={
            "algorithm_image_version": spec.algorithm_image_version,
            "model_name": spec.model_name,
            "task": task.name,
            "parent_version": spec.parent_version,
        },
        prior_split_sha256=spec.prior_split_sha256,
    )


def _evaluate(task: Task, spec: TrainingSpec) -> job_pb2.EvaluateWork:
    return job_pb2.EvaluateWork(
        weights_sha256=task.weights_sha256,
        split_sha256=task.split_sha256,
        manifests=_manifests(spec.pinned),
        batch_size=min(int(spec.training_params["classification"]["batch_size"]), _MAX_EVALUATION_BATCH),
        code_list=spec.code_list,
        num_of_classes=spec.num_of_classes,
        looks=look_messages.to_message(task.looks),
    )


def _predict(spec: PredictionSpec) -> job_pb2.PredictWork:
    return job_pb2.PredictWork(
        weights_sha256=spec.weights_sha256,
        manifests=_manifests(spec.pinned),
        batch_size=spec.batch_size,
        confidence_threshold=spec.confidence_threshold,
        filter_resolution=spec.filter_resolution,
        code_list=spec.code_list,
        num_of_classes=spec.num_of_classes,
        model_version=spec.model_version,
        classification_only=spec.classification_only,
        training_overlap=tasks.training_overlap(spec.training_overlap),
        question_bank=spec.question_bank,
        excluded_sample_count=spec.excluded_sample_count,
        training_task=spec.training_task,
    )


def _package(spec: ExportSpec) -> job_pb2.PackageWork:
    return job_pb2.PackageWork(
        weights_sha256=spec.weights_sha256,
        model_version=spec.model_version,
        format=tasks.format_out(spec.format),
    )


def _manifests(pinned: Iterable[PinnedPath]) -> list[job_pb2.Manifest]:
    return [job_pb2.Manifest(data_path=one.data_path, sha256=one.sha256) for one in pinned]


def _checkpoint(value: Checkpoint) -> job_pb2.Checkpoint:
    return job_pb2.Checkpoint(
        sha256=value.sha256,
        next_iteration=value.next_iteration,
        network=tasks.network(value.network),
    )
