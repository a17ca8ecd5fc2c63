"""The second network of a task (W11), from masks to weights; and what it says of special codes (S1)."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from loupe.scheduler.v1 import task_pb2

from services.trainer.training.augment import augment, augment_labels
from services.trainer.training.processes import Group
from services.trainer.training.recipe import TrainingRecipe
from services.trainer.training.segmentation import best_defect_threshold, segmentation_loss
from services.trainer.training.session import run
from services.vision.faults import UserFault
from services.vision.samples import UNKNOWN
from services.vision.weights import load_weights
from services.worker.child_channel import Stopped
from tests.support.training import RecordingChannel, masked_data_set, resumed, stored, train_order

SPECIFICATION = {"detail": 2, "per_image_normalisation": True}


@pytest.fixture
def masked(tmp_path):
    return masked_data_set(tmp_path / "masked")


def segmentation_order(masked, **changes):
    changes = {"input": SPECIFICATION, "train_segmentation": True} | changes
    return train_order(masked.manifest(), **changes)


def test_a_task_trains_two_networks_and_ends_alike_wherever_it_was_killed(masked, packs, tmp_path):
    """W11, M3: own parameters, loss, log and score. S1: LINE, no class of the softmax, is told by regions.

    T5: in the second network the first is complete, and neither lost nor trained again; bits are equal.
    """
    order = segmentation_order(
        masked,
        code_list=["SPOT", "RING", "LINE"],
        num_of_classes=2,
        classification={"max_iter": 2},
        segmentation={"max_iter": 16},
    )
    straight, first, second = (
        RecordingChannel(),
        RecordingChannel(stop_after=("loss_points", 3)),
        RecordingChannel(),
    )
    run(order, masked.objects, packs, tmp_path / "straight", straight)
    assert list(straight.curve("classification")) == list(range(2))
    assert list(straight.curve("segmentation")) == list(range(16))
    both = {task_pb2.NETWORK_CLASSIFICATION, task_pb2.NETWORK_SEGMENTATION}
    assert {line.network for line in straight.of("log")} == both
    scores = [its.point for its in straight.of("validation") if its.network == task_pb2.NETWORK_SEGMENTATION]
    assert scores[-1].iteration == 16
    assert 0 <= scores[-1].accuracy <= 1
    phases = straight.of("progress")
    fractions = [its.progress.fraction for its in phases if its.phase == task_pb2.PHASE_TRAINING]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    weights = load_weights(Path(straight.events[-1].trained.weights_path))
    assert weights.segmentation
    assert weights.segmentation.clean == ("RING",)
    assert {"LINE"} <= set(weights.segmentation.regions.min_area_px) <= {"LINE", "SPOT"}
    assert "decided by regions: " in straight.of("log")[-1].text
    assert weights.special is None  # what regions tell, feature statistics need not (S2)

    with pytest.raises(Stopped):
        run(order, masked.objects, packs, tmp_path / "first", first)
    begun, last = first.of("checkpoint")
    assert begun.checkpoint.network == last.checkpoint.network == task_pb2.NETWORK_SEGMENTATION
    assert begun.checkpoint.next_iteration == 0
    assert 0 < last.checkpoint.next_iteration < 16
    run(resumed(order, stored(masked, last)), masked.objects, packs, tmp_path / "second", second)
    assert not second.curve("classification")
    curve = first.curve("segmentation") | second.curve("segmentation")
    assert curve == straight.curve("segmentation")
    files = [Path(its.events[-1].trained.weights_path).read_bytes() for its in (straight, second)]
    assert files[0] == files[1]


def test_regions_tell_ordinary_codes_where_the_classifier_cannot(masked, packs, tmp_path):
    """A classifier taught for an instant against a segmentation network taught for a moment."""
    order = segmentation_order(masked, classification={"max_iter": 1}, segmentation={"max_iter": 100})
    channel = RecordingChannel()
    run(order, masked.objects, packs, tmp_path / "work", channel)
    weights = load_weights(Path(channel.events[-1].trained.weights_path))
    assert set(weights.segmentation.regions.min_area_px) & {"SPOT", "LINE"}


def test_w9_without_segmentation_its_level_is_ignored(masked):
    order = segmentation_order(masked, train_segmentation=False, segmentation={"base_lr": -1})
    assert TrainingRecipe.from_order(order).segmentation is None


def test_masks_that_mark_nothing_cannot_teach(data_set, packs, tmp_path):
    with pytest.raises(UserFault, match="mask"):
        run(
            train_order(data_set.manifest(), train_segmentation=True),
            data_set.objects,
            packs,
            tmp_path / "work",
            RecordingChannel(),
        )


def test_labels_move_with_their_images():
    """A mask that stayed while its image was flipped and zoomed would teach the wrong pixels."""
    images_NCHW = torch.zeros(8, 3, 64, 64)
    images_NCHW[:, :, 10:26, 36:50] = 1
    labels_NHW = images_NCHW[:, 0].long() * 7
    draws_N = torch.arange(8)
    for wish in ({"flip"}, {"scale"}, {"random"}, {"scale", "flip", "random"}):
        moved_NHW = augment_labels(labels_NHW, draws_N, frozenset(wish), seed=3)
        expected_NHW = augment(images_NCHW, draws_N, frozenset(wish), seed=3)[:, 0] > 0.5
        assert set(moved_NHW.unique().tolist()) <= {0, 7}
        assert ((moved_NHW == 7) == expected_NHW).float().mean() > 0.995


def test_a_small_defect_weighs_as_much_as_a_large_one():
    """Cross-entropy alone is content with background everywhere, where one pixel in a thousand is defect."""
    labels_NHW = torch.zeros(2, 64, 64, dtype=torch.int64)
    labels_NHW[0, :3, :3] = 1
    blind_NKHW = torch.zeros(2, 3, 64, 64)
    blind_NKHW[:, 0] = 9.0
    seeing_NKHW = blind_NKHW.clone()
    seeing_NKHW[0, 1, :3, :3] = 18.0
    assert segmentation_loss(seeing_NKHW, labels_NHW) < 0.1
    assert segmentation_loss(blind_NKHW, labels_NHW) > 0.9
    unknown_NHW = labels_NHW.masked_fill(labels_NHW == 1, UNKNOWN)
    assert segmentation_loss(seeing_NKHW, unknown_NHW) == segmentation_loss(blind_NKHW, unknown_NHW)


def test_a_defect_of_another_code_is_half_right():
    """Where there is a defect all codes teach together; which it is costs apart from that."""
    labels_NHW = torch.zeros(1, 32, 32, dtype=torch.int64)
    labels_NHW[0, :9, :9] = 1
    right_NKHW = torch.zeros(1, 3, 32, 32)
    right_NKHW[:, 0] = 9.0
    right_NKHW[0, 1, :9, :9] = 18.0
    other_NKHW = right_NKHW[:, [0, 2, 1]]
    nothing_NKHW = torch.zeros_like(right_NKHW)
    nothing_NKHW[:, 0] = 9.0
    right, other, nothing = (
        segmentation_loss(its, labels_NHW) for its in (right_NKHW, other_NKHW, nothing_NKHW)
    )
    assert right < nothing < other
    gradient = torch.autograd.grad(segmentation_loss(other_NKHW.requires_grad_(), labels_NHW), other_NKHW)[0]
    assert gradient[0, 0, :9, :9].abs().max() < 1e-3 < gradient[0, 1, :9, :9].abs().min()


def test_the_loss_of_a_batch_does_not_depend_on_how_many_processes_hold_it(monkeypatch):
    """Neither term is a mean over samples: parts of 2 and 3 of 5, weighed as the loop weighs them."""
    random = torch.Generator().manual_seed(1)
    logits_NKHW = torch.randn(5, 3, 8, 8, generator=random).requires_grad_()
    labels_NHW = torch.randint(0, 3, (5, 8, 8), generator=random)
    labels_NHW[0, :4] = UNKNOWN
    whole = segmentation_loss(logits_NKHW, labels_NHW)
    (gradient_NKHW,) = torch.autograd.grad(whole, logits_NKHW)
    groups = [Group(torch.device("cpu"), rank=rank, size=2) for rank in range(2)]
    own_sums: list[torch.Tensor] = []

    def losses():
        for group in groups:
            part = group.part(5)
            share = partial(group.shared, count=5)
            yield (part.stop - part.start) / 5, segmentation_loss(logits_NKHW[part], labels_NHW[part], share)

    monkeypatch.setattr(Group, "total", lambda _group, own: own_sums.append(own) or own)
    list(losses())
    monkeypatch.setattr(Group, "total", lambda _group, _own: own_sums[0] + own_sums[1])
    weighed = [(weight, loss) for weight, loss in losses()]
    assert [loss.item() for _, loss in weighed] == pytest.approx([whole.item()] * 2, rel=1e-5)
    (of_parts_NKHW,) = torch.autograd.grad(sum(weight * loss for weight, loss in weighed), logits_NKHW)
    torch.testing.assert_close(of_parts_NKHW, gradient_NKHW, rtol=1e-4, atol=1e-7)


def test_the_segmentation_level_is_checked_like_the_classifiers(masked):
    """The wizard refuses it before (W8); an order that came otherwise must not cost a training."""
    with pytest.raises(UserFault, match="momentum"):
        TrainingRecipe.from_order(segmentation_order(masked, segmentation={"momentum": 1.0}))


def test_the_defect_threshold_is_where_any_defect_is_found_best():
    """Two of three defect pixels stand above all background; the third is not worth what lies around it."""
    counts_2B = np.zeros((2, 402))
    counts_2B[0, [50, 200]] = 900, 100
    counts_2B[1, [150, 300, 301]] = 1, 1, 1
    defect_threshold, iou = best_defect_threshold(counts_2B)
    assert iou == pytest.approx(2 / 3)
    assert -10 + 199 * 0.05 <= defect_threshold <= -10 + 300 * 0.05
    assert np.isnan(best_defect_threshold(np.zeros((2, 402)))[1])
