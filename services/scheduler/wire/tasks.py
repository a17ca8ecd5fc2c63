"""Tasks on the wire."""

from dataclasses import asdict

import numpy as np
from loupe.errors import InvalidArgument, Violation
from loupe.registry.v1 import model_pb2
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from services.scheduler.curves import Curve
from services.scheduler.domain.job import Network
from services.scheduler.domain.listing import ListedTask, TaskFilter, TaskView
from services.scheduler.domain.loss import LogNews, LossNews
from services.scheduler.domain.progress import Phase, Progress, Stage, overall_fraction
from services.scheduler.domain.queue import QueuePlace, WaitCause, wait_cause
from services.scheduler.domain.spec import (
    Augmentation,
    ExportSpec,
    PackageFormat,
    PredictionRequest,
    PredictionSpec,
    Preprocessing,
    TrainingOverlap,
    TrainingRequest,
    TrainingSpec,
)
from services.scheduler.domain.task import FINAL, Failure, Task, TaskHead, TaskKind, TaskState, TaskTransition
from services.scheduler.domain.wizard import ACKNOWLEDGED_WITH
from services.scheduler.domain.work import NonconformingSample
from services.scheduler.wire.values import duration, enum_of, enum_or_none, struct, text, timestamp

_MAX_FAILURE_CHARACTERS = 65_536


# From the wire.


def request(message: task_pb2.Task) -> TrainingRequest | PredictionRequest:
    """What a user asks for; InvalidArgument if it is neither a training nor a prediction."""
    match message.WhichOneof("spec"):
        case "training":
            return _training_request(message.training, message.priority)
        case "prediction":
            spec = message.prediction
            return PredictionRequest(
                model_version=spec.model_version,
                data_paths=tuple(spec.data_paths),
                compute_resource=spec.compute_resource,
                batch_size=spec.batch_size,
                confidence_threshold=spec.confidence_threshold,
                filter_resolution=spec.filter_resolution,
                classification_only=spec.classification_only,
                acknowledge_training_overlap=spec.acknowledge_training_overlap,
                priority=message.priority,
            )
        case "export":
            raise InvalidArgument(
                "an export is not created; ExportModelVersion finds or makes the version's", reason="NO_SPEC"
            )
        case _:
            raise InvalidArgument(
                "task.training or task.prediction must say what is to be done", reason="NO_SPEC"
            )


def _training_request(spec: task_pb2.TrainingSpec, priority: int) -> TrainingRequest:
    return TrainingRequest(
        model_name=spec.model_name,
        algorithm_image_version=spec.algorithm_image_version,
        production_environment=spec.production_environment,
        data_paths=tuple(spec.data_paths),
        compute_resource=spec.compute_resource,
        model_params_json=spec.model_params_json.replace("\x00", "\ufffd"),
        training_params_json=spec.training_params_json.replace("\x00", "\ufffd"),
        train_fraction=spec.preprocessing.train_fraction
        if spec.preprocessing.HasField("train_fraction")
        else None,
        filter_resolution=spec.preprocessing.filter_resolution,
        augmentations=tuple(
            enum_or_none(Augmentation, task_pb2.Augmentation, "AUGMENTATION_", number) or str(number)
            for number in spec.preprocessing.augmentations
        ),
        train_segmentation=spec.train_segmentation,
        seed=spec.seed,
        parent_version=spec.parent_version,
        warm_start=spec.warm_start,
        acknowledge_missing_training_paths=spec.acknowledge_missing_training_paths,
        priority=priority,
    )


def task_filter(message: task_service_pb2.ListTasksRequest) -> TaskFilter:
    """Which tasks a list shows."""
    kind = None
    if message.kind != task_service_pb2.TASK_KIND_UNSPECIFIED:
        kind = enum_of(TaskKind, task_service_pb2.TaskKind, "TASK_KIND_", message.kind, "kind")
    return TaskFilter(
        states=tuple(
            enum_of(TaskState, task_pb2.TaskState, "TASK_STATE_", number, "states")
            for number in message.states
        ),
        model_name_contains=message.model_name_contains,
        creator=message.creator,
        production_environment=message.production_environment,
        kind=kind,
        tried_version=message.model_version,
    )


def package_format(number: int) -> PackageFormat:
    """A format; who names none means the package of the inspection machines (X1)."""
    if number == model_pb2.PACKAGE_FORMAT_UNSPECIFIED:
        return PackageFormat.CSOT_ARTIFACT
    return enum_of(PackageFormat, model_pb2.PackageFormat, "PACKAGE_FORMAT_", number, "format")


def network_or_classification(number: int) -> Network:
    """The network that a viewer asks for; who names none means the one that every task trains."""
    if number == task_pb2.NETWORK_UNSPECIFIED:
        return Network.CLASSIFICATION
    return network_of(number)


def network_of(number: int) -> Network:
    """A network, or InvalidArgument."""
    return enum_of(Network, task_pb2.Network, "NETWORK_", number, "network")


def failure_of(message: task_pb2.Failure) -> Failure:
    """Why a worker gave up."""
    return Failure(
        text(message.code, 64) or "UNKNOWN",
        text(message.message, _MAX_FAILURE_CHARACTERS),
        text(message.message_zh, _MAX_FAILURE_CHARACTERS),
        text(message.log_tail, _MAX_FAILURE_CHARACTERS),
    )


# To the wire.


def task(view: TaskView[Task]) -> task_pb2.Task:
    """A task as users see it."""
    value = view.task
    message = _head(value, view.place, value.spec.compute_resource)
    message.weights_sha256 = value.weights_sha256
    message.stages.extend([stage(one) for one in value.stages])
    match value.spec:
        case TrainingSpec():
            message.training.CopyFrom(_training(value.spec))
        case PredictionSpec():
            message.prediction.CopyFrom(_prediction(value.spec))
        case ExportSpec():
            message.export.CopyFrom(
                _export(value.spec.model_version, value.spec.format, value.spec.compute_resource)
            )
    return message


def listed_task(view: TaskView[ListedTask]) -> task_pb2.Task:
    """A task as one of many (T3)."""
    spec = view.task.spec
    message = _head(view.task, view.place, spec.compute_resource)
    if view.task.kind is TaskKind.TRAINING:
        training = message.training
        training.model_name = spec.model_name
        training.algorithm_image_version = spec.algorithm_image_version
        training.production_environment = spec.production_environment
        training.compute_resource = spec.compute_resource
        training.train_segmentation = spec.train_segmentation
        training.parent_version = spec.parent_version
        training.target_major = spec.target_major
    elif spec.format:
        message.export.CopyFrom(_export(spec.tried_version, spec.format, spec.compute_resource))
    else:
        message.prediction.CopyFrom(
            task_pb2.PredictionSpec(
                model_version=spec.tried_version,
                compute_resource=spec.compute_resource,
                training_overlap=training_overlap(spec.training_overlap),
            )
        )
    return message


def _head(value: TaskHead, place: QueuePlace | None, compute_resource: str) -> task_pb2.Task:
    return task_pb2.Task(
        name=value.name,
        state=_state(value.state),
        terminating=value.terminating,
        creator=value.creator,
        create_time=timestamp(value.create_time),
        start_time=timestamp(value.start_time),
        end_time=timestamp(value.end_time),
        revision=value.revision,
        attempt=value.attempt,
        phase=phase(value.phase),
        progress=_progress(value),
        wait=_wait(value, place, compute_resource),
        failure=_failure(value.failure),
        report=value.report,
        model_version=value.model_version,
        recoveries=value.recoveries,
        priority=value.priority,
        etag=value.etag,
    )


def _training(spec: TrainingSpec) -> task_pb2.TrainingSpec:
    return task_pb2.TrainingSpec(
        model_name=spec.model_name,
        algorithm_image_version=spec.algorithm_image_version,
        production_environment=spec.production_environment,
        data_paths=spec.data_paths,
        compute_resource=spec.compute_resource,
        model_params_json=spec.model_params_json,
        training_params_json=spec.training_params_json,
        preprocessing=preprocessing(spec.preprocessing),
        train_segmentation=spec.train_segmentation,
        seed=spec.seed,
        parent_version=spec.parent_version,
        warm_start=spec.warm_start,
        acknowledge_missing_training_paths=spec.acknowledge_missing_training_paths,
        snapshots=[pinned.snapshot for pinned in spec.pinned],
        model_params=struct(spec.model_params),
        training_params=struct(spec.training_params),
        target_major=spec.target_major,
    )


def _prediction(spec: PredictionSpec) -> task_pb2.PredictionSpec:
    return task_pb2.PredictionSpec(
        model_version=spec.model_version,
        data_paths=spec.data_paths,
        compute_resource=spec.compute_resource,
        batch_size=spec.batch_size,
        confidence_threshold=spec.confidence_threshold,
        filter_resolution=spec.filter_resolution,
        classification_only=spec.classification_only,
        acknowledge_training_overlap=spec.acknowledge_training_overlap,
        snapshots=[pinned.snapshot for pinned in spec.pinned],
        training_overlap=training_overlap(spec.training_overlap),
    )


def training_overlap(value: TrainingOverlap | None) -> model_pb2.TrainingOverlap | None:
    """How much of the data was trained with; None if nobody looked."""
    return None if value is None else model_pb2.TrainingOverlap(**asdict(value))


def _export(version: str, its: PackageFormat, compute_resource: str) -> task_pb2.ExportSpec:
    return task_pb2.ExportSpec(
        model_version=version, format=format_out(its), compute_resource=compute_resource
    )


def format_out(value: PackageFormat) -> model_pb2.PackageFormat.ValueType:
    """A format."""
    return model_pb2.PackageFormat.Value(f"PACKAGE_FORMAT_{value}")


def draft(value: TrainingRequest) -> task_pb2.TrainingSpec:
    """Answers to the wizard that nobody has submitted yet (W13)."""
    return task_pb2.TrainingSpec(
        model_name=value.model_name,
        algorithm_image_version=value.algorithm_image_version,
        production_environment=value.production_environment,
        data_paths=value.data_paths,
        compute_resource=value.compute_resource,
        model_params_json=value.model_params_json,
        training_params_json=value.training_params_json,
        preprocessing=task_pb2.PreprocessingParams(
            train_fraction=value.train_fraction,
            filter_resolution=value.filter_resolution,
            augmentations=[task_pb2.Augmentation.Value(f"AUGMENTATION_{one}") for one in value.augmentations],
        ),
        train_segmentation=value.train_segmentation,
        parent_version=value.parent_version,
        acknowledge_missing_training_paths=value.acknowledge_missing_training_paths,
    )


def preprocessing(value: Preprocessing) -> task_pb2.PreprocessingParams:
    """W10."""
    return task_pb2.PreprocessingParams(
        train_fraction=value.train_fraction,
        filter_resolution=value.filter_resolution,
        augmentations=[task_pb2.Augmentation.Value(f"AUGMENTATION_{one}") for one in value.augmentations],
    )


def _progress(value: TaskHead) -> task_pb2.Progress | None:
    if value.state in (TaskState.COMPLETED, TaskState.RELEASED):
        return task_pb2.Progress(fraction=1.0, overall_fraction=1.0)
    if value.phase is None:
        return None
    known = value.progress or Progress()
    running = value.state not in FINAL
    return task_pb2.Progress(
        fraction=known.fraction,
        iteration=known.iteration,
        max_iteration=known.max_iteration,
        images_per_s=known.images_per_s,
        learning_rate=known.learning_rate,
        remaining=duration(known.remaining_s) if running else None,
        remaining_low=duration(known.remaining_low_s) if running else None,
        remaining_high=duration(known.remaining_high_s) if running else None,
        overall_fraction=overall_fraction(value.phase, known.fraction),
    )


def stage(value: Stage) -> task_pb2.Stage:
    """One preprocessing stage (M1)."""
    return task_pb2.Stage(
        name=task_pb2.StageName.Value(f"STAGE_NAME_{value.name}"),
        state=task_pb2.StageState.Value(f"STAGE_STATE_{value.state}"),
        duration=duration(value.duration_s),
        sample_count=value.sample_count,
        nonconforming_count=value.nonconforming_count,
        train_count=value.train_count,
        validation_count=value.validation_count,
        contact_sheet_sha256=value.contact_sheet_sha256,
    )


def phase(value: Phase | None) -> task_pb2.Phase.ValueType:
    """Where inside TRAINING, PREDICTING or PACKAGING a task is."""
    return task_pb2.Phase.Value(f"PHASE_{value}") if value else task_pb2.PHASE_UNSPECIFIED


def network(value: Network) -> task_pb2.Network.ValueType:
    """A network."""
    return task_pb2.Network.Value(f"NETWORK_{value}")


def _wait(value: TaskHead, place: QueuePlace | None, resource: str) -> task_pb2.WaitReason | None:
    """T4, T5."""
    if place is None:
        return None
    cause = wait_cause(
        served=place.served,
        fits=place.fits,
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
            message = f"all workers with {resource} are busy; position {place.position} in the queue"
            message_zh = f"所有提供 {resource} 的节点都在忙，排队位置：{place.position}"
    return task_pb2.WaitReason(
        reason=cause,
        message=message,
        message_zh=message_zh,
        queue_position=place.position,
        since=timestamp(place.since),
    )


def _failure(value: Failure | None) -> task_pb2.Failure | None:
    if value is None:
        return None
    return task_pb2.Failure(
        code=value.code, message=value.message, message_zh=value.message_zh, log_tail=value.log_tail
    )


def transition(value: TaskTransition) -> task_pb2.TaskTransition:
    """One change of state."""
    return task_pb2.TaskTransition(
        task=f"tasks/{value.task}",
        revision=value.revision,
        to=_state(value.to_state),
        time=timestamp(value.time),
        cause=value.cause,
        attempt=value.attempt,
        # `from` is a word of Python.
        **{"from": _state(value.from_state)},
    )


def _state(value: TaskState | None) -> task_pb2.TaskState.ValueType:
    return task_pb2.TaskState.Value(f"TASK_STATE_{value}") if value else task_pb2.TASK_STATE_UNSPECIFIED


def finding(value: Violation) -> task_service_pb2.ValidateTaskResponse.Finding:
    """A fault or a warning of the wizard."""
    acknowledge_with = ACKNOWLEDGED_WITH.get(value.reason, "")
    return task_service_pb2.ValidateTaskResponse.Finding(
        field=value.field,
        reason=value.reason,
        message=value.message,
        message_zh=value.message_zh,
        warning=value.severity == "warning" or bool(acknowledge_with),
        acknowledge_with=acknowledge_with,
    )


def curve(task_id: str, of: Network, value: Curve) -> task_service_pb2.LossCurve:
    """A curve to plot."""
    return task_service_pb2.LossCurve(
        task=f"tasks/{task_id}",
        network=network(of),
        attempt=value.attempt,
        iterations=value.iterations.tolist(),
        losses=value.losses.tolist(),
        total_points=value.total_points,
        validation=_validation(value.validation),
    )


def loss_news(value: LossNews) -> task_service_pb2.WatchLossResponse:
    """New points."""
    return task_service_pb2.WatchLossResponse(
        first_iteration=value.first_iteration,
        losses=np.frombuffer(value.packed, dtype="<f4").tolist(),
        cursor=str(value.cursor),
        attempt=value.cursor.attempt,
        step_time=timestamp(value.step_time),
        validation=_validation(value.validation),
    )


def log_news(value: LogNews) -> task_service_pb2.ReadLogResponse:
    """New lines."""
    return task_service_pb2.ReadLogResponse(lines=value.lines, cursor=str(value.next_line))


def _validation(points: list[tuple[int, float]]) -> list[task_pb2.ValidationPoint]:
    return [task_pb2.ValidationPoint(iteration=i, accuracy=accuracy) for i, accuracy in points]


def nonconforming(value: NonconformingSample) -> task_pb2.NonconformingSample:
    """A sample that was set aside."""
    return task_pb2.NonconformingSample(
        file=value.file,
        data_path=value.data_path,
        sha256=value.sha256,
        reason=value.reason,
        message=value.message,
        width=value.width,
        height=value.height,
    )
