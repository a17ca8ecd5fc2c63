"""Curves and watches: replay rows after a cursor, then follow. Nothing is missed or doubled (M3, M4, M5)."""

from collections.abc import AsyncGenerator

import numpy as np
from loupe.errors import InvalidArgument, OutOfRange

from services.scheduler.application.dependencies import Dependencies
from services.scheduler.application.task_commands import TaskCommands
from services.scheduler.curves import Curve, LossesN, extremes_kept
from services.scheduler.domain.job import Network
from services.scheduler.domain.listing import TaskView
from services.scheduler.domain.loss import LogNews, LossCursor, LossNews
from services.scheduler.domain.task import FINAL, Task
from services.scheduler.storage.curves import Curves, loss_since
from services.scheduler.storage.tasks import Tasks, task_channel

# Rows are read again after this time, in case a wake-up was lost or a queue position changed.
_POLL_S = 3.0
_CHUNKS_A_MESSAGE = 64
_MAX_FULL_POINTS = 500_000
_MIN_POINTS = 4


class Watches:
    """Streaming use cases of TaskService, and the downsampled curve."""

    def __init__(self, dependencies: Dependencies, commands: TaskCommands) -> None:
        self._dependencies = dependencies
        self._commands = commands

    async def curve(  # noqa: PLR0913 -- the fields of the request
        self,
        task_id: str,
        network: Network,
        *,
        max_points: int,
        first_iteration: int,
        end_iteration: int,
        attempt: int,
    ) -> Curve:
        """The curve with at most `max_points` points, extremes kept; 0 for every point (M4)."""
        if 0 < max_points < _MIN_POINTS or max_points < 0:
            raise InvalidArgument(f"max_points must be 0 or from {_MIN_POINTS}, not {max_points}")
        async with self._dependencies.sessions.begin() as session:
            task = await Tasks(session).get(task_id)
            attempt = task.attempt_of(attempt)
            curves = Curves(session, task_id, attempt)
            thinned = await curves.thinned(network)
            length = thinned.length if thinned else (await curves.positions())[network].next_iteration
            first = min(max(0, first_iteration), length)
            end = max(first, min(length, end_iteration) if end_iteration > 0 else length)
            if max_points == 0 and not thinned and end - first > _MAX_FULL_POINTS:
                raise OutOfRange(
                    f"{end - first} points do not fit one answer; ask for at most {_MAX_FULL_POINTS} by "
                    "first_iteration and end_iteration, or give max_points",
                    reason="RANGE_TOO_LARGE",
                )
            packed = b"" if thinned else await curves.points(network, first, end)
            # A validation at `end` is of the state after the range's last iteration, so it belongs to it.
            validation = await curves.validations(network, first, end + 1)
        losses: LossesN = np.frombuffer(packed, dtype="<f4")
        iterations = np.arange(first, first + len(losses), dtype=np.int64)
        if thinned:
            inside = (thinned.iterations >= first) & (thinned.iterations < end)
            iterations, losses = thinned.iterations[inside], thinned.losses[inside]
        chosen = extremes_kept(losses, max_points)
        total = end - first if thinned else len(losses)
        return Curve(attempt, iterations[chosen], losses[chosen], total, validation, thinned is not None)

    async def task(self, task_id: str, cursor: str, *, follow: bool) -> AsyncGenerator[TaskView[Task], None]:
        """The task if it changed since the cursor, and again after every change."""
        seen = _number(cursor)
        sent = None
        async with self._dependencies.signals.subscribe(task_channel(task_id)) as signal:
            while True:
                view = await self._commands.get(task_id)
                # The queue position changes without a change of the task, when a job before it is leased.
                if view.task.revision > seen or (sent is not None and view.position != sent.position):
                    yield view
                    sent = view
                seen = max(seen, view.task.revision)
                if view.task.state in FINAL and not follow:
                    return
                await signal.wait(_POLL_S)

    async def loss(self, task_id: str, network: Network, cursor: str) -> AsyncGenerator[LossNews, None]:
        """Every point from the cursor on, of the cursor's attempt and later ones, until the task ends."""
        sessions, at = self._dependencies.sessions, _loss_cursor(cursor)
        async with self._dependencies.signals.subscribe(task_channel(task_id)) as signal:
            while True:
                since = await loss_since(sessions, task_id, network, at, chunks=_CHUNKS_A_MESSAGE)
                at = since.cursor
                for news in since.news:
                    yield news
                if not since.is_all:
                    continue
                if at.attempt < since.present_attempt:
                    at = LossCursor(at.attempt + 1)
                elif since.state in FINAL:
                    return
                else:
                    await signal.wait(_POLL_S)

    async def log(
        self, task_id: str, network: Network, *, cursor: str, attempt: int, follow: bool
    ) -> AsyncGenerator[LogNews, None]:
        """A network's log from the cursor's line on; with `follow` until the attempt ends."""
        next_line = _number(cursor)
        async with self._dependencies.signals.subscribe(task_channel(task_id)) as signal:
            while True:
                async with self._dependencies.sessions.begin() as session:
                    task = await Tasks(session).get(task_id)
                    attempt = task.attempt_of(attempt)
                    curves = Curves(session, task_id, attempt)
                    lines = await curves.lines(network, next_line, chunks=_CHUNKS_A_MESSAGE)
                if lines:
                    next_line += len(lines)
                    yield LogNews(lines, next_line)
                elif not follow or task.state in FINAL or attempt < task.attempt:
                    return
                else:
                    await signal.wait(_POLL_S)


def _number(cursor: str) -> int:
    if not cursor:
        return 0
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 18:
        raise InvalidArgument(f'"{cursor[:40]}" is no cursor of this stream', reason="BAD_CURSOR")
    return int(cursor)


def _loss_cursor(cursor: str) -> LossCursor:
    if not cursor:
        return LossCursor(0)
    parts = [_number(part or "x") for part in cursor.split(":")]
    match parts:
        case [attempt, iteration] if attempt > 0:
            return LossCursor(attempt, iteration, iteration)
        case [attempt, iteration, validation] if attempt > 0:
            return LossCursor(attempt, iteration, validation)
    raise InvalidArgument(f'"{cursor[:40]}" is no cursor of a loss curve', reason="BAD_CURSOR")
