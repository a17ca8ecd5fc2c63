"""The loss curve of one small training, kept. A refactoring of training code leaves it untouched.

    LOUPE_UPDATE_GOLDEN=1 pytest tests/golden      writes the file anew: a change of the curve, to be argued

The runs of one machine must agree bit by bit. The file comes from another machine and torch, whose sums round
differently; SGD lets such differences grow from step to step, so the tolerance against the file is that of a
training that has not yet had time to diverge.
"""

import json
import os
import platform
from pathlib import Path

import pytest
import torch

from services.trainer.training.session import run
from services.vision.channel import Stopped
from services.vision.pack import PackCache
from tests.support.training import RecordingChannel, small_data_set, train_order

GOLDEN = Path(__file__).parent / "loss_resnet18_32px.json"
ITERATIONS = 16
RELATIVE_TOLERANCE = 0.02


def test_the_loss_curve_is_the_golden_one_straight_and_resumed(tmp_path):
    """T5: bit-identical whether or not it was interrupted, and what it was when the file was written."""
    data_set = small_data_set(tmp_path / "objects")
    packs = PackCache(tmp_path / "packs")
    order = train_order(data_set.manifest(), classification={"max_iter": ITERATIONS, "base_lr": 0.005})
    straight = RecordingChannel()
    run(order, data_set.objects, packs, tmp_path / "straight", straight)
    curve = [straight.losses[iteration] for iteration in range(ITERATIONS)]

    first = RecordingChannel(stop_after=("loss", ITERATIONS // 2))
    with pytest.raises(Stopped):
        run(order, data_set.objects, packs, tmp_path / "first", first)
    checkpoint = first.of("checkpoint")[-1]
    sha256 = data_set.put("checkpoints", Path(checkpoint["path"]).read_bytes(), ".safetensors")
    resume = {"checkpoint_key": f"checkpoints/{sha256}.safetensors", "iteration": checkpoint["iteration"]}
    second = RecordingChannel()
    run(order | {"resume": resume}, data_set.objects, packs, tmp_path / "second", second)
    resumed = first.losses | second.losses
    assert [resumed[iteration] for iteration in range(ITERATIONS)] == curve

    if os.environ.get("LOUPE_UPDATE_GOLDEN"):
        written_by = f"torch {torch.__version__}, {platform.machine()}, 1 thread"
        GOLDEN.write_text(json.dumps({"written_by": written_by, "loss": curve}, indent=1) + "\n")
    assert curve == pytest.approx(json.loads(GOLDEN.read_text())["loss"], rel=RELATIVE_TOLERANCE)
