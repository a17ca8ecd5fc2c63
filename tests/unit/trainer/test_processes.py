"""A training by two processes: the curve of one, and what becomes of it when one of them is lost."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from services.trainer.training.batches import Batches
from services.trainer.training.processes import Group
from services.trainer.training.session import run
from services.vision.channel import Stopped
from services.vision.pack import PackCache
from services.vision.weights import Weights, load_weights
from tests.support.children import child, environment, until
from tests.support.training import DataSet, RecordingChannel, in_float64, small_data_set, train_order
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


@dataclass(frozen=True)
class Straight:
    """A training by one process, and its checkpoint of the middle."""

    folder: Path
    order: dict[str, Any]
    curve: dict[int, float]
    weights: Weights
    resume: dict[str, Any]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight")
    data_set = small_data_set(folder / "objects")
    order = train_order(data_set.manifest(), classification=PARAMETERS)
    packs = PackCache(folder / "cache" / "packs")
    first, rest = RecordingChannel(stop_after=("loss", 8)), RecordingChannel()
    with pytest.raises(Stopped):
        run(order, data_set.objects, packs, folder / "first", first)
    resume = kept(first, data_set)
    run(order | {"resume": resume}, data_set.objects, packs, folder / "rest", rest)
    weights = load_weights(Path(rest.of("finished")[0]["weights_path"]))
    return Straight(folder, order | {"threads": 2}, first.losses | rest.losses, weights, resume)


def kept(channel: RecordingChannel, data_set: DataSet) -> dict[str, Any]:
    """What an order resumes from: the channel's last checkpoint."""
    checkpoint = channel.of("checkpoint")[-1]
    sha256 = data_set.put("checkpoints", Path(checkpoint["path"]).read_bytes(), ".safetensors")
    return {"checkpoint_key": f"checkpoints/{sha256}.safetensors", "iteration": checkpoint["iteration"]}


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
    async with child("services.trainer.child", straight.folder, "--processes", "2") as (process, output):
        events = process.events()
        await until(events, "ready")
        await process.send({"order": "train", "work": order | {"resume": resume}})
        told = RecordingChannel()
        told.events = await until(events, "finished", "failed")
        assert told.events[-1]["event"] == "finished", output
        expected = {number: straight.curve[number] for number in range(resume["iteration"], ITERATIONS)}
        same_curve(told.losses, expected)
        same_weights(load_weights(Path(told.events[-1]["weights_path"])), straight.weights)
        assert any("2 processes of 1 threads" in its["text"] for its in told.of("log"))

        # A batch too small for two is trained by one; the other waits for the next order.
        alone = train_order(
            order["manifests"][0],
            classification={"batch_size": 1, "max_iter": 1},
            input_specification={"width": 64, "height": 64},  # batch norm wants more than one pixel
        )
        await process.send({"order": "train", "work": alone})
        assert (await until(events, "finished", "failed"))[-1]["event"] == "finished", output

        endless = train_order(order["manifests"][0], classification={"max_iter": 10_000})
        await process.send({"order": "train", "work": endless})
        await until(events, "loss")
        (other,) = psutil.Process(process.pid).children()
        os.kill(other.pid, signal.SIGKILL)
        failed = (await until(events, "failed"))[-1]
        assert (failed["code"], failed["user_fault"], failed["retryable"]) == ("PROCESS_LOST", False, True)
        assert "process 1 of the 2 of this training ended by signal 9" in failed["message"]
        assert await process.wait() == 1


def test_torchrun_starts_the_same_program(tmp_path):
    """Whoever has several machines starts it there; from the first iteration on it is one process's curve."""
    data_set = small_data_set(tmp_path / "objects")
    order = train_order(data_set.manifest(), classification=PARAMETERS | {"max_iter": 8})
    alone, told = RecordingChannel(), RecordingChannel()
    with in_float64():
        run(order, data_set.objects, PackCache(tmp_path / "cache" / "packs"), tmp_path / "alone", alone)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, "-m", "tests.support.float64_child"],
        input=json.dumps({"order": "train", "work": order | {"threads": 2}}) + "\n",
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told.events = [json.loads(line) for line in done.stdout.splitlines()]
    assert list(told.losses) == list(alone.losses)
    assert list(told.losses.values()) == pytest.approx(list(alone.losses.values()), rel=1e-6)
    assert told.of("finished")
    assert any("2 processes of 1 threads" in its["text"] for its in told.of("log"))
