"""`loupe watch`, `contact-sheet`, `nonconforming`, `curve` and `logs`."""

import asyncio
from pathlib import Path

import click
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, limit_option, remote
from loupe.commands.tasks import task_argument
from loupe.failures import Refused
from loupe.language import pick, translated
from loupe.progress import show
from loupe.rendering import failure, message_json, table
from loupe.saving import save, saved_at
from loupe.scheduler.v1 import task_pb2, task_service_pb2
from loupe.watching import FINAL_STATES, last, resumed
from rich.text import Text


@click.command(short_help="Follow a task until it ends.")
@task_argument
@remote
async def watch(session: Session, task_name: str) -> None:
    """Follow a task until it ends: stages, progress, loss, validation accuracy.

    Draws a live picture on a terminal and writes a line per change elsewhere; with --json only the task at
    its end. Goes on after a dropped connection, with nothing missing and nothing twice. Exit code 1 if the
    task failed or was terminated.
    """
    name = await session.client.resolve_task(task_name)
    ended = await follow(session, name)
    if session.out.as_json:
        session.out.answer(message_json(ended), "")
    fail_unless_good(ended)


async def follow(session: Session, name: str) -> task_pb2.Task:
    """Show the task until it ends; with --json silently."""
    views = session.client.watch(name)
    view = await (last(views) if session.out.as_json else show(views, session.out.console))
    return view.task


def fail_unless_good(task: task_pb2.Task) -> None:
    """End with exit code 1 if the task did not come to its result."""
    if task.state == task_pb2.TASK_STATE_FAILED:
        tail = f"\nend of the log:\n{task.failure.log_tail}" if task.failure.log_tail else ""
        raise Refused(f"{task.name} failed: {failure(task.failure)}{tail}")
    if task.state == task_pb2.TASK_STATE_TERMINATED:
        by = f" by {task.terminator}" if task.terminator else ""
        raise Refused(f"{task.name} was terminated{by}; `loupe start {task.name}` starts it again")


@click.command("contact-sheet", short_help="Save a picture of a training's augmentation.")
@task_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("contact-sheet.jpg"),
    show_default=True,
    help="The file to write, a JPEG.",
)
@remote
async def contact_sheet(session: Session, task_name: str, output: Path) -> None:
    """Save a picture of some training samples before and after each augmentation, and all together (M1, W10).

    It is there once a training with augmentations has passed its stage AUGMENTATION.

    \b
    Example:
      loupe contact-sheet 0197 -o before-after.jpg
    """
    name = await session.client.resolve_task(task_name)
    picture = await session.client.contact_sheet(name)
    try:
        await asyncio.to_thread(saved_at(output).write_bytes, picture)
    except OSError as error:
        raise Refused(f"{output} cannot be written: {error.strerror}") from error
    session.out.answer(
        {"task": name, "file": str(output), "sizeBytes": len(picture)}, f"{output}: {len(picture)} bytes"
    )


_attempt = click.option(
    "--attempt",
    default=0,
    type=click.IntRange(0, 2**31 - 1),
    help="An earlier attempt; default the present one.",
)


@click.command(short_help="List the samples that a training set aside.")
@task_argument
@_attempt
@limit_option()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Save all of them as this CSV file.",
)
@remote
async def nonconforming(
    session: Session, task_name: str, attempt: int, limit: int, output: Path | None
) -> None:
    """List the samples that a training set aside, with their sizes and the rules that they break (M1a, D4).

    \b
    Example:
      loupe nonconforming 0197 -o nonconforming.csv
    """
    name = await session.client.resolve_task(task_name)
    if output is not None:
        wanted = task_service_pb2.DownloadNonconformingSamplesRequest(name=name, attempt=attempt)
        size = await save(output, session.client.tasks.DownloadNonconformingSamples(wanted))
        session.out.answer({"task": name, "file": str(output), "sizeBytes": size}, f"{output}: {size} bytes")
        return
    request = task_service_pb2.ListNonconformingSamplesRequest(
        name=name, attempt=attempt, page_size=min(limit, 500)
    )
    method = session.client.tasks.ListNonconformingSamples
    found = [item async for item in pages(method, request, "samples", limit=limit)]
    rows = [
        (
            one.file,
            names.short(one.data_path),
            f"{one.width}×{one.height}" if one.width else "",
            one.reason,
            pick(one.message, one.message_zh),
        )
        for one in found
    ]
    session.out.answer(
        {"task": name, "samples": [message_json(one) for one in found]},
        table("FILE", "PATH", "SIZE", "REASON", "", rows=rows) if rows else "none was set aside",
    )


_network = click.option(
    "--network",
    type=click.Choice(["classification", "segmentation"]),
    default="classification",
    show_default=True,
    help="Each network has its own curve and log.",
)


@click.command(short_help="Print the loss curve of a task.")
@task_argument
@_network
@_attempt
@click.option(
    "--points",
    default=2000,
    show_default=True,
    type=click.IntRange(0, 2**31 - 1),
    help="At most so many, extremes kept; from 4. 0: every one.",
)
@remote
async def curve(session: Session, task_name: str, network: str, attempt: int, points: int) -> None:
    """Print the loss curve of a task as CSV: iteration and loss (M4, M6).

    \b
    Example:
      loupe curve 0197 --attempt 1 > first-attempt.csv
    """
    found = await session.client.tasks.GetLossCurve(
        task_service_pb2.GetLossCurveRequest(
            name=await session.client.resolve_task(task_name),
            network=task_pb2.Network.Value(f"NETWORK_{network.upper()}"),
            attempt=attempt,
            max_points=points,
        )
    )
    rows = zip(found.iterations, found.losses, strict=True)
    text = "\n".join(["iteration,loss", *(f"{iteration},{loss:.7g}" for iteration, loss in rows)])
    session.out.answer(message_json(found), Text(text))
    if found.thinned:
        session.out.say(
            translated(
                "the training ended long ago: of {total} points those are kept that a plot shows",
                total=found.total_points,
            )
        )


@click.command(short_help="Print the log of a task.")
@task_argument
@_network
@click.option("--follow", is_flag=True, help="Go on until the task ends.")
@_attempt
@remote
async def logs(session: Session, task_name: str, network: str, attempt: int, *, follow: bool) -> None:
    """Print the log of a task, and with --follow what is added until the task ends."""
    name = await session.client.resolve_task(task_name)
    request = task_service_pb2.ReadLogRequest(
        name=name,
        network=task_pb2.Network.Value(f"NETWORK_{network.upper()}"),
        follow=follow,
        attempt=attempt,
    )
    lines: list[str] = []

    def take(message: task_service_pb2.ReadLogResponse) -> None:
        request.cursor = message.cursor
        if session.out.as_json:
            lines.extend(message.lines)
        else:
            for line in message.lines:
                click.echo(line)

    async def complete() -> bool:
        if not follow:
            return True
        task = await session.client.tasks.GetTask(task_service_pb2.GetTaskRequest(name=name))
        return task.state in FINAL_STATES

    def connection(lost: bool) -> None:  # noqa: FBT001 -- a callback of one fact
        session.out.say("the server does not answer, trying again …" if lost else "the server answers again")

    await resumed(lambda: session.client.tasks.ReadLog(request), take, connection, complete)
    if session.out.as_json:
        session.out.answer({"task": name, "network": network, "lines": lines}, "")
