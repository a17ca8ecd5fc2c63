"""A train order from manifest to weights, on the CPU, with everything real but the store."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from loupe.scheduler.v1 import task_pb2

from services.trainer.training.session import run
from services.vision.faults import UserFault
from services.vision.pack import PackCache
from services.vision.weights import load_weights
from services.worker.child_channel import Stopped
from tests.support.training import (
    DATA_PATH,
    RecordingChannel,
    masked_data_set,
    stored,
    train_order,
)


def train(order, data_set, packs, folder, channel=None) -> RecordingChannel:
    channel = channel or RecordingChannel()
    run(order, data_set.objects, packs, folder, channel)
    return channel


def test_a_training_tells_all_that_the_monitor_shows(order, data_set, packs, tmp_path):
    """M1, M2, M3: stages with counts, losses without a gap, validation, progress to 1, a log."""
    data_set.add("SPOT/tiny.png", b"never read", size=(10, 10))
    data_set.add("SPOT/broken.png", b"not an image at all")
    channel = train(order(), data_set, packs, tmp_path / "work")

    stages = [report.stage for report in channel.of("stage")]
    assert [(stage.name, stage.state) for stage in stages] == [
        (name, state)
        for name in (
            task_pb2.STAGE_NAME_RESOLUTION_FILTER,
            task_pb2.STAGE_NAME_SPLIT,
            task_pb2.STAGE_NAME_AUGMENTATION,
        )
        for state in (task_pb2.STAGE_STATE_RUNNING, task_pb2.STAGE_STATE_DONE)
    ]
    filtered, split = stages[1], stages[3]
    assert (filtered.sample_count, filtered.nonconforming_count) == (90, 2)
    assert split.train_count + split.validation_count == split.sample_count == 90
    set_aside = [sample for batch in channel.of("nonconforming") for sample in batch.samples]
    assert [(sample.file, sample.data_path, sample.reason) for sample in set_aside] == [
        ("SPOT/tiny.png", DATA_PATH, "RESOLUTION_TOO_LOW"),
        ("SPOT/broken.png", DATA_PATH, "NOT_AN_IMAGE"),
    ]
    # M1a: the size, and the rule that is broken.
    assert (set_aside[0].width, set_aside[0].height) == (10, 10)
    assert set_aside[0].message_zh == "10×10：短边小于 32 像素"
    assert list(channel.losses) == list(range(12))
    assert channel.of("validation")[-1].point.iteration == 12
    phases = channel.of("progress")
    progress = [its.progress for its in phases if its.phase == task_pb2.PHASE_TRAINING]
    assert progress[-1].fraction == 1
    assert all(
        its.remaining_low.ToNanoseconds()
        <= its.remaining.ToNanoseconds()
        <= its.remaining_high.ToNanoseconds()
        for its in progress
    )
    assert progress[-1].max_iteration == 12
    assert progress[-1].images_per_s > 0
    assert channel.of("log")

    finished = channel.events[-1].trained
    # W14: later trainings are estimated from it.
    (throughput,) = finished.throughputs
    assert throughput.network == task_pb2.NETWORK_CLASSIFICATION
    assert throughput.images_per_s > 0
    lines = [json.loads(line) for line in Path(finished.split_path).read_text().splitlines()]
    assert [line["side"] for line in lines].count("set_aside") == 2
    assert len(lines) == 92
    certificate = load_weights(Path(finished.weights_path)).certificate
    assert certificate["lineage"]["manifests"] == [data_set.manifest()]
    assert certificate["lineage"]["recipe"]["seed"] == 7
    assert certificate["lineage"]["order"] == {"image_version": "surface-classification@v3.0"}


def test_m1a_a_stage_that_is_switched_off_is_skipped(order, data_set, packs, tmp_path):
    """Nothing is filtered and nothing augmented, and the monitor must not say that it was done."""
    data_set.add("SPOT/broken.png", b"not an image at all")
    channel = train(order(filter_resolution=False, augmentations=()), data_set, packs, tmp_path / "work")
    stages = [report.stage for report in channel.of("stage")]
    skipped = task_pb2.STAGE_STATE_SKIPPED
    by_name = {stage.name: stage for stage in stages}
    assert {name: stage.state for name, stage in by_name.items()} == {
        task_pb2.STAGE_NAME_RESOLUTION_FILTER: skipped,
        task_pb2.STAGE_NAME_SPLIT: task_pb2.STAGE_STATE_DONE,
        task_pb2.STAGE_NAME_AUGMENTATION: skipped,
    }
    off = by_name[task_pb2.STAGE_NAME_RESOLUTION_FILTER]
    assert not any(stage.HasField("duration") for stage in stages if stage.state == skipped)
    # D4 holds all the same.
    assert (off.sample_count, off.nonconforming_count) == (90, 1)


def test_w5_samples_of_other_codes_are_left_out(order, data_set, packs, tmp_path):
    """The wizard only warns of them, so they must not end the training, nor be judged by it."""
    data_set.add("DUST/one.png", b"never read")
    channel = train(order(), data_set, packs, tmp_path / "work")
    (finished,) = channel.of("trained")
    assert "DUST" not in Path(finished.split_path).read_text()


def test_it_learns(order, data_set, packs, tmp_path):
    """The loop could do everything right but learn: three easy defects must come out nearly perfect."""
    learning = {"max_iter": 40, "batch_size": 16, "base_lr": 0.02}
    channel = train(
        order(classification=learning, augmentations=["flip"]), data_set, packs, tmp_path / "work"
    )
    assert channel.of("trained")[0].validation_accuracy > 0.9


def test_the_same_order_gives_the_same_bytes(order, data_set, packs, tmp_path):
    """W12 pins everything so that a result can be had again; the digest of the weights shows it."""
    finished = [train(order(), data_set, packs, tmp_path / str(run)).events[-1].trained for run in range(2)]
    weights = [Path(its.weights_path).read_bytes() for its in finished]
    assert weights[0] == weights[1]
    other = train(order(seed=8), data_set, packs, tmp_path / "other").events[-1].trained
    assert Path(other.weights_path).read_bytes() != weights[0]


def test_a_training_interrupted_at_any_point_ends_as_if_it_had_not_been(order, data_set, packs, tmp_path):
    """T5: from the checkpoint on the curve and the weights are those of the straight run, bit for bit."""
    straight = train(order(), data_set, packs, tmp_path / "straight")
    first = RecordingChannel(stop_after=("loss_points", 5))
    with pytest.raises(Stopped):
        train(order(), data_set, packs, tmp_path / "first", first)
    assert first.events[-1].HasField("checkpoint")
    resume = stored(data_set, first.events[-1].checkpoint)
    assert list(first.losses) == list(range(resume.next_iteration))

    second = train(order(resume=resume), data_set, packs, tmp_path / "second")
    assert first.losses | second.losses == straight.losses
    assert min(second.losses) == resume.next_iteration
    weights = [Path(its.events[-1].trained.weights_path).read_bytes() for its in (straight, second)]
    assert weights[0] == weights[1]


def test_a_training_that_lost_a_sample_on_the_way_begins_again(order, data_set, packs, tmp_path):
    """T-B1: its split is another one then; a checkpoint of the old one would go on with other samples."""
    first = RecordingChannel(stop_after=("loss_points", 5))
    with pytest.raises(Stopped):
        train(order(), data_set, packs, tmp_path / "first", first)
    resume = stored(data_set, first.events[-1].checkpoint)
    (data_set.root / "samples" / data_set.lines[4]["sha256"]).unlink()
    # A worker that has not seen it.
    elsewhere = PackCache(tmp_path / "elsewhere")
    resumed = train(order(resume=resume), data_set, elsewhere, tmp_path / "resumed")
    straight = train(order(), data_set, elsewhere, tmp_path / "straight")
    assert resumed.losses == straight.losses
    assert any("begun again" in line.text for line in resumed.of("log"))
    (batch,) = resumed.of("nonconforming")
    assert [sample.reason for sample in batch.samples] == ["OBJECT_MISSING"]


def test_checkpoints_are_taken_by_time(order, data_set, packs, tmp_path):
    """At most so much work is lost; the last iteration needs none, the weights follow."""
    channel = train(order(checkpoint_interval_s=0.001), data_set, packs, tmp_path / "work")
    done = [file.checkpoint.next_iteration for file in channel.of("checkpoint")]
    assert done == list(range(1, 12))
    points = 0
    for event in channel.events:
        points += len(event.loss_points.losses)
        assert not event.HasField("checkpoint") or event.checkpoint.checkpoint.next_iteration == points


def test_a_stop_during_preprocessing_ends_without_a_checkpoint(order, data_set, packs, tmp_path):
    channel = RecordingChannel(stop_after=("progress", 1))
    with pytest.raises(Stopped):
        train(order(), data_set, packs, tmp_path / "work", channel)
    assert not channel.of("checkpoint")


def test_a_loss_that_is_not_a_number_fails_at_once_with_the_points_before_it(
    order, data_set, packs, tmp_path
):
    """T5: a user fault is told with a code, and the curve shows how it came."""
    channel = RecordingChannel()
    with pytest.raises(UserFault) as fault:
        train(order(classification={"base_lr": 1e18}), data_set, packs, tmp_path / "work", channel)
    assert fault.value.code == "NAN_LOSS"
    assert str(len(channel.losses)) in fault.value.message


def test_special_codes_are_learned_from_features(order, data_set, packs, tmp_path):
    """S2: RING is no class of the softmax, and yet the weights know it."""
    work = order(num_of_classes=2, classification={"max_iter": 10}, augmentations=["flip"])
    finished = train(work, data_set, packs, tmp_path / "work").events[-1].trained
    weights = load_weights(Path(finished.weights_path))
    assert weights.tensors["fc.weight"].shape == (2, 512)
    assert weights.special
    assert weights.special.codes == ("RING",)


def test_a_warm_start_takes_the_parents_weights_and_its_split(order, data_set, packs, tmp_path):
    """W13 and D3: the child begins where the parent ended, and judges on what the parent was judged on."""
    parent = train(order(), data_set, packs, tmp_path / "parent").events[-1].trained
    weights_sha256 = data_set.put("weights", Path(parent.weights_path).read_bytes(), ".safetensors")
    split = Path(parent.split_path).read_bytes()
    split_sha256 = data_set.put("splits", split, ".jsonl")
    warm = {"warm_start_weights_sha256": weights_sha256}
    child = train(
        order(seed=99, prior_split_sha256=split_sha256, **warm), data_set, packs, tmp_path / "child"
    )
    assert Path(child.events[-1].trained.split_path).read_bytes() == split
    cold = train(order(seed=99), data_set, packs, tmp_path / "cold")
    assert child.losses[0] != cold.losses[0]
    # With other classes only the features are inherited.
    other = order(code_list=["LINE", "SPOT", "RING"], **warm)
    assert train(other, data_set, packs, tmp_path / "other").of("trained")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"classification_network": "ResNet19"}, "BAD_ORDER"),
        ({"num_of_classes": 1}, "BAD_ORDER"),
        ({"classification": {"momentum": 1.0}}, "BAD_ORDER"),
        ({"classification": {"lr_policy": "step"}}, "BAD_ORDER"),
        ({"code_list": ["SPOT", "LINE", "RING", "DUST"], "num_of_classes": 4}, "CODE_ON_ONE_SIDE"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_a_user_fault(  # noqa: PLR0917
    change, code, order, data_set, packs, tmp_path
):
    with pytest.raises(UserFault) as fault:
        train(order(**change), data_set, packs, tmp_path / "work")
    assert fault.value.code == code


def one_group(data_set):
    for line in data_set.lines:
        if line["code"] == "RING":
            line["group"] = "the same panel"


def identical(data_set):
    for line in data_set.lines:
        line.update(sha256=data_set.lines[0]["sha256"], group=None)


def same_pixels(data_set):
    """In files of other bytes, such as a PNG with another text and a BMP."""
    for line in data_set.lines:
        if line["code"] == "RING":
            line.update(pixels_sha256="a" * 64, group=None)


def strips(data_set):
    """All but one are set aside by the resolution filter."""
    for line in [its for its in data_set.lines if its["code"] == "RING"][1:]:
        line["height"] = 8


@pytest.mark.parametrize("spoil", [one_group, identical, same_pixels, strips])
@pytest.mark.parametrize("num_of_classes", [2, 3])
def test_a_code_without_a_validation_sample_fails_the_training(  # noqa: PLR0917
    spoil, num_of_classes, order, data_set, packs, tmp_path
):
    """D9: no training without judgement, whether the code is a class or special."""
    spoil(data_set)
    channel = RecordingChannel()
    with pytest.raises(UserFault) as fault:
        train(order(num_of_classes=num_of_classes), data_set, packs, tmp_path / "work", channel)
    assert fault.value.code == "CODE_ON_ONE_SIDE"
    assert "RING" in fault.value.message
    assert "RING" in fault.value.message_zh
    assert not channel.losses


def test_the_number_of_threads_is_torchs_again_after_an_order(order, data_set, packs, tmp_path):
    """A warm child carries out many orders: one's wish must not slow the next."""
    train(order(threads=0, classification={"max_iter": 1}), data_set, packs, tmp_path / "a")
    before = torch.get_num_threads()
    train(order(threads=before + 1, classification={"max_iter": 1}), data_set, packs, tmp_path / "b")
    train(order(threads=0, classification={"max_iter": 1}), data_set, packs, tmp_path / "c")
    assert torch.get_num_threads() == before


def test_masks_let_the_network_see_through_windows(packs, tmp_path):
    """Defects of a few pixels, which an input of 32 shows as one or two, are taught where the masks say."""
    found = masked_data_set(tmp_path / "objects")
    specification = {"detail": 3, "per_image_normalisation": True}
    order = train_order(
        found.manifest(), input=specification, classification={"max_iter": 40, "batch_size": 16}
    )
    channel = train(order, found, packs, tmp_path / "work")
    assert any("seen through 25 windows an image" in line.text for line in channel.of("log"))
    weights = load_weights(Path(channel.events[-1].trained.weights_path))
    assert weights.windows is not None
    assert weights.codes[weights.windows.background] == "RING"
    again = train(order, found, packs, tmp_path / "again")
    assert again.losses == channel.losses


def test_a_sample_whose_mask_says_nothing_clearly_is_set_aside_with_its_reason(packs, tmp_path):
    """D5: a red mask that an earlier release let in is no "nothing is defect here" to learn from."""
    found = masked_data_set(tmp_path / "objects")
    red_HW3 = np.zeros((96, 96, 3), np.uint8)
    red_HW3[10:20, 10:20, 2] = 255  # OpenCV writes BGR
    image, mask = (
        cv2.imencode(".png", one)[1].tobytes() for one in (np.full((96, 96, 3), 90, np.uint8), red_HW3)
    )
    found.add("SPOT/red.png", image, (96, 96), mask=mask)
    specification = {"detail": 3}
    order = train_order(
        found.manifest(), input=specification, classification={"max_iter": 1, "batch_size": 16}
    )
    channel = train(order, found, packs, tmp_path / "work")
    ((sample,),) = [batch.samples for batch in channel.of("nonconforming")]
    assert (sample.file, sample.reason) == ("SPOT/red.png", "BAD_MASK")
    assert "colours, such as RGB (255, 0, 0)" in sample.message


def test_without_masks_the_same_order_sees_whole_images(data_set, packs, tmp_path):
    specification = {"detail": 3}
    order = train_order(data_set.manifest(), input=specification)
    channel = train(order, data_set, packs, tmp_path / "work")
    assert load_weights(Path(channel.events[-1].trained.weights_path)).windows is None
