"""How tasks are looked at: one with its place in the queue, many by a filter (rules T3, T4)."""

from dataclasses import dataclass

from services.scheduler.domain.queue import QueuePlace
from services.scheduler.domain.task import Task, TaskKind, TaskState


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as a user sees it; `place` while one of its jobs waits for a worker."""

    task: Task
    place: QueuePlace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks a list shows; what is empty filters nothing."""

    states: tuple[TaskState, ...] = ()
    model_name_contains: str = ""
    creator: str = ""
    production_environment: str = ""
    kind: TaskKind | None = None
    tried_version: str = ""
