"""Facts as `loupe.events.v1` messages, and the subjects they go out on (I2)."""

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

# A message must stay well below what NATS takes.
_POINTS_A_MESSAGE = 50_000


def state_subject(task: Task) -> str:
    """Where a task's transitions go."""
    return f"loupe.tasks.{task.id}.state"


def stage_subject(task_id: str) -> str:
    """Where a task's stages and phases go."""
    return f"loupe.tasks.{task_id}.stage"


def loss_subject(task_id: str, network: Network) -> str:
    """Where a network's points go."""
    return f"loupe.tasks.{task_id}.loss.{network.lower()}"


def state_changed(task: Task, transition: TaskTransition, releaser: str) -> events_pb2.TaskStateChanged:
    """A task entered a state, or was deleted. A release carries what the registry needs (R1)."""
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


def stage_changed(  # noqa: PLR0913 -- what the event says
    task_id: str,
    attempt: int,
    *,
    stage: Stage | None,
    phase: Phase | None,
    now: datetime,
    started: datetime | None,
) -> events_pb2.TaskStageChanged:
    """A stage, or only the phase, is another one now."""
    return events_pb2.TaskStageChanged(
        task=f"tasks/{task_id}",
        attempt=attempt,
        stage=tasks.stage(stage) if stage is not None else None,
        phase=tasks.phase(phase),
        time=timestamp(now),
        elapsed=duration((now - started).total_seconds() if started else None),
    )


def loss_points(task_id: str, attempt: int, points: Points) -> Iterator[events_pb2.LossPointsRecorded]:
    """Points, in as many messages as they need."""
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
