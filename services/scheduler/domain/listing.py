"""Tasks as users see them: one with its position in the queue, many by a filter (rules T3, T4)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar

from services.scheduler.domain.queue import QueuePosition
from services.scheduler.domain.spec import PackageFormat, TrainingOverlap
from services.scheduler.domain.task import TaskHead, TaskKind, TaskState

AnyTask = TypeVar("AnyTask", bound=TaskHead)

_UNDER_WAY = (TaskState.WAITING, TaskState.TRAINING)


@dataclass(frozen=True, slots=True)
class TaskView(Generic[AnyTask]):
    """A task as a user sees it; `position` while one of its jobs waits for a worker."""

    task: AnyTask
    position: QueuePosition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSpec:
    """The part of a task's spec that a list shows. Fields that the task's kind does not have are empty."""

    model_name: str
    production_environment: str
    compute_resource: str
    algorithm_image_version: str
    parent_version: str
    train_segmentation: bool
    target_major: int
    # A version, or the `tasks/{task}` of a training.
    tried_version: str
    format: PackageFormat | None
    training_overlap: TrainingOverlap | None
    question_bank: str
    excluded_sample_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTask(TaskHead):
    """A task of a list: without parameters, data, stages and log tail, which are most of a task's bytes."""

    spec: ListedSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks a list shows; an empty field filters nothing."""

    states: tuple[TaskState, ...] = ()
    model_name_contains: str = ""
    creator: str = ""
    production_environment: str = ""
    kind: TaskKind | None = None
    tried_version: str = ""
    # Trainings with any of them.
    data_paths: tuple[str, ...] = ()

    def training_with(self, data_paths: Sequence[str]) -> Self:
        """Only trainings that wait or run, with any of the data paths. Without a state it keeps nothing."""
        wanted = self.states or _UNDER_WAY if self.kind in (None, TaskKind.TRAINING) else ()
        return replace(
            self,
            kind=TaskKind.TRAINING,
            states=tuple(state for state in _UNDER_WAY if state in wanted),
            data_paths=tuple(data_paths),
        )
