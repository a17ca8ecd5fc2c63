"""Requests of TaskService as domain values, and what the wizard answers."""

from loupe.errors import InvalidArgument, Violation
from loupe.scheduler.v1 import task_pb2, task_service_pb2
from loupe.translation import sentence

from services.scheduler.domain.listing import TaskFilter
from services.scheduler.domain.spec import Augmentation, PredictionRequest, TrainingRequest
from services.scheduler.domain.task import TaskKind, TaskState
from services.scheduler.domain.wizard.findings import ACKNOWLEDGED_WITH
from services.scheduler.wire.values import enum_of, enum_or_none

# What the contract calls output only, and what a request sets in its place, if there is something.
OUTPUT_ONLY = {
    "snapshots": "",
    "model_params": "model_params_json",
    "training_params": "training_params_json",
    "target_major": "",
    "training_overlap": "",
    "excluded_sample_count": "",
    "model": "",
}


def request(message: task_pb2.Task) -> TrainingRequest | PredictionRequest:
    """The request in a task message.

    InvalidArgument if it is neither a training nor a prediction, or sets what only the server sets.
    """
    match message.WhichOneof("spec"):
        case "training":
            refuse_output_only(message.training)
            return _training_request(message.training, message.priority)
        case "prediction":
            spec = message.prediction
            refuse_output_only(spec)
            return PredictionRequest(
                model_version=spec.model_version,
                training_task=spec.training_task,
                data_paths=tuple(spec.data_paths),
                compute_resource=spec.compute_resource,
                batch_size=spec.batch_size,
                confidence_threshold=spec.confidence_threshold,
                filter_resolution=spec.filter_resolution,
                classification_only=spec.classification_only,
                acknowledge_training_overlap=spec.acknowledge_training_overlap,
                question_bank=spec.question_bank,
                exclude_training_overlap=spec.exclude_training_overlap,
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


def refuse_output_only(spec: task_pb2.TrainingSpec | task_pb2.PredictionSpec) -> None:
    """What is ignored would be taken for accepted, and other parameters trained than were sent."""
    given = [field.name for field, _ in spec.ListFields() if field.name in OUTPUT_ONLY]
    if given:
        raise InvalidArgument.of(*(_output_only(name, OUTPUT_ONLY[name]) for name in given))


def _output_only(name: str, instead: str) -> Violation:
    if instead:
        told = sentence("{name} is output only; give {instead}, a text, instead", name=name, instead=instead)
    else:
        told = sentence("{name} is output only: the server sets it; leave it out", name=name)
    return Violation(name, "OUTPUT_ONLY", told)


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


def draft(value: TrainingRequest) -> task_pb2.TrainingSpec:
    """Answers of the wizard that are not submitted yet (W13)."""
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


def finding(value: Violation, step: int) -> task_service_pb2.ValidateTaskResponse.Finding:
    """A fault or a warning of a step of the wizard."""
    acknowledge_with = ACKNOWLEDGED_WITH.get(value.reason, "")
    return task_service_pb2.ValidateTaskResponse.Finding(
        field=value.field,
        reason=value.reason,
        message=value.message,
        message_zh=value.message_zh,
        warning=value.severity == "warning" or bool(acknowledge_with),
        acknowledge_with=acknowledge_with,
        step=step,
    )
