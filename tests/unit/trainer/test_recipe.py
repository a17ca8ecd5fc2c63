"""A train order as the recipe that the trainer follows."""

import pytest
from google.protobuf import json_format
from loupe.registry.v1 import algorithm_image_pb2
from loupe.scheduler.v1 import job_pb2, task_pb2
from loupe.worker.v1 import order_pb2

from services.input_specification import InputSpecification
from services.trainer.training.recipe import TrainingRecipe
from services.vision.faults import UserFault
from tests.support.training import train_order


def test_an_order_says_what_the_image_version_says() -> None:
    """A float32 of the contract is not 0.485; the weights' certificate should be."""
    order = train_order(
        "ab", input={"channels": 3, "mean": [0.485, 0.456, 0.406], "min_side": 16}, augmentations=["flip"]
    )
    line = json_format.MessageToJson(order, indent=None)
    recipe = TrainingRecipe.from_order(json_format.Parse(line, order_pb2.Order()))
    assert recipe.input_specification == InputSpecification(
        width=32,
        height=32,
        mean=(0.485, 0.456, 0.406),
        min_side=16,
    )
    assert recipe.augmentations == {"flip"}
    assert (recipe.seed, recipe.threads, recipe.segmentation) == (7, 1, None)
    assert recipe.classification.base_lr == 0.02


def test_what_an_order_leaves_out_has_its_default() -> None:
    """0 and absent mean the default in the contracts."""
    work = job_pb2.TrainWork(
        code_list=["A", "B"],
        num_of_classes=2,
        input=algorithm_image_pb2.InputSpecification(width=64, height=64),
    )
    work.training_params.update({"classification": {"base_lr": 0.01, "batch_size": 8, "max_iter": 100}})
    recipe = TrainingRecipe.from_order(order_pb2.Order(train=order_pb2.Train(work=work)))
    assert recipe.input_specification == InputSpecification(width=64, height=64)
    assert (recipe.train_fraction, recipe.checkpoint_interval_s) == (0.8, 60)
    assert (recipe.threads, recipe.class_balance) == (None, None)


def test_an_order_that_lacks_parameters_is_refused_by_their_name() -> None:
    """T5: the sentence reaches whoever has to mend it."""
    order = train_order("ab", train_segmentation=True)
    del order.train.work.training_params["segmentation"]
    with pytest.raises(UserFault, match="segmentation") as fault:
        TrainingRecipe.from_order(order)
    assert fault.value.code == "BAD_ORDER"


def test_an_augmentation_that_nobody_knows_is_refused() -> None:
    """W10."""
    order = train_order("ab", augmentations=[])
    order.train.work.preprocessing.augmentations.append(task_pb2.AUGMENTATION_UNSPECIFIED)
    with pytest.raises(UserFault, match="augmentations must be of"):
        TrainingRecipe.from_order(order)


def test_an_input_outside_the_limits_is_refused_by_its_field() -> None:
    """Whatever the registry let through costs no training."""
    with pytest.raises(UserFault, match=r"input\.width: width is 4"):
        TrainingRecipe.from_order(train_order("ab", input={"width": 4}))


def test_t5_a_checkpoint_of_before_is_resumed() -> None:
    """T5: a recipe's digest is in the checkpoint; an update of Loupe must not change it."""
    specification = {"min_side": 16, "detail": 3, "per_image_normalisation": True, "max_aspect_ratio": 4}
    recipe = TrainingRecipe.from_order(train_order("ab", input=specification))
    assert recipe.digest("d") == "b737dd4543d4382f8f1958d17db5feb7444f4ebd882e364327baf0a2f658f87a"
