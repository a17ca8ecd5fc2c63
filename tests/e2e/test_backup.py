"""A backup of a stack at work is restored on another path, where the work goes on (M5, R2)."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import stack
from tests.e2e.conftest import COMMAND_TIMEOUT_S, Loupe

LONG = ["--set", "max_iter=1000000", "--set", "batch_size=8", "--set", "base_lr=0.02"]


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


def test_a_release_resolves_a_picture_opens_and_a_training_goes_on(
    loupe: Loupe, panels: Path, released: dict[str, Any], other: Loupe, tmp_path: Path
) -> None:
    """The stack trains while the backup is made; the second backup brings what is new, and its checkpoint."""
    assert panels.is_dir()
    running = loupe.json("train", "--retrain", "panel-adc@v3.01", *LONG)["name"]
    place = tmp_path / "backups"
    place.mkdir()
    first = loupe.json("backup", place)
    assert first["copiedObjects"] == first["objects"] > 35
    eventually(lambda: loupe.json("backup", place) and list((place / "objects").glob("checkpoints/*")))
    assert loupe.json("backup", "--verify", place)["faults"] == []
    assert loupe.json("status")["lastBackup"]["place"].startswith(str(place))
    assert loupe("terminate", running).code == 0

    assert other.json("restore", place)["events"]["MODELS"] >= 1
    again = other("restore", place)
    assert (again.code, again.stdout) == (1, "")
    assert "is not empty; name a folder that is" in again.stderr
    stack.up(other.data_dir, detach=True)

    assert other.json("models", "panel-adc@latest")["name"] == released["modelVersion"]
    saved = other("samples", released["name"], "--download", tmp_path / "all.zip")
    assert saved.code == 0, saved.stderr
    assert eventually(lambda: [one for one in beginnings(other, running) if one > 0])
    checked = other.json("check")
    assert (checked["lostCount"], checked["findings"]) == (0, [])
