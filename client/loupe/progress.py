"""Progress of a task as it goes: a live picture where a person looks, one line per change elsewhere."""

import contextlib
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Protocol, Self

from loupe import names
from loupe.language import pick
from loupe.looks import described
from loupe.rendering import (
    elapsed_s,
    enum_word,
    failure,
    human_duration,
    is_for_people,
    model_of,
    percent,
    remaining,
    sparkline,
    stage_rows,
    state_of,
    state_text,
    table,
    version_of,
)
from loupe.scheduler.v1 import task_pb2
from loupe.watching import TaskView
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_FRAMES_PER_S = 8
_LINE_EVERY = 0.1
"""Share of the whole after which a plain output tells the progress again."""


class Screen(Protocol):
    """Shows a view; a context manager."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, view: TaskView) -> None:
        """Show the view as it is now."""


async def show(views: AsyncIterator[TaskView], console: Console) -> TaskView:
    """Show a task until it ends; returns the last view."""
    screen: Screen = LiveScreen(console) if is_for_people(console) else LineScreen(console)
    shown = TaskView()
    with screen:
        async for view in views:
            screen.show(view)
            shown = view
    return shown


class LiveScreen:
    """Redraws in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._view: TaskView | None = None
        self._live = Live(
            console=console, refresh_per_second=_FRAMES_PER_S, get_renderable=self._picture, transient=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, view: TaskView) -> None:
        """Keep the view; the next frame draws it."""
        self._view = view

    def _picture(self) -> RenderableType:
        if self._view is None or not self._view.task.name:
            return Text("asking …", style="dim")
        return picture(self._view, datetime.now(UTC), self._console.width)


def picture(view: TaskView, now: datetime, width: int) -> RenderableType:
    """All of the monitor (M1, M2, M3) at one moment."""
    task, progress = view.task, view.task.progress
    elapsed = elapsed_s(task, now)
    head = Text.assemble(
        (f"{model_of(task)} {version_of(task)}".strip(), "bold"),
        "  ",
        state_text(task),
        f"  {enum_word(task_pb2.Phase, task.phase).lower()}" if task.phase and not view.ended else "",
        "" if elapsed is None else f"  {human_duration(elapsed)}",
        (f"  {names.short(task.name)}", "dim"),
    )
    if task.attempt > 1:
        head.append(f"  attempt {task.attempt}", "dim")
    if task.recoveries:
        head.append(f"  taken up again {task.recoveries}×", "yellow")
    if view.disconnected:
        head.append("  connection lost, trying again …", "yellow")
    parts: list[RenderableType] = [head]
    if task.wait.reason:
        parts.append(Text(pick(task.wait.message, task.wait.message_zh), style="yellow"))
    if task.stages:
        parts.append(table("STAGE", "STATE", "DURATION", "RESULT", rows=stage_rows(task)))
    bar = Table.grid(padding=(0, 1))
    bar_width = max(min(width - 60, 50), 10)
    bar.add_row(
        ProgressBar(total=1.0, completed=progress.overall_fraction, width=bar_width),
        f"{progress.overall_fraction:.0%}",
        "" if view.ended or not (left := remaining(progress)) else f"{left} left",
    )
    parts.append(bar)
    if line := _training_line(progress):
        parts.append(Text(line))
    for network, curve in view.curves.items():
        if curve.losses:
            parts.append(
                Text.assemble(
                    (f"{network} loss ", "bold"),
                    (sparkline(curve.losses, max(min(width - 50, 60), 10)), "cyan"),
                    f" {_latest(curve.losses):.4f}",
                    "" if curve.accuracy is None else f"  {_measured(network)} {percent(curve.accuracy)}",
                )
            )
    parts.extend(Text(pick(*told)) for told in described(task.looks))
    if task.failure.code:
        parts.append(Text(failure(task.failure), style="red"))
    return Group(*parts)


def _measured(network: str) -> str:
    """What a network's validation tells of it."""
    return "validation IoU" if network == "segmentation" else "validation accuracy"


class LineScreen:
    """Writes a line whenever something worth a line has changed; nothing is overwritten."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed: set[tuple[object, ...]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(AttributeError):
            self._console.file.flush()

    def show(self, view: TaskView) -> None:
        """Print what was not printed before."""
        task = view.task
        if not task.name:
            return
        if view.disconnected:
            self._once(("disconnected", task.revision), "connection lost, trying again …")
            return
        if task.wait.reason and not view.ended:
            self._once(
                ("wait", task.attempt, task.wait.reason, task.wait.queue_position),
                f"{state_of(task)}: {pick(task.wait.message, task.wait.message_zh)}",
            )
        phase = enum_word(task_pb2.Phase, task.phase).lower() if task.phase and not view.ended else ""
        if not view.ended:
            self._once(
                ("state", task.attempt, task.state, task.terminating, phase, task.recoveries),
                state_of(task)
                + (f": {phase}" if phase else "")
                + (f" (taken up again {task.recoveries}×)" if task.recoveries else ""),
            )
        for row in stage_rows(task):
            if row[1] not in ("pending", "running"):
                text = (
                    f"{row[0]}: {row[1]}"
                    + (f" in {row[2]}" if row[2] else "")
                    + (f", {row[3]}" if row[3] else "")
                )
                self._once(("stage", task.attempt, row[0], row[1]), text)
        self._progress(view, phase)
        self._looks(view)
        if view.complete:
            self._once(("end", task.attempt, task.state), _ending(task))

    def _looks(self, view: TaskView) -> None:
        for network, curve in view.curves.items():
            for iteration, accuracy in curve.validation.items():
                text = f"{network}: {_measured(network)} {percent(accuracy)} at iteration {iteration}"
                self._once(("validation", curve.attempt, network, iteration), text)
        for told in described(view.task.looks):
            self._once(("looks", view.task.attempt, told), pick(*told))

    def _progress(self, view: TaskView, phase: str) -> None:
        progress = view.task.progress
        if view.ended or not phase or not progress.fraction:
            return
        tenth = int(progress.fraction / _LINE_EVERY + 1e-9)
        curves = view.curves if view.task.phase == task_pb2.PHASE_TRAINING else {}
        losses = [
            f"{name} loss {_latest(curve.losses):.4f}" for name, curve in curves.items() if curve.losses
        ]
        left = remaining(progress)
        parts = [
            f"{phase} {progress.fraction:.0%}",
            *([line] if (line := _training_line(progress)) else []),
            *losses,
            *([f"{left} left"] if left else []),
        ]
        self._once(("progress", view.task.attempt, view.task.recoveries, phase, tenth), " · ".join(parts))

    def _once(self, key: tuple[object, ...], text: str) -> None:
        if key not in self._printed:
            self._printed.add(key)
            stamp = datetime.now(UTC).astimezone().strftime("%H:%M:%S")
            self._console.print(f"{stamp} {text}", soft_wrap=True, highlight=False, markup=False)


def _training_line(progress: task_pb2.Progress) -> str:
    parts = []
    if progress.max_iteration:
        parts.append(f"iteration {progress.iteration}/{progress.max_iteration}")
    if progress.images_per_s:
        parts.append(f"{progress.images_per_s:.1f} images/s")
    if progress.learning_rate:
        parts.append(f"lr {progress.learning_rate:.3g}")
    return " · ".join(parts)


def _latest(losses: list[float]) -> float:
    return next((loss for loss in reversed(losses) if math.isfinite(loss)), math.nan)


def _ending(task: task_pb2.Task) -> str:
    text = state_of(task)
    if task.failure.code:
        text += f": {failure(task.failure)}"
    if task.report:
        text += f", {task.report}"
    elapsed = elapsed_s(task, datetime.now(UTC))
    return text + ("" if elapsed is None else f", after {human_duration(elapsed)}")
