"""`loupe scale`: workers come and go while the stack runs, and no training is lost by it."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.embedded.process import is_alive
from tests.e2e.conftest import CODES, COMMAND_TIMEOUT_S, IMAGE, Loupe


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + COMMAND_TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"


def _points(loupe: Loupe, task: str) -> int:
    return len(loupe.json("curve", task, "--points", "0")["iterations"])


def _workers(answer: dict[str, Any]) -> dict[str, int]:
    return {
        process["name"]: process["pid"]
        for process in answer["processes"]
        if process["name"].startswith(("trainer-", "evaluator-worker-"))
    }


def test_t5_a_trainer_that_is_scaled_away_gives_its_training_to_the_next(
    loupe: Loupe, panels: Path, tmp_path: Path
) -> None:
    """The numbers are kept; the other processes stay; the training waits, and goes on where it was."""
    assert panels.is_dir()
    params = tmp_path / "model.json"
    params.write_text(
        json.dumps({"classification": {"name": "ResNet18", "num_of_classes": 5}, "code_list": CODES})
    )
    before = loupe.json("status")
    task = loupe.json(
        "train", "--name", "scaled-1", "--image", IMAGE, "--dataset", "panels", "--model-params", params,
        "--environment", "demo-fab-cell-array", "--request-id", "scaled-1", "--set", "max_iter=4000",
        "--set", "batch_size=8", "--set", "base_lr=0.02",
    )["name"]  # fmt: skip
    _until(lambda: _points(loupe, task) > 0)
    none = loupe.json("scale", "trainers=0", "evaluators=2")
    assert none["workers"] == {"trainers": 0, "evaluators": 2}
    assert set(_workers(none)) == {"evaluator-worker-1", "evaluator-worker-2"}
    assert not is_alive(_workers(before)["trainer-1"])
    assert _workers(none)["evaluator-worker-1"] == _workers(before)["evaluator-worker-1"]
    seen = _points(loupe, task)
    assert loupe.json("task", task)["state"] == "TASK_STATE_TRAINING"
    back = loupe.json("scale", "trainers=1", "evaluators=1")
    assert set(_workers(back)) == {"trainer-1", "evaluator-worker-1"}
    _until(lambda: _points(loupe, task) > seen)
    loupe.json("terminate", task)
    assert json.loads((loupe.data_dir / "workers.json").read_text()) == {"trainers": 1, "evaluators": 1}


def test_a_number_that_no_stack_has_is_refused(loupe: Loupe) -> None:
    """By name, and nothing changes."""
    for wrong in ("trainers", "trainers=65", "gpus=1", "trainers=-1"):
        refused = loupe("scale", wrong)
        assert refused.code == 2
        assert repr(wrong) in refused.stderr
