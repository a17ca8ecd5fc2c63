"""Tasks as messages, and the enums that other messages share with them."""

from dataclasses import asdict

from loupe.registry.v1 import model_pb2
from loupe.scheduler.v1 import task_pb2

from services import look_messages
from services.scheduler.domain.job import Network
from services.scheduler.domain.listing import ListedTask, TaskView
from services.scheduler.domain.progress import Phase, Progress, Stage, overall_fraction
from services.scheduler.domain.queue import QueuePosition
from services.scheduler.domain.spec import (
    ExportSpec,
    PackageFormat,
    PredictionSpec,
    Preprocessing,
    TrainingOverlap,
    TrainingSpec,
)
from services.scheduler.domain.task import FINAL, Failure, Task, TaskHead, TaskKind, TaskState, TaskTransition
from services.scheduler.domain.work import NonconformingSample
from services.scheduler.wire.values import duration, enum_of, struct, text, timestamp
from services.scheduler.wire.wait_reason import wait_reason

_MAX_FAILURE_CHARACTERS = 65_536


def package_format(number: int) -> PackageFormat:
    """A package format; by default that of the inspection machines (X1)."""
    if number == model_pb2.PACKAGE_FORMAT_UNSPECIFIED:
        return PackageFormat.CSOT_ARTIFACT
    return enum_of(PackageFormat, model_pb2.PackageFormat, "PACKAGE_FORMAT_", number, "format")


def network_or_classification(number: int) -> Network:
    """The requested network; by default the classification network, which every training has."""
    if number == task_pb2.NETWORK_UNSPECIFIED:
        return Network.CLASSIFICATION
    return network_of(number)


def network_of(number: int) -> Network:
    """A network, or InvalidArgument."""
    return enum_of(Network, task_pb2.Network, "NETWORK_", number, "network")


def failure_of(message: task_pb2.Failure) -> Failure:
    """Why a job failed."""
    return Failure(
        text(message.code, 64) or "UNKNOWN",
        text(message.message, _MAX_FAILURE_CHARACTERS),
        text(message.message_zh, _MAX_FAILURE_CHARACTERS),
        text(message.log_tail, _MAX_FAILURE_CHARACTERS),
    )


def task(view: TaskView[Task]) -> task_pb2.Task:
    """A task as users see it."""
    value = view.task
    message = _head(value, view.position, value.spec.compute_resource)
    message.weights_sha256 = value.weights_sha256
    message.stages.extend([stage(one) for one in value.stages])
    match value.spec:
        case TrainingSpec():
            message.training.CopyFrom(training(value.spec))
            if (looks := look_messages.to_message(value.looks)) is not None:
                message.looks.CopyFrom(looks)
        case PredictionSpec():
            message.prediction.CopyFrom(_prediction(value.spec))
        case ExportSpec():
            message.export.CopyFrom(
                _export(value.spec.model_version, value.spec.format, value.spec.compute_resource)
            )
    return message


def listed_task(view: TaskView[ListedTask]) -> task_pb2.Task:
    """A task of a list (T3)."""
    spec = view.task.spec
    message = _head(view.task, view.position, spec.compute_resource)
    if view.task.kind is TaskKind.TRAINING:
        head = message.training
        head.model_name = spec.model_name
        head.algorithm_image_version = spec.algorithm_image_version
        head.production_environment = spec.production_environment
        head.compute_resource = spec.compute_resource
        head.train_segmentation = spec.train_segmentation
        head.parent_version = spec.parent_version
        head.target_major = spec.target_major
    elif spec.format:
        message.export.CopyFrom(_export(spec.tried_version, spec.format, spec.compute_resource))
    else:
        is_training = spec.tried_version.startswith("tasks/")
        message.prediction.CopyFrom(
            task_pb2.PredictionSpec(
                model_version="" if is_training else spec.tried_version,
                training_task=spec.tried_version if is_training else "",
                model=spec.model_name,
                compute_resource=spec.compute_resource,
                training_overlap=training_overlap(spec.training_overlap),
                question_bank=spec.question_bank,
                excluded_sample_count=spec.excluded_sample_count,
            )
        )
    return message


def _head(value: TaskHead, position: QueuePosition | None, compute_resource: str) -> task_pb2.Task:
    return task_pb2.Task(
        name=value.name,
        state=_state(value.state),
        terminating=value.terminating,
        terminator=value.terminator,
        creator=value.creator,
        create_time=timestamp(value.create_time),
        start_time=timestamp(value.start_time),
        end_time=timestamp(value.end_time),
        revision=value.revision,
        attempt=value.attempt,
        phase=phase(value.phase),
        progress=_progress(value),
        wait=wait_reason(value, position, compute_resource),
        failure=_failure(value.failure),
        report=value.report,
        model_version=value.model_version,
        recoveries=value.recoveries,
        priority=value.priority,
        etag=value.etag,
    )


def training(spec: TrainingSpec) -> task_pb2.TrainingSpec:
    """The spec of a training, with what it resolved to."""
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
        question_bank=spec.question_bank,
        exclude_training_overlap=spec.exclude_training_overlap,
        excluded_sample_count=spec.excluded_sample_count,
        training_task=spec.training_task,
        model=spec.model_name,
    )


def training_overlap(value: TrainingOverlap | None) -> model_pb2.TrainingOverlap | None:
    """How much of the data was trained with; None if it was not measured."""
    return None if value is None else model_pb2.TrainingOverlap(**asdict(value))


def _export(version: str, package_format: PackageFormat, compute_resource: str) -> task_pb2.ExportSpec:
    return task_pb2.ExportSpec(
        model_version=version, format=format_out(package_format), compute_resource=compute_resource
    )


def format_out(value: PackageFormat) -> model_pb2.PackageFormat.ValueType:
    """A package format."""
    return model_pb2.PackageFormat.Value(f"PACKAGE_FORMAT_{value}")


def preprocessing(value: Preprocessing) -> task_pb2.PreprocessingParams:
    """Preprocessing parameters (W10)."""
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


def _failure(value: Failure | None) -> task_pb2.Failure | None:
    if value is None:
        return None
    return task_pb2.Failure(
        code=value.code,
        message=value.message,
        message_zh=value.message_zh,
        log_tail=value.log_tail,
        remedy=value.remedy.english,
        remedy_zh=value.remedy.chinese,
    )


def transition(value: TaskTransition) -> task_pb2.TaskTransition:
    """One change of a task's state, or a request to terminate it."""
    return task_pb2.TaskTransition(
        task=f"tasks/{value.task}",
        revision=value.revision,
        to=_state(value.to_state),
        time=timestamp(value.time),
        cause=value.cause,
        attempt=value.attempt,
        termination_requested=value.is_termination_request,
        # `from` is a keyword of Python.
        **{"from": _state(value.from_state)},
    )


def _state(value: TaskState | None) -> task_pb2.TaskState.ValueType:
    return task_pb2.TaskState.Value(f"TASK_STATE_{value}") if value else task_pb2.TASK_STATE_UNSPECIFIED


def nonconforming(value: NonconformingSample) -> task_pb2.NonconformingSample:
    """A nonconforming sample."""
    return task_pb2.NonconformingSample(
        file=value.file,
        data_path=value.data_path,
        sha256=value.sha256,
        reason=value.reason,
        message=value.message,
        width=value.width,
        height=value.height,
        message_zh=value.message_zh,
    )
