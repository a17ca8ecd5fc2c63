"""A training by two processes: the curve of one, and what becomes of it when one of them is lost."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch
import torch.distributed as dist
from google.protobuf import json_format
from loupe.scheduler.v1 import job_pb2
from loupe.worker.v1 import event_pb2, order_pb2

from services.trainer.training.batches import Batches
from services.trainer.training.processes import Group
from services.trainer.training.session import run
from services.vision.pack import PackCache
from services.vision.weights import Weights, load_weights
from services.worker.child_channel import Stopped
from tests.support.children import child, environment, until
from tests.support.training import (
    RecordingChannel,
    in_float64,
    resumed,
    small_data_set,
    stored,
    train_order,
)
from tests.support.waiting import DEADLINE_S
from tests.unit.trainer.test_batches import CLASSES, pack_of

ITERATIONS = 20
# An odd batch: one process has a sample more than the other.
PARAMETERS = {"max_iter": ITERATIONS, "batch_size": 25, "base_lr": 0.0001}


@pytest.mark.parametrize(("count", "size"), [(9, 2), (8, 4), (3, 3), (10, 4)])
def test_parts_are_the_whole_and_nearly_equal(count, size):
    cpu = torch.device("cpu")
    parts = [range(count)[Group(cpu, rank, size).part(count)] for rank in range(size)]
    assert [number for part in parts for number in part] == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_the_parts_of_a_batch_are_the_batch():
    """The draws are numbered over the whole training: who holds a sample changes nothing about it."""

    def of(part: slice) -> list:
        options = {"batch_size": 9, "class_balance": 0.5, "seed": 5, "device": torch.device("cpu")}
        hashes = [str(number) for number in range(100)]
        with Batches(pack_of(100), hashes, CLASSES, iterations=range(12), part=part, **options) as batches:
            return list(batches)

    for whole, first, second in zip(of(slice(None)), of(slice(4)), of(slice(4, 9)), strict=True):
        for name in ("images_NHWC", "classes_N", "draws_N"):
            joined = torch.cat([getattr(first, name), getattr(second, name)])
            assert torch.equal(joined, getattr(whole, name))


def test_hosts_that_have_packed_wait_for_those_that_have_not():
    """A host that decodes all images anew is no lost one, however long it takes; its leader says it lives."""
    store = dist.HashStore()
    first, second = (Group(torch.device("cpu"), rank, 2, node=rank, store=store) for rank in range(2))
    with first.in_turn():
        pass
    waited = []

    def meanwhile() -> None:
        waited.append(1)
        if len(waited) == 3:
            with second.in_turn():
                pass

    first.wait_for_hosts(meanwhile)
    assert len(waited) == 3
    Group(torch.device("cpu"), 1, 2, local_rank=1, local_size=2, store=store).wait_for_hosts(meanwhile)
    assert len(waited) == 3, "one host has nobody to wait for"


@dataclass(frozen=True)
class Straight:
    """A training by one process, and its checkpoint of the middle."""

    folder: Path
    order: order_pb2.Order
    curve: dict[int, float]
    weights: Weights
    resume: job_pb2.Checkpoint


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight")
    data_set = small_data_set(folder / "objects")
    order = train_order(data_set.manifest(), classification=PARAMETERS)
    packs = PackCache(folder / "cache" / "packs")
    first, rest = RecordingChannel(stop_after=("loss_points", 8)), RecordingChannel()
    with pytest.raises(Stopped):
        run(order, data_set.objects, packs, folder / "first", first)
    resume = stored(data_set, first.of("checkpoint")[-1])
    run(resumed(order, resume), data_set.objects, packs, folder / "rest", rest)
    weights = load_weights(Path(rest.of("trained")[0].weights_path))
    order.threads = 2
    return Straight(folder, order, first.losses | rest.losses, weights, resume)


def same_curve(found: dict[int, float], expected: dict[int, float]) -> None:
    """Up to rounding, which from the checkpoint on stays under 1e-5.

    Without the statistics of the whole batch, or with parts weighed wrongly, the first points would be off
    already.
    """
    assert list(found) == list(expected)
    assert list(found.values())[:3] == pytest.approx(list(expected.values())[:3], rel=1e-4)
    assert list(found.values()) == pytest.approx(list(expected.values()), rel=0.03)


def same_weights(weights, expected):
    assert weights.tensors.keys() == expected.tensors.keys()
    for name, tensor in weights.tensors.items():
        torch.testing.assert_close(tensor, expected.tensors[name], rtol=0.05, atol=0.01)


async def test_two_processes_give_the_curve_of_one_and_a_killed_one_is_reported(straight):
    """T5: a training may go on with another number of processes, and no death of one is a hang."""
    resume, order = straight.resume, straight.order
    manifest = order.train.work.manifests[0].sha256
    async with child("services.trainer.child", straight.folder, "--processes", "2") as (warm, output):
        await until(warm.events, "ready")
        await warm.send(resumed(order, resume))
        told = RecordingChannel()
        told.events = await until(warm.events, "trained", "failed")
        assert told.of("trained"), output
        expected = {number: straight.curve[number] for number in range(resume.next_iteration, ITERATIONS)}
        same_curve(told.losses, expected)
        same_weights(load_weights(Path(told.events[-1].trained.weights_path)), straight.weights)
        assert any("2 processes of 1 threads" in line.text for line in told.of("log"))

        # A batch too small for two is trained by one; the other waits for the next order.
        alone = train_order(
            manifest,
            classification={"batch_size": 1, "max_iter": 1},
            input={"width": 64, "height": 64},  # batch norm wants more than one pixel
        )
        await warm.send(alone)
        assert (await until(warm.events, "trained", "failed"))[-1].HasField("trained"), output

        endless = train_order(manifest, classification={"max_iter": 10_000})
        await warm.send(endless)
        await until(warm.events, "loss_points")
        (other,) = psutil.Process(warm.pid).children()
        os.kill(other.pid, signal.SIGKILL)
        failed = (await until(warm.events, "failed"))[-1].failed
        assert (failed.failure.code, failed.retryable) == ("PROCESS_LOST", True)
        assert "process 1 of the 2 of this training ended by signal 9" in failed.failure.message
        assert await warm.process.wait() == 1


def test_torchrun_starts_the_same_program(tmp_path):
    """Whoever has several machines starts it there; from the first iteration on it is one process's curve."""
    data_set = small_data_set(tmp_path / "objects")
    order = train_order(data_set.manifest(), classification=PARAMETERS | {"max_iter": 8})
    alone, told = RecordingChannel(), RecordingChannel()
    with in_float64():
        run(order, data_set.objects, PackCache(tmp_path / "cache" / "packs"), tmp_path / "alone", alone)
    order.threads = 2
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, "-m", "tests.support.float64_child"],
        input=json_format.MessageToJson(order, indent=None) + "\n",
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told.events = [json_format.Parse(line, event_pb2.Event()) for line in done.stdout.splitlines()]
    assert list(told.losses) == list(alone.losses)
    assert list(told.losses.values()) == pytest.approx(list(alone.losses.values()), rel=1e-6)
    assert told.of("trained")
    assert any("2 processes of 1 threads" in line.text for line in told.of("log"))
