"""Following a task: what a viewer knows of it after every message, with no point missing and none twice (M5)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from loupe.scheduler.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc

from services.kit.errors import DeadlineExceeded, LoupeError, Unavailable

FINAL_STATES = frozenset(
    {
        task_pb2.TASK_STATE_COMPLETED,
        task_pb2.TASK_STATE_FAILED,
        task_pb2.TASK_STATE_TERMINATED,
        task_pb2.TASK_STATE_RELEASED,
    }
)
_FIRST_PAUSE_S = 0.2
_MAX_PAUSE_S = 2.0
PATIENCE_S = 120.0
"""How long a watch goes on asking a server that does not answer."""
_LAST_POINTS_S = 2.0
"""How long points may follow the end of the task."""


@dataclass(slots=True)
class Curve:
    """A network's losses of the present attempt, from iteration 0, and its validation accuracies."""

    losses: list[float] = field(default_factory=list)
    validation: dict[int, float] = field(default_factory=dict)
    """Accuracy by iteration, ascending."""
    attempt: int = 0
    cursor: str = ""

    def add(self, message: task_service_pb2.WatchLossResponse) -> None:
        """Take in a message of WatchLoss."""
        if message.attempt != self.attempt:
            self.losses, self.validation, self.attempt = [], {}, message.attempt
        # A worker that went on from a checkpoint draws the same iterations again: the later ones count.
        del self.losses[message.first_iteration :]
        self.losses.extend([float("nan")] * (message.first_iteration - len(self.losses)))
        self.losses.extend(message.losses)
        self.validation.update((point.iteration, point.accuracy) for point in message.validation)
        self.cursor = message.cursor

    @property
    def accuracy(self) -> float | None:
        """The latest on the validation split."""
        return next(reversed(self.validation.values()), None) if self.validation else None


@dataclass(slots=True)
class TaskView:
    """All that is known of a task; one object that changes while it is watched."""

    task: task_pb2.Task = field(default_factory=task_pb2.Task)
    curves: dict[str, Curve] = field(default_factory=dict)
    """By network: classification, segmentation."""
    disconnected: bool = False
    """True while the connection is lost and being made again."""

    @property
    def ended(self) -> bool:
        """Whether the task is in a state that it leaves only by a user's wish."""
        return self.task.state in FINAL_STATES

    def headline(self) -> str:
        """One line: state and progress."""
        state = task_pb2.TaskState.Name(self.task.state).removeprefix("TASK_STATE_")
        progress = self.task.progress
        where = f" · iteration {progress.iteration}/{progress.max_iteration}" if progress.max_iteration else ""
        return f"{state} {progress.overall_fraction:.0%}{where}"


async def watch_task(tasks: task_service_pb2_grpc.TaskServiceStub, name: str) -> AsyncIterator[TaskView]:
    """The view after every change, until the task ends.

    A dropped connection is made again and goes on from the last cursor; Unavailable after PATIENCE_S without an answer.
    """
    view = TaskView()
    changes: asyncio.Queue[LoupeError | None] = asyncio.Queue()
    task_cursor = ""

    def connection(lost: bool) -> None:  # noqa: FBT001 -- a callback of one fact
        if lost != view.disconnected:
            view.disconnected = lost
            changes.put_nowait(None)

    async def ended() -> bool:
        return view.ended

    async def follow_task() -> None:
        def call() -> Any:  # noqa: ANN401 -- the stub's stream
            return tasks.WatchTask(task_service_pb2.WatchTaskRequest(name=name, cursor=task_cursor))

        def take(message: task_service_pb2.WatchTaskResponse) -> None:
            nonlocal task_cursor
            view.task, task_cursor = message.task, message.cursor
            changes.put_nowait(None)

        await resumed(call, take, connection, ended)

    async def follow_loss(network: str) -> None:
        curve = view.curves.setdefault(network, Curve())

        def call() -> Any:  # noqa: ANN401 -- the stub's stream
            return tasks.WatchLoss(
                task_service_pb2.WatchLossRequest(
                    name=name, network=f"NETWORK_{network.upper()}", cursor=curve.cursor
                )
            )

        def take(message: task_service_pb2.WatchLossResponse) -> None:
            curve.add(message)
            changes.put_nowait(None)

        await resumed(call, take, connection, ended)

    def finished(done: asyncio.Task[None]) -> None:
        if not done.cancelled():
            error = done.exception()
            changes.put_nowait(error if isinstance(error, LoupeError) else None)

    main = asyncio.create_task(follow_task())
    main.add_done_callback(finished)
    followers: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            error = await changes.get()
            if error is not None:
                raise error
            for network in _networks(view.task):
                if network not in followers:
                    followers[network] = asyncio.create_task(follow_loss(network))
                    followers[network].add_done_callback(finished)
            if main.done() and changes.empty():
                break
            yield view
        if followers:
            await asyncio.wait(followers.values(), timeout=_LAST_POINTS_S)
        yield view
    finally:
        for follower in (main, *followers.values()):
            follower.cancel()
        await asyncio.gather(main, *followers.values(), return_exceptions=True)


async def resumed(
    call: Callable[[], Any],
    take: Callable[[Any], None],
    connection: Callable[[bool], None],
    complete: Callable[[], Awaitable[bool]],
) -> None:
    """Read a stream to its end, calling again where it breaks; `call` begins at the cursor that `take` has kept."""
    loop = asyncio.get_running_loop()
    last_answer, pause_s = loop.time(), _FIRST_PAUSE_S
    while True:
        try:
            async for message in call():
                connection(False)
                last_answer, pause_s = loop.time(), _FIRST_PAUSE_S
                take(message)
        except (Unavailable, DeadlineExceeded) as error:
            if loop.time() - last_answer > PATIENCE_S:
                raise Unavailable(f"no answer for {PATIENCE_S:.0f} s: {error.message}", reason=error.reason) from error
            connection(True)
        else:
            # A server that is going down ends its streams in order; the task's own end looks the same.
            if await complete():
                return
            last_answer = loop.time()
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _MAX_PAUSE_S)


def _networks(task: task_pb2.Task) -> tuple[str, ...]:
    if task.WhichOneof("spec") != "training":
        return ()
    return ("classification", "segmentation") if task.training.train_segmentation else ("classification",)

