"""Somebody imports, trains and releases on a disturbed installation, and notes what is acknowledged."""

import contextlib
import hashlib
import itertools
import threading
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

from tests.faults import evidence
from tests.faults.scenario import insisting, submit, tiny_image

_DATASET = "panels"
_IMAGES_A_PATH = 6
_IMAGE = "algorithmImages/surface-classification/versions/v3.32"
_DEADLINE_S = 300.0
_PATIENCE_S = 0.2
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
    failures: dict[str, str] = field(default_factory=dict)
    """Why a training failed, by its task: none of what happens here is its user's fault (T5)."""
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def steps(self) -> int:
        """Of trainings: completed, released, numbered."""
        return sum(self.tasks.values()) + len(self.versions)

    def __str__(self) -> str:
        """So much."""
        return f"{len(self.samples)} imports and {self.steps} steps of trainings"

    def note(self, change: Callable[[], object]) -> None:
        """Write something down."""
        with self.changed:
            change()
            self.changed.notify_all()

    def wait_for(self, *, imports: int = 0, steps: int = 0) -> None:
        """Return when there are so many more, or a training has failed; TimeoutError."""
        with self.changed:
            wanted = len(self.samples) + imports, self.steps + steps

            def is_so_far() -> bool:
                return bool(self.failures) or (len(self.samples) >= wanted[0] and self.steps >= wanted[1])

            if not self.changed.wait_for(is_so_far, _DEADLINE_S):
                raise TimeoutError(f"after {_DEADLINE_S:g} s {self}, not {wanted}")


def prepare(data_dir: Path, folder: Path, *, iterations: int) -> None:
    """What trainings need, once in each installation."""
    write_sample(folder, per_code=8, seed=1)
    with Loupe.connect(data_dir) as loupe:
        loupe.import_folder(folder, dataset=_DATASET, path="main")
        tiny_image(loupe, iterations)


@contextlib.contextmanager
def work(loupe: Loupe, folder: Path, acknowledged: Acknowledged, number: int) -> Iterator[None]:
    """Meanwhile data are imported, models trained and released; `number` tells this time from others."""
    ended = threading.Event()
    workers = [
        # Whoever waits for a training that does not go on must not keep the failure from being told.
        threading.Thread(target=_go_on, args=(steps, ended), daemon=True)
        for steps in (
            _importing(loupe, folder, acknowledged, number),
            _training(loupe, acknowledged, number),
        )
    ]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        ended.set()
    for worker in workers:
        worker.join()


def _go_on(steps: "_Steps", ended: threading.Event) -> None:
    """One step after the other; one that nobody answers is tried again."""
    while not ended.is_set():
        try:
            steps()
        except (LoupeError, grpc.RpcError, OSError):
            ended.wait(_PATIENCE_S)


_Steps = Callable[[], None]


def _importing(loupe: Loupe, folder: Path, acknowledged: Acknowledged, number: int) -> _Steps:
    """Small data paths, one after the other."""
    pixels = np.random.default_rng(number)
    parts = itertools.count()

    def step() -> None:
        path = f"work-{number}-{next(parts)}"
        hashes = {}
        for image in range(_IMAGES_A_PATH):
            file = folder / path / f"C{image % 2}" / f"{image}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            data = cv2.imencode(".png", pixels.integers(0, 256, (64, 64), np.uint8))[1].tobytes()
            file.write_bytes(data)
            hashes[f"C{image % 2}/{image}.png"] = hashlib.sha256(data).hexdigest()
        result = loupe.import_folder(folder / path, dataset=_DATASET, path=path)
        if not result.rejected:
            acknowledged.note(lambda: acknowledged.samples.__setitem__(path, hashes))

    return step


def _training(loupe: Loupe, acknowledged: Acknowledged, number: int) -> _Steps:
    """One training after the other, each released; those that were interrupted first."""
    seeds = itertools.count()

    def reached(task: str, rank: int) -> None:
        acknowledged.note(lambda: acknowledged.tasks.__setitem__(task, rank))

    def failed(task: str, failure: task_pb2.Failure) -> None:
        del acknowledged.tasks[task]
        told = f"{failure.code}: {failure.message}"
        acknowledged.note(lambda: acknowledged.failures.__setitem__(task, told))

    def step() -> None:
        task = next((name for name, rank in acknowledged.tasks.items() if rank < 2), None)
        if task is None:
            task = submit(loupe, _IMAGE, f"work-{number}-{next(seeds)}", number)
            reached(task, 0)
        for view in loupe.watch(task):
            if view.task.state in _RANK:
                reached(task, _RANK[view.task.state])
            if view.task.state == task_pb2.TASK_STATE_FAILED:
                failed(task, view.task.failure)
                return
        if acknowledged.tasks[task] < 2:
            loupe.release(task)
            reached(task, 2)
        if version := loupe.task(task).model_version:
            acknowledged.note(lambda: acknowledged.versions.add(version))

    return step


def missing(data_dir: Path, acknowledged: Acknowledged, compared: Counter[str]) -> list[str]:
    """Everything that is missing of what was acknowledged, and of what rows name."""
    found = [f"{task} failed: {told}" for task, told in acknowledged.failures.items()]
    with Loupe.connect(data_dir) as loupe:
        for path, hashes in acknowledged.samples.items():
            listed = insisting(lambda: _listed(loupe, path))  # noqa: B023 -- called at once
            found += [f"{path}/{file} is not listed" for file in hashes.keys() - listed.keys()]
            found += [
                f"{path}/{file} changed" for file in hashes.keys() & listed if hashes[file] != listed[file]
            ]
            compared["samples"] += len(hashes)
        for task, rank in acknowledged.tasks.items():
            state = insisting(lambda: loupe.task(task)).state  # noqa: B023 -- as above
            if _RANK.get(state, 0) < rank:
                found.append(f"{task} was at {rank}, is {task_pb2.TaskState.Name(state)}")
            compared["tasks"] += 1
        for version in acknowledged.versions:
            request = model_service_pb2.GetModelVersionRequest(name=version)
            try:
                insisting(lambda: loupe.call(loupe.async_client.models.GetModelVersion, request))  # noqa: B023 -- as above
            except NotFound:
                found.append(f"{version} is gone")
            compared["versions"] += 1
    found += evidence.lost_objects(data_dir, compared)
    found += evidence.lost_events(data_dir, compared)
    return found


def _listed(loupe: Loupe, path: str) -> dict[str, str]:
    request = dataset_service_pb2.ListSamplesRequest(
        parent=f"datasets/{_DATASET}/paths/{path}", page_size=100
    )

    async def collect() -> dict[str, Any]:
        stub = loupe.async_client.datasets.ListSamples
        return {sample.file: sample.sha256 async for sample in pages(stub, request, "samples")}

    return loupe.call(collect)
