"""How tasks are looked at: one with its place in the queue, many by a filter (rules T3, T4)."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from services.scheduler.domain.queue import QueuePlace
from services.scheduler.domain.spec import PackageFormat, TrainingOverlap
from services.scheduler.domain.task import TaskHead, TaskKind, TaskState

AnyTask = TypeVar("AnyTask", bound=TaskHead)


@dataclass(frozen=True, slots=True)
class TaskView(Generic[AnyTask]):
    """A task as a user sees it; `place` while one of its jobs waits for a worker."""

    task: AnyTask
    place: QueuePlace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSpec:
    """Of what a task was asked to do, what tells it from others. Empty what its kind does not have."""

    model_name: str
    production_environment: str
    compute_resource: str
    algorithm_image_version: str
    parent_version: str
    train_segmentation: bool
    target_major: int
    tried_version: str
    format: PackageFormat | None
    training_overlap: TrainingOverlap | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTask(TaskHead):
    """One of many: without parameters, data, stages and the end of the log, which make up most of a task."""

    spec: ListedSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks a list shows; what is empty filters nothing."""

    states: tuple[TaskState, ...] = ()
    model_name_contains: str = ""
    creator: str = ""
    production_environment: str = ""
    kind: TaskKind | None = None
    tried_version: str = ""
