"""What a training task was submitted with, where a test does not care."""

from dataclasses import replace
from typing import Any

from services.input_specification import InputSpecification
from services.scheduler.domain.spec import Preprocessing, TrainingSpec

_ANY = TrainingSpec(
    model_name="m",
    algorithm_image_version="algorithmImages/i/versions/v3.0",
    production_environment="productionEnvironments/e",
    data_paths=("datasets/d/paths/p",),
    compute_resource="computeResources/cpu",
    model_params_json="",
    training_params_json="",
    preprocessing=Preprocessing(),
    train_segmentation=False,
    seed=1,
    parent_version="",
    warm_start=False,
    acknowledge_missing_training_paths=False,
    segmentation_image=False,
    target_major=3,
    input=InputSpecification(128, 128),
    classification_network="ResNet18",
    code_list=("A", "B"),
    num_of_classes=2,
    training_params={},
)


def training_spec(**changes: Any) -> TrainingSpec:
    """A whole submission, with changes."""
    return replace(_ANY, **changes)
