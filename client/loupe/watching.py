"""Following a task: what a viewer knows of it at each moment; no point missing, none twice (M5)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from loupe.errors import DeadlineExceeded, Internal, LoupeError, Unavailable
from loupe.scheduler.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc

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
SILENT_S = 5.0
"""How long a server may be away until the user hears of it: a restart takes less."""
OPEN_S = 15.0
"""A call that is open for so long was accepted: gRPC gives up connecting after less."""
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
    """True while the server stays away and the connection is being made again."""
    complete: bool = False
    """True for the last view: the task has ended and its last points have come."""

    @property
    def ended(self) -> bool:
        """Whether the task is in a state that it leaves only by a user's wish."""
        return self.task.state in FINAL_STATES

    def headline(self) -> str:
        """One line: state and progress."""
        state = task_pb2.TaskState.Name(self.task.state).removeprefix("TASK_STATE_")
        progress = self.task.progress
        where = (
            f" · iteration {progress.iteration}/{progress.max_iteration}" if progress.max_iteration else ""
        )
        return f"{state} {progress.overall_fraction:.0%}{where}"


async def watch_task(
    tasks: "task_service_pb2_grpc.TaskServiceAsyncStub", name: str
) -> AsyncIterator[TaskView]:
    """The view after every change, until the task ends.

    A dropped connection is made again and goes on from the last cursor; Unavailable if that fails for
    PATIENCE_S.
    """
    watch = _Watch(tasks, name)
    main = watch.begin(watch.follow_task())
    try:
        while True:
            error = await watch.changes.get()
            if error is not None:
                raise error
            watch.follow_new_networks()
            if main.done() and watch.changes.empty():
                break
            yield watch.view
        # The task's end and its last points come on different streams.
        await asyncio.wait(watch.followers, timeout=_LAST_POINTS_S)
        watch.view.complete = True
        yield watch.view
    finally:
        for follower in watch.followers:
            follower.cancel()
        await asyncio.gather(*watch.followers, return_exceptions=True)


async def last(views: AsyncIterator[TaskView]) -> TaskView:
    """Wait for the end without showing anything."""
    seen = TaskView()
    async for view in views:
        seen = view
    return seen


class _Watch:
    """The streams of one task, poured into one view."""

    def __init__(self, tasks: "task_service_pb2_grpc.TaskServiceAsyncStub", name: str) -> None:
        self.view = TaskView()
        self.changes: asyncio.Queue[LoupeError | None] = asyncio.Queue()
        """None for every change of the view; an error ends the watch."""
        self.followers: list[asyncio.Task[None]] = []
        self._tasks = tasks
        self._name = name
        self._cursor = ""

    def begin(self, following: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Read a stream in the background."""
        follower = asyncio.create_task(following)
        follower.add_done_callback(self._finished)
        self.followers.append(follower)
        return follower

    def follow_new_networks(self) -> None:
        """Begin with the curves that the task turned out to have."""
        for network in _networks(self.view.task):
            if network not in self.view.curves:
                self.begin(self._follow_loss(network))

    async def follow_task(self) -> None:
        """Read the task's changes to its end."""

        def take(message: task_service_pb2.WatchTaskResponse) -> None:
            self.view.task, self._cursor = message.task, message.cursor
            self.changes.put_nowait(None)

        await resumed(
            lambda: self._tasks.WatchTask(
                task_service_pb2.WatchTaskRequest(name=self._name, cursor=self._cursor)
            ),
            take,
            self._connection,
            self._ended,
        )

    async def _follow_loss(self, network: str) -> None:
        curve = self.view.curves.setdefault(network, Curve())

        def take(message: task_service_pb2.WatchLossResponse) -> None:
            curve.add(message)
            self.changes.put_nowait(None)

        value = task_pb2.Network.Value(f"NETWORK_{network.upper()}")
        await resumed(
            lambda: self._tasks.WatchLoss(
                task_service_pb2.WatchLossRequest(name=self._name, network=value, cursor=curve.cursor)
            ),
            take,
            self._connection,
            self._ended,
        )

    def _connection(self, lost: bool) -> None:  # noqa: FBT001 -- a callback of one fact
        if lost != self.view.disconnected:
            self.view.disconnected = lost
            self.changes.put_nowait(None)

    async def _ended(self) -> bool:
        return self.view.ended

    def _finished(self, follower: asyncio.Task[None]) -> None:
        error = None if follower.cancelled() else follower.exception()
        if error is not None and not isinstance(error, LoupeError):
            error = Internal(f"watching broke: {error!r}")
        self.changes.put_nowait(error)


class Contact:
    """Whether a server answers: calls `tell(True)` if it stays away, and `tell(False)` when it is back.

    A quiet server is not away: time counts from the first failure since it last answered.
    """

    def __init__(self, tell: Callable[[bool], None], server: str = "the server") -> None:
        self._tell = tell
        self._server = server
        self._lost_at_s: float | None = None
        self._is_reported = False

    def made(self) -> None:
        """Note that the server answered."""
        self._lost_at_s = None
        if self._is_reported:
            self._is_reported = False
            self._tell(False)

    def lost(self, error: LoupeError) -> None:
        """Note that a call failed so; Unavailable once the server has not answered for PATIENCE_S."""
        now_s = asyncio.get_running_loop().time()
        if self._lost_at_s is None:
            self._lost_at_s = now_s
        away_s = now_s - self._lost_at_s
        if away_s > PATIENCE_S:
            raise Unavailable(
                f"{self._server} has not answered for {away_s:.0f} s; what was watched goes on without this "
                "command, repeat it later",
                reason=error.reason,
            ) from error
        if away_s >= SILENT_S and not self._is_reported:
            self._is_reported = True
            self._tell(True)


async def resumed(
    call: Callable[[], Any],
    take: Callable[[Any], None],
    connection: Callable[[bool], None],
    complete: Callable[[], Awaitable[bool]],
) -> None:
    """Read a stream to its end, calling again where it breaks, from the cursor that `take` has kept.

    `connection` is called with True if the server stays away, and with False when it is back.
    """
    loop = asyncio.get_running_loop()
    contact, pause_s = Contact(connection), _FIRST_PAUSE_S
    while True:
        accepted = loop.call_later(OPEN_S, contact.made)
        try:
            async for message in call():
                contact.made()
                pause_s = _FIRST_PAUSE_S
                take(message)
            # A server that is going down ends its streams in order; the task's own end looks the same.
            if await complete():
                return
            contact.made()
        except (Unavailable, DeadlineExceeded) as error:
            contact.lost(error)
        finally:
            accepted.cancel()
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _MAX_PAUSE_S)


def _networks(task: task_pb2.Task) -> tuple[str, ...]:
    if task.WhichOneof("spec") != "training":
        return ()
    return ("classification", "segmentation") if task.training.train_segmentation else ("classification",)
