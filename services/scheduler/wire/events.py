"""Events as `loupe.events.v1` messages, and their subjects (I2)."""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
from loupe.events.v1 import events_pb2

from services.scheduler.domain.job import Network
from services.scheduler.domain.loss import POINT_BYTES
from services.scheduler.domain.progress import Phase, Stage
from services.scheduler.domain.task import Task, TaskState, TaskTransition
from services.scheduler.domain.work import Points
from services.scheduler.wire import registry, tasks
from services.scheduler.wire.values import duration, timestamp

# Keeps a message well below the size limit of NATS.
_POINTS_A_MESSAGE = 50_000


def state_subject(task: Task) -> str:
    """The subject of a task's transitions."""
    return f"loupe.tasks.{task.id}.state"


def stage_subject(task_id: str) -> str:
    """The subject of a task's stages and phases."""
    return f"loupe.tasks.{task_id}.stage"


def loss_subject(task_id: str, network: Network) -> str:
    """The subject of a network's points."""
    return f"loupe.tasks.{task_id}.loss.{network.lower()}"


def state_changed(task: Task, transition: TaskTransition, releaser: str) -> events_pb2.TaskStateChanged:
    """A task entered a state, or was deleted. A release includes the version for the registry (R1)."""
    message = events_pb2.TaskStateChanged(
        transition=tasks.transition(transition),
        model_name=task.spec.model_name,
        deleted=transition.to_state is None,
    )
    if transition.to_state is TaskState.RELEASED:
        order = registry.release_order(task, releaser)
        message.release.parent = order.parent
        message.release.version.CopyFrom(order.version)
    return message


def stage_changed(  # noqa: PLR0913 -- the fields of the event
    task_id: str,
    attempt: int,
    *,
    stage: Stage | None,
    phase: Phase | None,
    now: datetime,
    started: datetime | None,
) -> events_pb2.TaskStageChanged:
    """A stage changed, or only the phase."""
    return events_pb2.TaskStageChanged(
        task=f"tasks/{task_id}",
        attempt=attempt,
        stage=tasks.stage(stage) if stage is not None else None,
        phase=tasks.phase(phase),
        time=timestamp(now),
        elapsed=duration((now - started).total_seconds() if started else None),
    )


def loss_points(task_id: str, attempt: int, points: Points) -> Iterator[events_pb2.LossPointsRecorded]:
    """Points, in one or several messages."""
    for start in range(0, len(points.packed) // POINT_BYTES, _POINTS_A_MESSAGE):
        part = points.packed[start * POINT_BYTES : (start + _POINTS_A_MESSAGE) * POINT_BYTES]
        yield events_pb2.LossPointsRecorded(
            task=f"tasks/{task_id}",
            attempt=attempt,
            network=tasks.network(points.network),
            first_iteration=points.first_iteration + start,
            losses=np.frombuffer(part, dtype="<f4").tolist(),
            step_time=timestamp(points.step_time),
        )
