"""Power cuts: a stack works on a disk of its own; then what was acknowledged is compared with what is left.

`python -m tests.faults power --cuts 20` runs many, `make test` two.
"""

import contextlib
import hashlib
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
from loupe.client import Loupe, pages
from loupe.errors import LoupeError, NotFound
from loupe.registry.v1 import dataset_service_pb2, model_service_pb2
from loupe.sample import write_sample
from loupe.scheduler.v1 import task_pb2

from deploy.embedded import stack
from tests.faults import evidence
from tests.faults.disks import Disk
from tests.faults.scenario import environment, insisting, submit, tiny_image

_SETTINGS = {
    "LOUPE_TORCH_THREADS": "1",
    "LOUPE_CHECKPOINT_INTERVAL_S": "4",
    "LOUPE_CHECKPOINT_GRACE_S": "5",
}
_STACK = "stack"
_DATASET = "panels"
_IMAGES_A_PATH = 6
_PATHS_A_CUT = 12
_DEADLINE_S = 300.0
_RANK = {task_pb2.TASK_STATE_COMPLETED: 1, task_pb2.TASK_STATE_RELEASED: 2}
"""How far a task is: what was seen COMPLETED stays so; WAITING and TRAINING may follow each other."""


@dataclass
class Acknowledged:
    """What somebody was told that it is done."""

    samples: dict[str, dict[str, str]] = field(default_factory=dict)
    """By data path: the SHA-256 of each file."""
    tasks: dict[str, int] = field(default_factory=dict)
    """How far each was."""
    versions: set[str] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def steps(self) -> int:
        """Of trainings: completed, released, numbered."""
        return sum(self.tasks.values()) + len(self.versions)

    def note(self, change: Callable[[], object]) -> None:
        """Write something down."""
        with self.changed:
            change()
            self.changed.notify_all()

    def wait_for(self, *, imports: int = 0, steps: int = 0) -> None:
        """Return when there are so many more; TimeoutError."""
        with self.changed:
            wanted = len(self.samples) + imports, self.steps + steps

            def is_so_far() -> bool:
                return len(self.samples) >= wanted[0] and self.steps >= wanted[1]

            if not self.changed.wait_for(is_so_far, _DEADLINE_S):
                told = f"{len(self.samples)} imports and {self.steps} steps, not {wanted}"
                raise TimeoutError(f"after {_DEADLINE_S:g} s {told}")


@dataclass
class Outcome:
    """What came of it. `violations` is empty unless something acknowledged was lost."""

    seed: int
    durability: str
    cuts: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


def run(
    folder: Path,
    *,
    cuts: int,
    seed: int,
    iterations: int = 60,
    durability: str = "power",
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """So many cuts of one installation, each while it works; NoDisk where none can be mounted."""
    outcome = Outcome(seed, durability)
    disk = Disk(folder)
    data_dir = disk.place / _STACK
    chance = random.Random(seed)
    acknowledged = Acknowledged()
    try:
        disk.make()
        with environment({**_SETTINGS, "LOUPE_DURABILITY": durability}):
            try:
                for number in range(1, cuts + 1):
                    _work_until_cut(disk, acknowledged, chance, iterations=iterations, number=number)
                    stack.up(data_dir, detach=True)
                    found = _compare(data_dir, acknowledged, outcome)
                    outcome.cuts, outcome.violations = number, outcome.violations + found
                    tell(
                        f"cut {number} of {cuts}: {len(acknowledged.samples)} imports, "
                        f"{acknowledged.steps} steps of trainings, {len(found)} violations"
                    )
            finally:
                stack.down(data_dir)
    finally:
        disk.remove()
    return outcome


def _work_until_cut(
    disk: Disk, acknowledged: Acknowledged, chance: random.Random, *, iterations: int, number: int
) -> None:
    data_dir = disk.place / _STACK
    stack.up(data_dir, detach=True)
    ended = threading.Event()
    with Loupe.connect(data_dir) as loupe:
        if number == 1:
            write_sample(disk.place.parent / "images", per_code=8, seed=1)
            loupe.import_folder(disk.place.parent / "images", dataset=_DATASET, path="main")
            tiny_image(loupe, iterations)
        workers = [
            # Whoever waits for a training that does not go on must not keep the failure from being told.
            threading.Thread(target=_until_cut, args=(work, ended), daemon=True)
            for work in (
                _importing(loupe, disk.place.parent / f"new-{number}", acknowledged, number),
                _training(loupe, acknowledged, number),
            )
        ]
        for worker in workers:
            worker.start()
        try:
            if number % 2:
                acknowledged.wait_for(imports=chance.randint(1, _PATHS_A_CUT))
            else:
                acknowledged.wait_for(steps=(number // 2 + 1) % 3 + 1)
            # Not a wait for anything: the moment of the cut is chance.
            time.sleep(chance.uniform(0, 0.4))
            disk.cut_power()
        finally:
            ended.set()
        for worker in workers:
            worker.join()


def _until_cut(work: Iterator[None], ended: threading.Event) -> None:
    """Go on until there is nobody who answers."""
    with contextlib.suppress(LoupeError, grpc.RpcError, OSError):
        for _ in work:
            if ended.is_set():
                return


def _importing(loupe: Loupe, folder: Path, acknowledged: Acknowledged, number: int) -> Iterator[None]:
    """Some small data paths, one after the other."""
    pixels = np.random.default_rng(number)
    for part in range(_PATHS_A_CUT):
        path = f"cut-{number}-{part}"
        hashes = {}
        for image in range(_IMAGES_A_PATH):
            file = folder / path / f"C{image % 2}" / f"{image}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            data = cv2.imencode(".png", pixels.integers(0, 256, (64, 64), np.uint8))[1].tobytes()
            file.write_bytes(data)
            hashes[f"C{image % 2}/{image}.png"] = hashlib.sha256(data).hexdigest()
        result = loupe.import_folder(folder / path, dataset=_DATASET, path=path)
        assert not result.rejected
        acknowledged.note(lambda: acknowledged.samples.__setitem__(path, hashes))  # noqa: B023 -- called at once
        yield


def _training(loupe: Loupe, acknowledged: Acknowledged, number: int) -> Iterator[None]:
    """One training after the other, each released; those that an earlier cut interrupted first."""
    seeds = itertools.count()
    image = "algorithmImages/surface-classification/versions/v3.32"
    while True:
        task = next((name for name, rank in acknowledged.tasks.items() if rank < 2), None)
        if task is None:
            unique = f"cut-{number}-{next(seeds)}"
            task = submit(loupe, image, unique, number)
            acknowledged.note(lambda: acknowledged.tasks.__setitem__(task, 0))  # noqa: B023 -- called at once
        for view in loupe.watch(task):
            state = view.task.state
            if state in _RANK:
                acknowledged.note(lambda: acknowledged.tasks.__setitem__(task, _RANK[state]))  # noqa: B023 -- as above
            yield
        if acknowledged.tasks[task] < 2:
            loupe.release(task)
            acknowledged.note(lambda: acknowledged.tasks.__setitem__(task, 2))  # noqa: B023 -- as above
        version = loupe.task(task).model_version
        if version:
            acknowledged.note(lambda: acknowledged.versions.add(version))  # noqa: B023 -- as above
        yield


def _compare(data_dir: Path, acknowledged: Acknowledged, outcome: Outcome) -> list[str]:
    """Everything that is missing of what was acknowledged, and of what rows name."""
    missing = []
    with Loupe.connect(data_dir) as loupe:
        for path, hashes in acknowledged.samples.items():
            listed = insisting(lambda: _listed(loupe, path))  # noqa: B023 -- called at once
            missing += [f"{path}/{file} is not listed" for file in hashes.keys() - listed.keys()]
            missing += [
                f"{path}/{file} changed" for file in hashes.keys() & listed if hashes[file] != listed[file]
            ]
            outcome.compared["samples"] += len(hashes)
        for task, rank in acknowledged.tasks.items():
            state = insisting(lambda: loupe.task(task)).state  # noqa: B023 -- as above
            if _RANK.get(state, 0) < rank:
                missing.append(f"{task} was at {rank}, is {task_pb2.TaskState.Name(state)}")
            outcome.compared["tasks"] += 1
        for version in acknowledged.versions:
            request = model_service_pb2.GetModelVersionRequest(name=version)
            try:
                insisting(lambda: loupe.call(loupe.async_client.models.GetModelVersion, request))  # noqa: B023 -- as above
            except NotFound:
                missing.append(f"{version} is gone")
            outcome.compared["versions"] += 1
    missing += evidence.lost_objects(data_dir, outcome.compared)
    missing += evidence.lost_events(data_dir, outcome.compared)
    return [f"after cut {outcome.cuts + 1}: {what}" for what in missing]


def _listed(loupe: Loupe, path: str) -> dict[str, str]:
    request = dataset_service_pb2.ListSamplesRequest(
        parent=f"datasets/{_DATASET}/paths/{path}", page_size=100
    )

    async def collect() -> dict[str, Any]:
        stub = loupe.async_client.datasets.ListSamples
        return {sample.file: sample.sha256 async for sample in pages(stub, request, "samples")}

    return loupe.call(collect)
