"""Following a task over connections that break (M5), against a real gRPC server in this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from loupe.scheduler.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc
from loupe.watching import Curve, TaskView, watch_task

from services.kit.errors import NotFound
from services.kit.grpc_client import connect

POINTS = 40
END = 5


class _Scheduler(task_service_pb2_grpc.TaskServiceServicer):
    """Sends revisions 1 to END and points 0 to POINTS - 1, and breaks the connection every few messages."""

    def __init__(self, break_after: int) -> None:
        self.break_after = break_after
        self.task_calls: list[str] = []
        self.loss_calls: list[str] = []

    async def WatchTask(  # noqa: N802 -- the contract's name
        self, request: task_service_pb2.WatchTaskRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[task_service_pb2.WatchTaskResponse]:
        if request.name != "tasks/1":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such task")
        self.task_calls.append(request.cursor)
        first = int(request.cursor or 0) + 1
        for sent, revision in enumerate(range(first, END + 1)):
            if sent == self.break_after:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
            state = task_pb2.TASK_STATE_COMPLETED if revision == END else task_pb2.TASK_STATE_TRAINING
            task = task_pb2.Task(
                name=request.name,
                revision=revision,
                state=state,
                training=task_pb2.TrainingSpec(model_name="m"),
            )
            yield task_service_pb2.WatchTaskResponse(task=task, cursor=str(revision))
            await asyncio.sleep(0)

    async def WatchLoss(  # noqa: N802 -- the contract's name
        self, request: task_service_pb2.WatchLossRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[task_service_pb2.WatchLossResponse]:
        self.loss_calls.append(request.cursor)
        begin = int(request.cursor.partition(":")[2] or 0)
        for sent, first in enumerate(range(begin, POINTS, 4)):
            if sent == self.break_after:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
            yield task_service_pb2.WatchLossResponse(
                first_iteration=first,
                losses=[float(i) for i in range(first, first + 4)],
                attempt=1,
                cursor=f"1:{first + 4}",
                validation=[task_pb2.ValidationPoint(iteration=first, accuracy=first / POINTS)],
            )


@asynccontextmanager
async def _served(scheduler: _Scheduler) -> AsyncIterator["task_service_pb2_grpc.TaskServiceAsyncStub"]:
    server = grpc.aio.server()
    task_service_pb2_grpc.add_TaskServiceServicer_to_server(scheduler, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # Without the channel's own retries: it is the watch that must go on.
    async with connect(f"127.0.0.1:{port}", retries=False) as channel:
        yield task_service_pb2_grpc.TaskServiceStub(channel)
    await server.stop(None)


@pytest.mark.parametrize("break_after", [1, 3, 1000])
async def test_a_watch_over_a_broken_connection_misses_nothing_and_doubles_nothing(break_after: int) -> None:
    """M5: the curve of a viewer whose connection broke is the curve of one whose connection did not."""
    scheduler = _Scheduler(break_after)
    revisions: list[int] = []
    view = TaskView()
    async with _served(scheduler) as stub:
        async for view in watch_task(stub, "tasks/1"):
            if view.task.revision and (not revisions or revisions[-1] != view.task.revision):
                revisions.append(view.task.revision)
    assert revisions == sorted(set(revisions))
    assert view.ended
    assert view.curves["classification"].losses == [float(i) for i in range(POINTS)]
    assert list(view.curves["classification"].validation) == list(range(0, POINTS, 4))
    assert len(scheduler.task_calls) == (1 if break_after > END else -(-END // break_after))
    # Each call went on where the one before had ended.
    assert scheduler.task_calls == sorted(scheduler.task_calls, key=lambda cursor: int(cursor or 0))


async def test_what_the_server_refuses_ends_the_watch_with_its_reason() -> None:
    """Asking again for a task that does not exist would hang for ever."""
    async with _served(_Scheduler(1000)) as stub:
        with pytest.raises(NotFound):
            async for _ in watch_task(stub, "tasks/2"):
                pass


def _points(first: int, losses: list[float], attempt: int = 1) -> task_service_pb2.WatchLossResponse:
    return task_service_pb2.WatchLossResponse(first_iteration=first, losses=losses, attempt=attempt)


def test_a_training_taken_up_again_draws_over_its_curve() -> None:
    """T5: a worker goes on from its checkpoint; what comes after it is drawn a second time."""
    curve = Curve()
    curve.add(_points(0, [5, 4, 3, 2]))
    curve.add(_points(2, [3, 1]))
    assert curve.losses == [5, 4, 3, 1]


def test_a_new_attempt_begins_a_new_curve() -> None:
    """T1: start sets the progress back to 0; the old attempt's losses are not this one's."""
    curve = Curve()
    curve.add(_points(0, [5, 4, 3]))
    curve.add(_points(0, [6], attempt=2))
    assert curve.losses == [6]
