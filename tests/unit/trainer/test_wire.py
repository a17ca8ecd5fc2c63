"""The contract's TrainWork as the order that the child reads."""

import json

from loupe.scheduler.v1 import job_pb2, task_pb2

from services.trainer import wire
from services.worker.values import Network


def test_an_order_says_what_the_image_version_says() -> None:
    """A float32 of the contract is not 0.485; the weights' certificate should be."""
    work = job_pb2.TrainWork(
        code_list=["A", "B"],
        num_of_classes=2,
        classification_network="ResNet18",
        input=job_pb2.WorkInput(width=64, height=64, channels=3, mean=[0.485, 0.456, 0.406], min_side=16),
        preprocessing=task_pb2.PreprocessingParams(
            augmentations=[task_pb2.AUGMENTATION_FLIP, task_pb2.AUGMENTATION_COLOUR]
        ),
        warm_start_weights_sha256="ab",
    )
    work.training_params.update({"classification": {"base_lr": 0.01, "max_iter": 100}})
    order = wire.train_work(work)
    assert order["input_specification"] == {
        "width": 64,
        "height": 64,
        "channels": 3,
        "mean": [0.485, 0.456, 0.406],
        "std": None,
        "normalisation": "fixed",
        "detail": None,
        "resolution": {"min_side_px": 16},
    }
    assert order["preprocessing"]["train_fraction"] == 0.8
    assert order["preprocessing"]["augmentations"] == ["flip", "colour"]
    assert order["resume"] is None
    assert order["warm_start_weights_key"] == "weights/ab.safetensors"
    assert wire.max_iterations(work) == {Network.CLASSIFICATION: 100}
    json.dumps(order)


def test_a_resumed_training_names_its_checkpoint() -> None:
    """T5."""
    work = job_pb2.TrainWork(resume=job_pb2.Checkpoint(sha256="cd", next_iteration=50))
    assert wire.train_work(work)["resume"] == {
        "checkpoint_key": "checkpoints/cd.safetensors",
        "iteration": 50,
    }
