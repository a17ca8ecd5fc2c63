"""The main job survives the death of every process it needs, one after another (T5, T6, M5)."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nats
import psutil
import pytest
from google.protobuf import json_format, struct_pb2
from loupe.client import Loupe
from loupe.events.v1 import events_pb2
from loupe.profile import load_profile
from loupe.registry.v1 import (
    algorithm_image_pb2,
    algorithm_image_service_pb2,
    model_service_pb2,
)
from loupe.sample import write_sample
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from deploy.embedded import stack
from services.kit.errors import FailedPrecondition

pytestmark = pytest.mark.stack

_LEASE_S = 3
_ITERATIONS = 400


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A whole stack with one trainer and one evaluator, whose leases run out fast."""
    monkeypatch.setenv("LOUPE_LEASE_S", str(_LEASE_S))
    folder = tmp_path / "stack"
    stack.up(folder, detach=True, trainers=1, evaluators=1)
    yield folder
    stack.down(folder)


def _eventually(what: str, condition: Callable[[], bool], deadline_s: float = 60.0) -> None:
    """Wait for a condition; a service that is away right now is part of the story."""
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        try:
            if condition():
                return
        except Exception as error:  # noqa: BLE001 - services are being killed under us
            last: Exception | None = error
        else:
            last = None
        time.sleep(0.1)
    raise AssertionError(f"not within {deadline_s:g} s: {what} ({last!r})")


def _pid(data_dir: Path, process: str) -> int:
    found = next(p for p in stack.status(data_dir).processes if p.name == process)
    assert found.pid is not None, f"{process} does not run"
    return found.pid


def _kill(data_dir: Path, process: str) -> None:
    """Kill -9, and wait until the supervisor has another one."""
    pid = _pid(data_dir, process)
    # What the supervisor started for PostgreSQL may be a wrapper: the whole tree dies.
    victims = (
        [psutil.Process(pid)]
        if process != "postgres"
        else [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    )
    for victim in victims:
        try:
            os.kill(victim.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    _eventually(
        f"{process} is back",
        lambda: any(
            p.name == process and p.pid not in {None, pid} and p.state.value == "ready"
            for p in stack.status(data_dir).processes
        ),
    )


def _tiny_image(loupe: Loupe) -> str:
    """A version of the seeded image that trains fast on two cores."""
    version = algorithm_image_pb2.AlgorithmImageVersion(
        major=3,
        minor=32,
        classification_networks=["ResNet18"],
        input=algorithm_image_pb2.InputSpecification(
            width=32, height=32, channels=3, mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25]
        ),
    )
    classification = {
        "base_lr": 0.01,
        "batch_size": 16,
        "max_iter": _ITERATIONS,
        "weight_decay": 0.0001,
        "momentum": 0.9,
        "lr_policy": "poly",
        "power": 0.9,
        "gamma": 0.1,
    }
    training, model = struct_pb2.Struct(), struct_pb2.Struct()
    json_format.ParseDict({"classification": classification}, training)
    json_format.ParseDict({"classification": {"name": "ResNet18"}}, model)
    version.default_training_params.CopyFrom(training)
    version.default_model_params.CopyFrom(model)
    request = algorithm_image_service_pb2.CreateAlgorithmImageVersionRequest(
        parent="algorithmImages/surface-classification", version=version
    )
    created = loupe.call(loupe.async_client.images.CreateAlgorithmImageVersion, request)
    return str(created.name)


def test_a_training_survives_the_death_of_everything_it_needs(data_dir: Path, tmp_path: Path) -> None:
    """Trainer, child, scheduler, NATS, PostgreSQL die one after another; the task completes once, whole.

    An engineer who submitted in the evening must find one finished task in the morning, with one curve on
    which every iteration stands once, and must be able to release it once.
    """
    write_sample(tmp_path / "images", per_code=12, seed=1)
    with Loupe.connect(data_dir) as loupe:
        loupe.import_folder(tmp_path / "images", dataset="panels", path="main")
        image = _tiny_image(loupe)
        task = loupe.train(
            "survivor",
            image=image,
            datasets=["panels"],
            environment="demo-fab-cell-array",
            request_id="night-shift",
        ).name
        _eventually("training has begun", lambda: loupe.task(task).progress.iteration >= 10, 90)

        def progressed() -> None:
            """The training does new iterations, so that the next kill hits a training that really runs."""
            before = loupe.task(task).progress.iteration
            _eventually(
                f"iterations after {before}",
                lambda: (
                    loupe.task(task).progress.iteration >= min(before + 10, _ITERATIONS - 1)
                    or loupe.task(task).state != task_pb2.TASK_STATE_TRAINING
                ),
                90,
            )

        _kill(data_dir, "trainer-1")
        _eventually("a trainer has taken it up again", lambda: loupe.task(task).recoveries >= 1, 60)
        progressed()
        children = psutil.Process(_pid(data_dir, "trainer-1")).children(recursive=True)
        os.kill(max(children, key=lambda process: process.memory_info().rss).pid, signal.SIGKILL)
        _eventually("the next child has taken it up again", lambda: loupe.task(task).recoveries >= 2, 60)
        progressed()
        for process in ("scheduler", "nats", "postgres"):
            _kill(data_dir, process)
            progressed()
        assert loupe.task(task).state == task_pb2.TASK_STATE_TRAINING, "it ended before everything was killed"

        _eventually("the task has ended", lambda: loupe.task(task).state != task_pb2.TASK_STATE_TRAINING, 240)
        done = loupe.task(task)
        assert done.state == task_pb2.TASK_STATE_COMPLETED, done.failure
        assert done.attempt == 1
        assert loupe.report(task).overall.sample_count > 0

        curve = loupe.call(
            loupe.async_client.tasks.GetLossCurve,
            task_service_pb2.GetLossCurveRequest(name=task, network=task_pb2.NETWORK_CLASSIFICATION),
        )
        assert list(curve.iterations) == list(range(_ITERATIONS)), "a point is missing or doubled"

        assert loupe.release(task).state == task_pb2.TASK_STATE_RELEASED
        with pytest.raises(FailedPrecondition):
            loupe.release(task)
        _eventually("the version is numbered", lambda: bool(loupe.task(task).model_version))
        versions = loupe.call(
            loupe.async_client.models.ListModelVersions,
            model_service_pb2.ListModelVersionsRequest(parent="models/survivor"),
        ).versions
        assert [version.name for version in versions] == ["models/survivor/versions/v3.01"]

        transitions = loupe.call(
            loupe.async_client.tasks.ListTaskTransitions,
            task_service_pb2.ListTaskTransitionsRequest(name=task),
        ).transitions
        states = [transition.to for transition in transitions]
        assert states == [
            task_pb2.TASK_STATE_WAITING,
            task_pb2.TASK_STATE_TRAINING,
            task_pb2.TASK_STATE_COMPLETED,
            task_pb2.TASK_STATE_RELEASED,
        ]
        # The bus was killed too: what it says now is what the rows say, each once, in order (I2).
        _eventually(
            "NATS has every transition once, in order",
            lambda: asyncio.run(_announced(data_dir, task)) == states,
            30,
        )


async def _announced(data_dir: Path, task: str) -> list[int]:
    """Every state that the TASKS stream says the task entered, asked for from the beginning."""
    connection = await nats.connect(load_profile(data_dir).nats_url, allow_reconnect=False)
    try:
        subscription = await connection.jetstream().subscribe(
            f"loupe.{task.replace('/', '.')}.state", stream="TASKS", ordered_consumer=True
        )
        states: list[int] = []
        while True:
            try:
                message = await subscription.next_msg(timeout=1)
            except nats.errors.TimeoutError:
                return states
            states.append(events_pb2.TaskStateChanged.FromString(message.data).transition.to)
    finally:
        await connection.close()
