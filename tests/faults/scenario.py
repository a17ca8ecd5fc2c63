"""Short trainings on a whole stack while its processes are killed one after another.

One code, two sizes: `make faults` runs the large one, `make test` a small one.
"""

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from loupe.client import Loupe
from loupe.errors import FailedPrecondition, LoupeError
from loupe.registry.v1 import algorithm_image_pb2, algorithm_image_service_pb2, model_service_pb2
from loupe.sample import write_sample
from loupe.scheduler.v1 import task_pb2

from deploy.embedded import stack
from tests.faults import evidence, killing

T = TypeVar("T")

_SETTINGS = {
    # A superseded checkpoint is deleted soon, so that the deleting too is under fire.
    "LOUPE_CHECKPOINT_GRACE_S": "5",
    "LOUPE_TORCH_THREADS": "1",
}
_ENDED = (task_pb2.TASK_STATE_COMPLETED, task_pb2.TASK_STATE_FAILED, task_pb2.TASK_STATE_RELEASED)
_PROGRESS_DEADLINE_S = 300.0
BATCH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is run."""

    trainings: int
    kills: int
    seeds: int
    """So many different trainings among them: those of one seed must come out the same."""
    iterations: int
    checkpoint_interval_s: float
    trainers: int = 2
    evaluators: int = 1


@dataclass
class Outcome:
    """What came of it. `violations` is empty unless something promised was not kept."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    figures: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


def run(folder: Path, size: Size, seed: int, tell: Callable[[str], None] = lambda _: None) -> Outcome:
    """Everything: start, train undisturbed, train under fire, look at what is left, stop, look again."""
    outcome = Outcome(seed)
    data_dir, temporary = folder / "stack", folder / "tmp"
    temporary.mkdir(parents=True)
    interval = {"LOUPE_CHECKPOINT_INTERVAL_S": str(size.checkpoint_interval_s)}
    with environment({**_SETTINGS, **interval, "TMPDIR": str(temporary)}):
        try:
            stack.up(data_dir, detach=True, trainers=size.trainers, evaluators=size.evaluators)
            with Loupe.connect(data_dir) as loupe:
                write_sample(folder / "images", per_code=12, seed=1)
                loupe.import_folder(folder / "images", dataset="panels", path="main")
                _train(loupe, data_dir, size, outcome, tell)
        finally:
            ports = evidence.ports(data_dir)
            stack.down(data_dir)
    outcome.violations += evidence.left_behind(folder, data_dir, temporary, ports)
    return outcome


def _train(loupe: Loupe, data_dir: Path, size: Size, outcome: Outcome, tell: Callable[[str], None]) -> None:
    image = tiny_image(loupe, size.iterations)
    evidence.keep_history(data_dir)
    references = {
        number: submit(loupe, image, f"undisturbed-{number}", number) for number in range(size.seeds)
    }
    _until_ended(loupe, list(references.values()))
    tell("undisturbed trainings done")

    started = time.monotonic()
    blows = killing.plan(
        outcome.seed,
        kills=size.kills,
        trainings=size.trainings,
        among=killing.targets(size.trainers, size.evaluators),
    )
    submitted = {
        submit(loupe, image, f"survivor-{number}", number % size.seeds): number % size.seeds
        for number in range(size.trainings)
    }
    progress = _Progress(loupe, submitted)
    kills = []
    for kill in killing.strikes(data_dir, blows, progress.done, outcome.seed, _PROGRESS_DEADLINE_S):
        kills.append(kill)
        outcome.kills[kill.target] += 1
        told = f"kill {len(kills)} of {size.kills}: {kill.target} ({kill.pid}), work {progress.last:.2f}"
        tell(f"{time.monotonic() - started:6.1f} s  {told}")
    _until_ended(loupe, list(submitted))
    outcome.figures |= {"under fire, s": round(time.monotonic() - started, 1), "kills": len(kills)}
    if len(kills) < size.kills:
        outcome.violations.append(f"only {len(kills)} of {size.kills} kills found a process")
    tell("all have ended")
    found = evidence.gather(evidence.Case(data_dir, loupe, submitted, references, size.iterations, kills))
    outcome.figures |= found.figures
    outcome.violations += found.violations
    outcome.violations += _release_once(loupe, data_dir, next(iter(submitted)))


def _release_once(loupe: Loupe, data_dir: Path, task: str) -> list[str]:
    """Released while the registry is dead: decided at once, refused again, numbered once (R1, R2)."""
    killing.processes(data_dir)["registry"].kill()
    states = [insisting(lambda: loupe.release(task)).state]
    try:
        insisting(lambda: loupe.release(task))
    except FailedPrecondition:
        states.append(task_pb2.TASK_STATE_RELEASED)
    until = time.monotonic() + 60
    while not (version := insisting(lambda: loupe.task(task)).model_version) and time.monotonic() < until:
        time.sleep(0.1)
    parent = version.rpartition("/versions/")[0]
    request = model_service_pb2.ListModelVersionsRequest(parent=parent)
    answer = insisting(lambda: loupe.call(loupe.async_client.models.ListModelVersions, request))
    numbered = [(found.name, found.task) for found in answer.versions]
    if states == [task_pb2.TASK_STATE_RELEASED] * 2 and numbered == [(f"{parent}/versions/v3.01", task)]:
        return []
    return [f"released {task} to states {states} and versions {numbered}"]


def submit(loupe: Loupe, image: str, name: str, number: int, iterations: int | None = None) -> str:
    """The task's name; asked again under the same request id until somebody answers (W12).

    `iterations`: others than those of the image.
    """
    spec = task_pb2.TrainingSpec(
        model_name=name,
        algorithm_image_version=image,
        production_environment="productionEnvironments/demo-fab-cell-array",
        data_paths=["datasets/panels/paths/main"],
        compute_resource="computeResources/cpu",
        preprocessing=task_pb2.PreprocessingParams(
            filter_resolution=True, augmentations=[task_pb2.AUGMENTATION_COLOUR, task_pb2.AUGMENTATION_FLIP]
        ),
        seed=number + 1,
        training_params_json=json.dumps({"classification": {"max_iter": iterations}} if iterations else {}),
        acknowledge_missing_training_paths=True,
    )
    submitted = insisting(
        lambda: loupe.call(loupe.async_client.submit, task_pb2.Task(training=spec), request_id=name)
    )
    return str(submitted.name)


def _until_ended(loupe: Loupe, tasks: list[str]) -> None:
    progress = _Progress(loupe, tasks)
    best, until = -1.0, time.monotonic() + _PROGRESS_DEADLINE_S
    while not progress.ended:
        if progress.done() > best:
            best, until = progress.last, time.monotonic() + _PROGRESS_DEADLINE_S
        if time.monotonic() > until:
            raise TimeoutError(f"for {_PROGRESS_DEADLINE_S:g} s nothing went on: {progress.described()}")
        time.sleep(0.2)


class _Progress:
    """How far trainings are, as the scheduler's list tells it; what it told last while it is away."""

    def __init__(self, loupe: Loupe, tasks: Any) -> None:  # noqa: ANN401 -- any iterable of names
        self._loupe = loupe
        self._known: dict[str, task_pb2.Task | None] = dict.fromkeys(tasks)

    def done(self) -> float:
        """How many trainings' worth of work."""
        with contextlib.suppress(LoupeError):
            for task in self._loupe.tasks(limit=500):
                if task.name in self._known:
                    self._known[task.name] = task
        return self.last

    @property
    def last(self) -> float:
        """The same, without asking."""
        return sum(
            1.0 if task.state in _ENDED else task.progress.overall_fraction
            for task in self._known.values()
            if task is not None
        )

    @property
    def ended(self) -> bool:
        """Whether none goes on."""
        return all(task is not None and task.state in _ENDED for task in self._known.values())

    def described(self) -> str:
        """Those that go on."""
        return "; ".join(
            f"{name} {task_pb2.TaskState.Name(task.state)} {task.wait.reason}"
            for name, task in self._known.items()
            if task is not None and task.state not in _ENDED
        )


def insisting(wish: Callable[[], T], deadline_s: float = 120.0) -> T:
    """The answer, from services that are away now and then."""
    until = time.monotonic() + deadline_s
    while True:
        try:
            return wish()
        except LoupeError as error:
            if not error.transient or time.monotonic() > until:
                raise
        time.sleep(0.2)


def tiny_image(loupe: Loupe, iterations: int) -> str:
    """A version of the seeded image that trains fast on two cores."""
    version = algorithm_image_pb2.AlgorithmImageVersion(
        major=3,
        minor=32,
        classification_networks=["ResNet18"],
        input=algorithm_image_pb2.InputSpecification(
            width=32, height=32, channels=3, mean=[0.5] * 3, std=[0.25] * 3
        ),
    )
    version.default_model_params.update({"classification": {"name": "ResNet18"}})
    version.default_training_params.update(
        {
            "classification": {
                "base_lr": 0.01,
                "batch_size": BATCH,
                "max_iter": iterations,
                "weight_decay": 0.0001,
                "momentum": 0.9,
                "lr_policy": "poly",
                "power": 0.9,
                "gamma": 0.1,
            }
        }
    )
    request = algorithm_image_service_pb2.CreateAlgorithmImageVersionRequest(
        parent="algorithmImages/surface-classification", version=version
    )
    return str(loupe.call(loupe.async_client.images.CreateAlgorithmImageVersion, request).name)


@contextlib.contextmanager
def environment(changes: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
