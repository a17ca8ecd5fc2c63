"""A backup of a stack at work is restored on another path, where the work goes on (M5, R2, T5)."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import stack, workers
from deploy.embedded.workers import Workers
from tests.e2e.conftest import COMMAND_TIMEOUT_S, Loupe

SLOW = ["--set", "batch_size=8", "--set", "base_lr=0.02", "--set"]


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Loupe]:
    """Where the backup goes; its stack ends with the test."""
    root = tmp_path / "another host"
    yield Loupe(root)
    stack.down(root)


def eventually(ask: Callable[[], Any]) -> Any:  # noqa: ANN401 -- what was asked for
    """The first answer that is not empty; each is a command, which takes a while."""
    deadline_s = time.monotonic() + COMMAND_TIMEOUT_S
    while not (found := ask()):
        assert time.monotonic() < deadline_s
    return found


def beginnings(loupe: Loupe, task: str) -> list[int]:
    """At which iteration each run of a training began, as its log says."""
    return [int(one) for one in re.findall(r"iterations (\d+)\.\.", loupe("logs", task).stdout)]


@dataclass(frozen=True)
class Cut:
    """A training that has a checkpoint and no worker any more."""

    task: str
    iterations: int


@pytest.fixture
def cut(loupe: Loupe, released: dict[str, Any]) -> Iterator[Cut]:
    """One that is not done when its trainer goes, however fast this machine is."""
    assert released["state"] == "TASK_STATE_RELEASED"
    iterations = trained = 50
    while trained == iterations:
        assert loupe("scale", "trainers=1").code == 0
        iterations *= 3
        task = loupe.json("train", "--retrain", "panel-adc@v3.01", *SLOW, f"max_iter={iterations}")["name"]
        eventually(lambda: beginnings(loupe, task))  # noqa: B023 -- awaited here
        assert loupe("scale", "trainers=0").code == 0
        trained = int(loupe.json("curve", task)["totalPoints"])
    yield Cut(task, iterations)
    loupe("terminate", task)
    assert loupe("scale", "trainers=1").code == 0


def test_a_release_resolves_a_picture_opens_and_a_training_finishes(
    loupe: Loupe, released: dict[str, Any], cut: Cut, other: Loupe, tmp_path: Path
) -> None:
    """Encrypted, in one file; the first backup was of a folder, with what is not new copied once."""
    folder, file, words = tmp_path / "backups", tmp_path / "loupe.tar", tmp_path / "words"
    folder.mkdir()
    words.write_text("seven panels under one loupe\n")
    sealed = ("--passphrase-file", words)
    first = loupe.json("backup", folder)
    assert first["copiedObjects"] == first["objects"] > 35
    assert loupe.json("backup", folder)["copiedObjects"] < first["objects"]
    assert loupe.json("backup", file, "--encrypt", *sealed)["encrypted"]
    assert loupe.json("status")["lastBackup"]["place"] == str(file)
    for place, key in ((folder, ()), (file, sealed)):
        assert loupe.json("backup", "--verify", place, *key)["faults"] == []
    content = file.read_bytes()
    flipped = len(content) // 2
    file.write_bytes(content[:flipped] + bytes([content[flipped] ^ 1]) + content[flipped + 1 :])
    assert loupe("backup", "--verify", file, *sealed).code == 1
    assert "altered" in other("restore", file, *sealed).stderr
    file.write_bytes(content)

    assert other.json("restore", file, *sealed)["events"]["MODELS"] >= 1
    again = other("restore", file, *sealed)
    assert (again.code, again.stdout) == (1, "")
    assert "is not empty; name a folder that is" in again.stderr
    assert workers.read(other.data_dir / "workers.json") == Workers(trainers=0, evaluators=1)
    stack.up(other.data_dir, detach=True, trainers=1)

    assert other.json("models", "panel-adc@latest")["name"] == released["modelVersion"]
    saved = other("samples", released["name"], "--download", tmp_path / "all.zip")
    assert saved.code == 0, saved.stderr
    done = other("watch", cut.task)
    assert done.code == 0, done.stderr
    assert max(beginnings(other, cut.task)) > 0
    curve = other.json("curve", cut.task, "--points", "0")
    assert list(map(int, curve["iterations"])) == list(range(cut.iterations))
    checked = other.json("check")
    assert (checked["lostCount"], checked["findings"]) == (0, [])
