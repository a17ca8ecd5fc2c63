"""Which look at the validation split gives the weights, and when a training ends early (E4)."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch
from torch import nn

from services.look_messages import from_message
from services.looks import NetworkLooks, TrainingLooks
from services.trainer.training import session
from services.trainer.training.best_look import BestLook
from services.trainer.training.classification import Classification
from services.trainer.training.segmentation import Segmentation
from services.vision.weights import load_weights
from services.worker.child_channel import Stopped
from tests.support.training import RecordingChannel, masked_data_set, resumed, stored, train_order

NAN = float("nan")


def looked(*scores: float, max_iteration: int = 100) -> NetworkLooks:
    """Looks with these scores, after 10, 20, … iterations."""
    looks = NetworkLooks(max_iteration)
    for number, score in enumerate(scores, 1):
        looks = looks.after(10 * number, None if score != score else score)  # noqa: PLR0124 - NaN
    return looks


@pytest.mark.parametrize(
    ("scores", "best", "since_best"),
    [
        ((0.5,), 10, 0),
        ((0.5, 0.7, 0.6), 20, 1),
        ((0.5, 0.7, 0.7, 0.7), 20, 2),  # of equal looks the first: it has trained least
        ((0.0, 0.0), 10, 1),
        ((NAN, NAN), 20, 0),  # nothing to judge on: the last iteration, and nothing to be patient for
    ],
)
def test_e4_the_best_look_is_the_first_of_the_highest(scores, best, since_best):
    """E4."""
    looks = looked(*scores)
    assert (looks.best_iteration, looks.looks_since_best, looks.look_count) == (best, since_best, len(scores))
    assert looks.last_iteration == 10 * len(scores)
    assert looks.is_possible


def test_e4_weights_are_kept_at_the_look_and_given_back():
    """E4: what is trained on after a look must not change what was kept."""
    network = nn.Linear(2, 2)
    best = BestLook(network, NetworkLooks(30), patience=1)
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    best.add(10, 0.9)
    with torch.no_grad():
        network.weight += 1
    assert not best.ends_training
    best.add(20, 0.9)
    assert best.ends_training
    assert best.restore()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in network.state_dict().items())
    best.add(30, 1.0)
    assert not best.restore()


@pytest.fixture
def scored(monkeypatch):
    """Has networks looked at after every second iteration, with the scores that a test wants, or else 0.1.

    The learner still looks. A score is of its iteration, so that a resumed training finds it again.
    """

    def patched(scores: dict[int, float]) -> None:
        for learner in (Classification, Segmentation):
            monkeypatch.setattr(learner, "validation_interval", property(lambda _: 2))
        add = BestLook.add
        monkeypatch.setattr(
            BestLook, "add", lambda self, iteration, _: add(self, iteration, scores.get(iteration, 0.1))
        )

    return patched


def run(order, data_set, packs, folder, channel=None) -> RecordingChannel:
    channel = channel or RecordingChannel()
    session.run(order, data_set.objects, packs, folder, channel)
    return channel


def interrupted(order, data_set, packs, folder, looks: int) -> RecordingChannel:
    """Stopped after so many looks."""
    channel = RecordingChannel(stop_after=("validation", looks))
    with pytest.raises(Stopped):
        run(order, data_set, packs, folder, channel)
    return channel


def looks_of(channel: RecordingChannel) -> TrainingLooks:
    found = from_message(channel.events[-1].trained)
    assert found
    return found


def weights_of(channel: RecordingChannel) -> Path:
    return Path(channel.events[-1].trained.weights_path)


def test_e4_a_resumed_training_has_the_best_look_of_the_straight_one(
    order, data_set, packs, tmp_path, scored
):
    """E4, T5: killed after its best look, it hands on those weights, bit for bit, wherever it goes on."""
    scored({4: 0.9, 8: 0.9, 12: 0.7})
    straight = run(order(), data_set, packs, tmp_path / "straight")
    looks = looks_of(straight).classification
    assert looks == NetworkLooks(12, 6, 4, 0.9, 12, 0.7, 4)
    assert straight.of("trained")[0].validation_accuracy == 0.9

    first = interrupted(order(checkpoint_interval_s=0.001), data_set, packs, tmp_path / "first", 3)
    files = {file.checkpoint.next_iteration: file for file in first.of("checkpoint")}
    assert max(files) == 6
    second = run(order(resume=stored(data_set, files[6])), data_set, packs, tmp_path / "second")
    assert first.losses | second.losses == straight.losses
    assert looks_of(second).classification == looks
    assert weights_of(second).read_bytes() == weights_of(straight).read_bytes()

    weights, then = load_weights(weights_of(straight)), safetensors.torch.load_file(files[4].path)
    assert all(torch.equal(tensor, then[f"network.{name}"]) for name, tensor in weights.tensors.items())
    assert weights.certificate["lineage"]["looks"]["classification"] == asdict(looks)


def test_e4_patience_ends_a_training_early_and_the_log_says_why(order, data_set, packs, tmp_path, scored):
    """E4: it saves time, nobody wonders about a curve that stops, and a checkpoint knows the looks before."""
    scored({4: 0.9, 10: 0.95})
    patient = order(classification={"patience": 2})
    straight = run(patient, data_set, packs, tmp_path / "work")
    assert list(straight.losses) == list(range(8))
    assert looks_of(straight).classification == NetworkLooks(12, 4, 4, 0.9, 8, 0.1, 2)
    log = [line.text for line in straight.of("log")]
    assert "ended early after 8 of 12 iterations: 2 looks in turn were no better (patience 2)" in log
    assert "weights of iteration 4: validation accuracy 0.9000, the best of 4 looks; last 0.1000" in log

    first = interrupted(patient, data_set, packs, tmp_path / "first", 3)
    resume = stored(data_set, first.events[-1].checkpoint)
    second = run(resumed(patient, resume), data_set, packs, tmp_path / "second")
    assert first.losses | second.losses == straight.losses
    assert looks_of(second) == looks_of(straight)


def test_e4_a_patience_longer_than_there_are_looks_is_told(order, data_set, packs, tmp_path, scored):
    """E4: how often a training can look depends on its validation side, which the wizard does not know."""
    scored({2: 0.9})
    channel = run(order(classification={"patience": 5}), data_set, packs, tmp_path / "work")
    assert list(channel.losses) == list(range(12))
    assert any("patience 5 cannot end this training early" in line.text for line in channel.of("log"))


def test_e4_a_checkpoint_from_before_looks_were_kept_is_resumed(order, data_set, packs, tmp_path, scored):
    """T5: an update of Loupe must not cost a training that runs; the log says what does not count."""
    scored({2: 0.9})
    first = interrupted(order(), data_set, packs, tmp_path / "first", 2)
    path = Path(first.events[-1].checkpoint.path)
    with safetensors.safe_open(path, "pt") as file:
        progress = json.loads(file.metadata()["loupe"])
    del progress["looks"]
    old = {
        name: its for name, its in safetensors.torch.load_file(path).items() if not name.startswith("best.")
    }
    safetensors.torch.save_file(old, path, {"loupe": json.dumps(progress)})
    resume = stored(data_set, first.events[-1].checkpoint)
    second = run(order(resume=resume), data_set, packs, tmp_path / "second")
    assert looks_of(second).classification == NetworkLooks(12, 4, 6, 0.1, 12, 0.1, 3)
    assert any("from before looks were kept" in line.text for line in second.of("log"))


def test_e4_each_network_has_its_own_best_look(tmp_path, packs, scored):
    """E4: the classifier's best weights wait in the checkpoint while the segmentation network trains."""
    masked = masked_data_set(tmp_path / "objects")
    order = train_order(
        masked.manifest(),
        train_segmentation=True,
        classification={"max_iter": 4},
        segmentation={"max_iter": 6},
    )
    scored({2: 0.9, 4: 0.4})
    straight = run(order, masked, packs, tmp_path / "straight")
    assert looks_of(straight) == TrainingLooks(
        NetworkLooks(4, 2, 2, 0.9, 4, 0.4, 1), NetworkLooks(6, 3, 2, 0.9, 6, 0.1, 2)
    )
    first = interrupted(order, masked, packs, tmp_path / "first", 4)
    second = run(
        resumed(order, stored(masked, first.events[-1].checkpoint)), masked, packs, tmp_path / "second"
    )
    assert not second.curve("classification")
    assert looks_of(second) == looks_of(straight)
    assert weights_of(second).read_bytes() == weights_of(straight).read_bytes()
