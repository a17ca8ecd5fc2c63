"""The loss curve of one small training, kept. A refactoring of training code leaves it untouched.

    LOUPE_UPDATE_GOLDEN=1 pytest tests/golden      writes the file anew: a change of the curve, to be argued

SGD multiplies a difference of rounding by about 10⁷ within these iterations. In float32 (6e-8) two processors
with other instructions therefore draw other curves, up to 70 % apart. So the kept curve is one of float64
(1e-16), which any processor draws to about 1e-9; the points themselves are told in float32. Everything before
the network is integers: the pictures' pixels, the resize and the random numbers.

What production computes in, float32, must agree bit by bit with itself on one machine.
"""

import json
import os
import platform
from pathlib import Path

import pytest
import torch

from services.trainer.training.session import run
from services.vision.pack import PackCache
from services.worker.child_channel import Stopped
from tests.support.training import (
    RecordingChannel,
    in_float64,
    resumed,
    small_data_set,
    stored,
    train_order,
)

GOLDEN = Path(__file__).parent / "loss_resnet18_32px.json"
ITERATIONS = 16
RELATIVE_TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    return small_data_set(tmp_path_factory.mktemp("objects"))


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    return PackCache(tmp_path_factory.mktemp("packs"))


@pytest.fixture
def order(data_set):
    def changed(**changes):
        classification = {"max_iter": ITERATIONS, "base_lr": 0.005} | changes.pop("classification", {})
        return train_order(data_set.manifest(), classification=classification, **changes)

    return changed


@pytest.fixture
def float64():
    with in_float64():
        yield


@pytest.mark.usefixtures("float64")
def test_the_loss_curve_is_the_golden_one(data_set, packs, order, tmp_path):
    """On any machine: what a training learns changes by a decision, never by an oversight."""
    channel = RecordingChannel()
    run(order(), data_set.objects, packs, tmp_path, channel)
    curve = [channel.losses[iteration] for iteration in range(ITERATIONS)]
    if os.environ.get("LOUPE_UPDATE_GOLDEN"):
        written_by = f"torch {torch.__version__}, {platform.machine()}, float64"
        GOLDEN.write_text(json.dumps({"written_by": written_by, "loss": curve}, indent=1) + "\n")
    assert curve == pytest.approx(golden(), rel=RELATIVE_TOLERANCE)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "change",
    [
        {"classification": {"base_lr": 0.00501}},
        {"classification": {"momentum": 0.89}},
        {"classification": {"weight_decay": 0.0004}},
        {"input": {"std": [0.23, 0.224, 0.225]}},
        {"augmentations": ["colour", "scale", "random"]},
    ],
    ids=str,
)
def test_a_small_change_of_the_recipe_leaves_the_golden_curve(data_set, packs, order, tmp_path, change):
    """The tolerance is for rounding only: a mistake in the code moves the curve further than that."""
    channel = RecordingChannel(stop_after=("loss_points", 4))
    with pytest.raises(Stopped):
        run(order(**change), data_set.objects, packs, tmp_path, channel)
    told = [channel.losses[iteration] for iteration in range(len(channel.losses))]
    assert told != pytest.approx(golden()[: len(told)], rel=RELATIVE_TOLERANCE)


def test_a_resumed_training_draws_the_curve_of_one_that_was_not_interrupted(data_set, packs, order, tmp_path):
    """T5: bit by bit, in the precision of production."""
    straight = RecordingChannel()
    run(order(), data_set.objects, packs, tmp_path / "straight", straight)
    first = RecordingChannel(stop_after=("loss_points", ITERATIONS // 2))
    with pytest.raises(Stopped):
        run(order(), data_set.objects, packs, tmp_path / "first", first)
    checkpoint = stored(data_set, first.of("checkpoint")[-1])
    second = RecordingChannel()
    run(resumed(order(), checkpoint), data_set.objects, packs, tmp_path / "second", second)
    assert first.losses | second.losses == straight.losses


def golden() -> list[float]:
    return json.loads(GOLDEN.read_text())["loss"]
