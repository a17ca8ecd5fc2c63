"""Algorithm images as messages."""

from loupe.registry.v1 import algorithm_image_pb2 as pb

from services import input_messages
from services.registry.domain.images import (
    AlgorithmImage,
    AlgorithmImageVersion,
    ImageKind,
    ImageVersionNumber,
    TaskType,
)
from services.registry.wire import names
from services.registry.wire.values import json_object, struct, timestamp

_KINDS = {ImageKind.GENERAL: pb.IMAGE_KIND_GENERAL, ImageKind.BUSINESS: pb.IMAGE_KIND_BUSINESS}
_TASK_TYPES = {
    TaskType.CLASSIFICATION: pb.TASK_TYPE_CLASSIFICATION,
    TaskType.SEGMENTATION_CLASSIFICATION: pb.TASK_TYPE_SEGMENTATION_CLASSIFICATION,
}


def kind_in(number: int) -> ImageKind | None:
    """The kind, None if none was given."""
    return next((kind for kind, value in _KINDS.items() if value == number), None)


def task_type_in(number: int) -> TaskType | None:
    """The task type, None if none was given."""
    return next((kind for kind, value in _TASK_TYPES.items() if value == number), None)


def task_type_out(value: TaskType | None) -> pb.TaskType.ValueType:
    """As the contract's."""
    return pb.TASK_TYPE_UNSPECIFIED if value is None else _TASK_TYPES[value]


def image_in(image_id: str, message: pb.AlgorithmImage) -> AlgorithmImage:
    """What a request describes."""
    return AlgorithmImage(
        id=image_id,
        kind=kind_in(message.kind),
        task_type=task_type_in(message.task_type),
        display_name=message.display_name,
        description=message.description,
        production_environment=names.parse_optional(
            names.ENVIRONMENT, message.production_environment, "algorithm_image.production_environment"
        ),
    )


def image_out(value: AlgorithmImage) -> pb.AlgorithmImage:
    """As a message."""
    return pb.AlgorithmImage(
        name=names.IMAGE.make(value.id),
        display_name=value.display_name,
        description=value.description,
        kind=pb.IMAGE_KIND_UNSPECIFIED if value.kind is None else _KINDS[value.kind],
        task_type=task_type_out(value.task_type),
        production_environment=environment_name(value.production_environment),
        latest_version="" if value.latest is None else names.image_version(value.id, value.latest),
        create_time=timestamp(value.create_time),
    )


def version_in(image: str, message: pb.AlgorithmImageVersion) -> AlgorithmImageVersion:
    """What a request describes."""
    for index, path in enumerate(message.training_paths):
        names.parse_data_path(path, f"version.training_paths[{index}]")
    return AlgorithmImageVersion(
        image=image,
        number=ImageVersionNumber(message.major, message.minor),
        input=input_messages.from_message(message.input),
        classification_networks=tuple(message.classification_networks),
        default_model_params=json_object(message.default_model_params),
        default_training_params=json_object(message.default_training_params),
        training_paths=tuple(message.training_paths),
        description=message.description,
    )


def version_out(value: AlgorithmImageVersion) -> pb.AlgorithmImageVersion:
    """As a message."""
    return pb.AlgorithmImageVersion(
        name=names.image_version(value.image, value.number),
        major=value.number.major,
        minor=value.number.minor,
        description=value.description,
        classification_networks=value.classification_networks,
        input=input_messages.to_message(value.input),
        default_model_params=struct(value.default_model_params),
        default_training_params=struct(value.default_training_params),
        training_paths=value.training_paths,
        create_time=timestamp(value.create_time),
    )


def environment_name(environment: str | None) -> str:
    """The name of an environment, empty if there is none."""
    return "" if environment is None else names.ENVIRONMENT.make(environment)
