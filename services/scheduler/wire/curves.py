"""Loss curves and logs as messages."""

import numpy as np
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from services.scheduler.curves import Curve
from services.scheduler.domain.job import Network
from services.scheduler.domain.loss import LogNews, LossNews
from services.scheduler.wire.tasks import network
from services.scheduler.wire.values import timestamp


def curve(task_id: str, of: Network, value: Curve) -> task_service_pb2.LossCurve:
    """A curve to plot."""
    return task_service_pb2.LossCurve(
        task=f"tasks/{task_id}",
        network=network(of),
        attempt=value.attempt,
        iterations=value.iterations.tolist(),
        losses=value.losses.tolist(),
        total_points=value.total_points,
        thinned=value.is_thinned,
        validation=_validation(value.validation),
    )


def loss_news(value: LossNews) -> task_service_pb2.WatchLossResponse:
    """New points."""
    return task_service_pb2.WatchLossResponse(
        first_iteration=value.first_iteration,
        losses=np.frombuffer(value.packed, dtype="<f4").tolist(),
        cursor=str(value.cursor),
        attempt=value.cursor.attempt,
        step_time=timestamp(value.step_time),
        validation=_validation(value.validation),
    )


def log_news(value: LogNews) -> task_service_pb2.ReadLogResponse:
    """New lines."""
    return task_service_pb2.ReadLogResponse(lines=value.lines, cursor=str(value.next_line))


def _validation(points: list[tuple[int, float]]) -> list[task_pb2.ValidationPoint]:
    return [task_pb2.ValidationPoint(iteration=i, accuracy=accuracy) for i, accuracy in points]
