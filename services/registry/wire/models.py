"""Models, versions and their events as messages."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC

from loupe.errors import InvalidArgument
from loupe.events.v1 import events_pb2
from loupe.registry.v1 import model_pb2 as pb

from services import input_messages, look_messages
from services.registry.domain.models import Model, ModelVersion, Package, PackageFormat, Release
from services.registry.domain.overlap import TrainingOverlap
from services.registry.wire import names
from services.registry.wire.images import environment_name, task_type_in, task_type_out
from services.registry.wire.values import json_object, struct, timestamp, with_etag

TASK_STATE_SUBJECTS = "loupe.tasks.*.state"


def model_out(value: Model) -> pb.Model:
    """As a message."""
    return pb.Model(
        name=names.MODEL.make(value.id),
        production_environment=environment_name(value.production_environment),
        task_type=task_type_out(value.task_type),
        latest_version="" if value.latest is None else names.model_version(value.id, value.latest),
        last_modifier=value.last_modifier,
        create_time=timestamp(value.create_time),
        update_time=timestamp(value.update_time),
    )


def release_in(parent: str, message: pb.ModelVersion) -> Release:
    """What a released task hands over."""
    return Release(
        model=names.parse_one(names.MODEL, parent, "parent"),
        major=message.major,
        task=message.task,
        algorithm_image_version=message.algorithm_image_version,
        weights_sha256=message.weights_sha256,
        code_list=tuple(message.code_list),
        num_of_classes=message.num_of_classes,
        input=input_messages.from_message(message.input),
        task_type=task_type_in(message.task_type),
        parent_version=message.parent_version,
        snapshots=tuple(message.snapshots),
        model_params=json_object(message.model_params),
        training_params=json_object(message.training_params),
        preprocessing_params=json_object(message.preprocessing_params),
        seed=message.seed,
        report=message.report,
        releaser=message.releaser,
        production_environment=names.parse_optional(
            names.ENVIRONMENT, message.production_environment, "version.production_environment"
        ),
        looks=look_messages.from_message(message),
    )


def version_out(value: ModelVersion) -> pb.ModelVersion:
    """As a message."""
    release = value.release
    return with_etag(
        pb.ModelVersion(
            name=names.model_version(release.model, value.number),
            major=value.number.major,
            release_number=value.number.release_number,
            task=release.task,
            algorithm_image_version=release.algorithm_image_version,
            parent_version=release.parent_version,
            weights_sha256=release.weights_sha256,
            snapshots=release.snapshots,
            code_list=release.code_list,
            num_of_classes=release.num_of_classes,
            input=input_messages.to_message(release.input),
            model_params=struct(release.model_params),
            training_params=struct(release.training_params),
            preprocessing_params=struct(release.preprocessing_params),
            seed=release.seed,
            report=release.report,
            releaser=release.releaser,
            create_time=timestamp(value.create_time),
            archived=value.archived,
            aliases=value.aliases,
            production_environment=environment_name(release.production_environment),
            task_type=task_type_out(release.task_type),
            packages=[package_out(package) for package in value.packages],
            looks=look_messages.to_message(release.looks),
        )
    )


def format_in(number: int) -> PackageFormat:
    """A format; who names none means the package of the inspection machines (X1)."""
    if number == pb.PACKAGE_FORMAT_UNSPECIFIED:
        return PackageFormat.CSOT_ARTIFACT
    for one in PackageFormat:
        if pb.PackageFormat.Value(f"PACKAGE_FORMAT_{one}") == number:
            return one
    raise InvalidArgument(f"format {number} is none that is known here", reason="BAD_ENUM", field="format")


def package_in(message: pb.Package) -> Package:
    """The stored package; the registry sets its time."""
    return Package(
        format=format_in(message.format),
        sha256=message.sha256,
        size_bytes=message.size_bytes,
        create_time=message.create_time.ToDatetime(tzinfo=UTC),
        abi_version=message.abi_version,
        format_version=message.format_version,
    )


def package_out(value: Package) -> pb.Package:
    """As a message."""
    return pb.Package(
        format=pb.PackageFormat.Value(f"PACKAGE_FORMAT_{value.format}"),
        sha256=value.sha256,
        size_bytes=value.size_bytes,
        create_time=timestamp(value.create_time),
        abi_version=value.abi_version,
        format_version=value.format_version,
    )


def overlap_out(value: TrainingOverlap) -> pb.TrainingOverlap:
    """As a message."""
    return pb.TrainingOverlap(**asdict(value))


def release_ordered(event: events_pb2.TaskStateChanged) -> Release | None:
    """The release that a task's event orders, if it orders one."""
    if not event.HasField("release"):
        return None
    return release_in(event.release.parent, event.release.version)


def released(value: ModelVersion) -> tuple[str, events_pb2.ModelVersionReleased]:
    """The subject and the event of a new version."""
    return (
        f"loupe.models.{value.release.model}.released",
        events_pb2.ModelVersionReleased(version=version_out(value)),
    )


def signing_keys_out(keys: Mapping[str, str]) -> pb.SigningKeys:
    """PEM texts by fingerprint, the newest last."""
    return pb.SigningKeys(
        keys=[pb.SigningKey(fingerprint=name, public_key=pem) for name, pem in reversed(list(keys.items()))]
    )


def packaged(version: ModelVersion, package: Package) -> tuple[str, events_pb2.ModelVersionPackaged]:
    """The subject and the event of a new package."""
    model = version.release.model
    return (
        f"loupe.models.{model}.packaged",
        events_pb2.ModelVersionPackaged(
            model_version=names.model_version(model, version.number), package=package_out(package)
        ),
    )
