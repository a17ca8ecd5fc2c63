import threading

import numpy as np
import pytest
import torch

from services.input_specification import InputSpecification
from services.trainer.training.batches import Batches, epoch_order, logit_shift
from services.vision.pack import Pack

CLASSES = np.repeat(np.arange(3), [90, 9, 1])


def pack_of(count: int) -> Pack:
    shard = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    slots = {str(number): (0, number) for number in range(count)}
    return Pack(InputSpecification(8, 8), (shard,), slots, {})


def batches(first: int, last: int, **other) -> Batches:
    options = {"batch_size": 7, "class_balance": 0.5, "seed": 5, "device": torch.device("cpu")} | other
    return Batches(
        pack_of(100), [str(n) for n in range(100)], CLASSES, iterations=range(first, last), **options
    )


def test_without_balance_an_epoch_takes_every_sample_once():
    assert sorted(epoch_order(CLASSES, 0.0, 1, 0)) == list(range(100))


@pytest.mark.parametrize("balance", [0.25, 0.5, 1.0])
def test_balance_gives_each_class_its_share_and_each_sample_its_turn(balance):
    """Rare defects must be seen more often, but none of a class much more often than another of it."""
    counts = sum(np.bincount(epoch_order(CLASSES, balance, 1, epoch), minlength=100) for epoch in range(40))
    drawn = np.bincount(CLASSES, counts, 3) / counts.sum()
    share = np.bincount(CLASSES) ** (1 - balance)
    assert drawn == pytest.approx(share / share.sum(), abs=0.01)
    assert np.ptp(counts[90:99]) <= 0.25 * counts[90:99].mean() + 2


def test_epochs_differ_and_seeds_differ():
    assert list(epoch_order(CLASSES, 0.5, 1, 0)) != list(epoch_order(CLASSES, 0.5, 1, 1))
    assert list(epoch_order(CLASSES, 0.5, 1, 0)) != list(epoch_order(CLASSES, 0.5, 2, 0))


def test_the_shift_undoes_the_balance():
    """Predictions keep the data's frequencies: a balanced draw must not flood the line with false alarms."""
    shift = logit_shift(CLASSES, 0.5)
    share = np.array([90, 9, 1]) ** 0.5
    assert shift == pytest.approx(np.log(share / share.sum() / np.array([0.9, 0.09, 0.01])), abs=1e-5)
    assert logit_shift(CLASSES, 0.0) == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_resumed_training_meets_the_batches_it_would_have_met():
    """T5: the curve after a fault is the curve without it."""
    with batches(0, 40) as straight, batches(23, 40) as resumed:
        expected = list(straight)[23:]
        for a, b in zip(expected, resumed, strict=True):
            assert a.iteration == b.iteration
            assert torch.equal(a.images_NHWC, b.images_NHWC)
            assert torch.equal(a.classes_N, b.classes_N)
            assert torch.equal(a.draws_N, b.draws_N)


def test_images_and_classes_belong_together():
    with batches(0, 20) as its:
        for batch in its:
            numbers = batch.images_NHWC[:, 0, 0, 0].long().numpy()
            assert (CLASSES[numbers] == batch.classes_N.numpy()).all()


def test_a_batch_may_be_larger_than_the_data_set():
    with batches(0, 2, batch_size=250) as its:
        assert [len(batch.classes_N) for batch in its] == [250, 250]


def test_leaving_early_ends_the_thread():
    """A stopped training must not leave a thread that reads on."""
    before = threading.active_count()
    with batches(0, 10_000) as its:
        next(iter(its))
    assert threading.active_count() == before


def test_a_fault_in_the_thread_reaches_the_loop():
    """A page that cannot be read must fail the training, not hang it."""
    broken = batches(0, 5)
    broken._rows[:, 0] = 7  # a shard that is not there
    with pytest.raises(IndexError), broken as its:
        list(its)
