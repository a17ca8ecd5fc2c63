"""Domain values as columns and back, most of them as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from services.input_specification import InputSpecification
from services.scheduler.domain.job import Checkpoint, Network
from services.scheduler.domain.progress import Progress, Stage, StageName, StageState
from services.scheduler.domain.spec import (
    Augmentation,
    ExportSpec,
    PackageFormat,
    PinnedPath,
    PredictionSpec,
    Preprocessing,
    Spec,
    TrainingOverlap,
    TrainingSpec,
)
from services.scheduler.domain.task import Failure, TaskKind

NETWORK_NUMBERS: Mapping[Network, int] = {Network.CLASSIFICATION: 1, Network.SEGMENTATION: 2}
NETWORKS: Mapping[int, Network] = {number: network for network, number in NETWORK_NUMBERS.items()}


def checkpoint_of(row: Any) -> Checkpoint | None:  # noqa: ANN401 -- of any query with these columns of `jobs`
    """The checkpoint of a job, if it has one."""
    if row.checkpoint_sha256 is None:
        return None
    return Checkpoint(row.checkpoint_sha256, NETWORKS[row.checkpoint_network], row.checkpoint_iteration)


def spec_to_json(spec: Spec) -> dict[str, Any]:
    """The spec for `spec_from_json`."""
    return asdict(spec)


def spec_from_json(kind: TaskKind, value: Mapping[str, Any]) -> Spec:
    """The spec of `spec_to_json`."""
    if kind is TaskKind.EXPORT:
        return ExportSpec(**{**value, "format": PackageFormat(value["format"])})
    common = {
        **value,
        "data_paths": tuple(value["data_paths"]),
        "code_list": tuple(value["code_list"]),
        "pinned": tuple(PinnedPath(**pinned) for pinned in value["pinned"]),
    }
    if kind is TaskKind.PREDICTION:
        return PredictionSpec(
            **{**common, "training_overlap": overlap_from_json(value.get("training_overlap"))}
        )
    preprocessing = value["preprocessing"]
    return TrainingSpec(
        **{
            **common,
            "preprocessing": Preprocessing(
                preprocessing["train_fraction"],
                preprocessing["filter_resolution"],
                tuple(Augmentation(name) for name in preprocessing["augmentations"]),
            ),
            "input": InputSpecification.from_json(value["input"]),
        }
    )


def overlap_from_json(value: Mapping[str, Any] | None) -> TrainingOverlap | None:
    """The overlap of a prediction's spec; None for predictions from before overlaps were measured."""
    return None if value is None else TrainingOverlap(**value)


def progress_to_json(progress: Progress | None) -> dict[str, Any] | None:
    """The progress for `progress_from_json`."""
    return None if progress is None else asdict(progress)


def progress_from_json(value: Mapping[str, Any] | None) -> Progress | None:
    """The progress of `progress_to_json`."""
    return None if value is None else Progress(**value)


def stages_to_json(stages: tuple[Stage, ...]) -> list[dict[str, Any]]:
    """The stages for `stages_from_json`."""
    return [asdict(stage) for stage in stages]


def stages_from_json(value: list[Mapping[str, Any]]) -> tuple[Stage, ...]:
    """The stages of `stages_to_json`."""
    return tuple(
        Stage(**{**stage, "name": StageName(stage["name"]), "state": StageState(stage["state"])})
        for stage in value
    )


def failure_to_json(failure: Failure | None) -> dict[str, Any] | None:
    """The failure for `failure_from_json`."""
    return None if failure is None else asdict(failure)


def failure_from_json(value: Mapping[str, Any] | None) -> Failure | None:
    """The failure of `failure_to_json`."""
    return None if value is None else Failure(**value)
