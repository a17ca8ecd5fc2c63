"""`loupe tasks`, `task`, `history`, `terminate`, `start`, `delete` and `release`."""

import asyncio
from datetime import UTC, datetime

import click
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, limit_option, remote
from loupe.rendering import enum_word, local_time, message_json, state_of, table, task_details, task_table
from loupe.scheduler.v1 import task_pb2, task_service_pb2

STATES = [name.removeprefix("TASK_STATE_").lower() for name in task_pb2.TaskState.keys()[1:]]
_NUMBERING_S = 10.0

task_argument = click.argument("task_name", metavar="TASK")


@click.command(short_help="List training, prediction and export tasks.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES, case_sensitive=False), help="Repeatable."
)
@click.option("--name", default="", help="Only tasks whose model's name contains this.")
@click.option("--creator", default="", help="Only this user's.")
@click.option("--environment", default="", help="Only tasks for this production environment.")
@click.option("--kind", type=click.Choice(["training", "prediction", "export"]), help="Only this kind.")
@limit_option("How many, newest first.")
@remote
async def tasks(  # noqa: PLR0913 -- the filters of T3
    session: Session,
    *,
    states: tuple[str, ...],
    name: str,
    creator: str,
    environment: str,
    kind: str | None,
    limit: int,
) -> None:
    """List tasks, newest first.

    \b
    Examples:
      loupe tasks --state training --state waiting
      loupe tasks --name panel --limit 200 --json
    """
    request = task_service_pb2.ListTasksRequest(
        page_size=min(limit, 500),
        states=[task_pb2.TaskState.Value(f"TASK_STATE_{state.upper()}") for state in states],
        model_name_contains=name,
        creator=names.resource("users", creator) if creator else "",
        production_environment=names.resource("productionEnvironments", environment) if environment else "",
        kind=task_service_pb2.TaskKind.Value(f"TASK_KIND_{kind.upper() if kind else 'UNSPECIFIED'}"),
    )
    found = [item async for item in pages(session.client.tasks.ListTasks, request, "tasks", limit=limit)]
    session.out.answer(
        {"tasks": [message_json(item) for item in found]},
        task_table(found, datetime.now(UTC)) if found else "no task",
    )


@click.command(short_help="Show one task.")
@task_argument
@remote
async def task(session: Session, task_name: str) -> None:
    """Show one task. TASK is its name, its id, or the beginning of its id."""
    name = await session.client.resolve_task(task_name)
    found = await session.client.tasks.GetTask(task_service_pb2.GetTaskRequest(name=name))
    session.out.answer(message_json(found), task_details(found, datetime.now(UTC)))


@click.command(short_help="Show who did what to a task, and when.")
@task_argument
@remote
async def history(session: Session, task_name: str) -> None:
    """Show the states that a task entered, when, and who caused it (M6).

    TERMINATING is when somebody asked for its end; TERMINATED, when it had ended, names them too. A deleted
    task has none: `loupe events` tells who deleted it.
    """
    found = await session.client.tasks.ListTaskTransitions(
        task_service_pb2.ListTaskTransitionsRequest(name=await session.client.resolve_task(task_name))
    )
    rows = [
        (
            local_time(one.time),
            "TERMINATING" if one.termination_requested else enum_word(task_pb2.TaskState, one.to),
            one.cause,
            str(one.attempt),
        )
        for one in found.transitions
    ]
    session.out.answer(message_json(found), table("TIME", "STATE", "BY", "ATTEMPT", rows=rows))


@click.command(short_help="Stop a running task.")
@task_argument
@remote
async def terminate(session: Session, task_name: str) -> None:
    """Stop a running task. It is TERMINATED when its process is gone, within 10 s."""
    name = await session.client.resolve_task(task_name)
    found = await session.client.tasks.TerminateTask(task_service_pb2.TerminateTaskRequest(name=name))
    session.out.answer(message_json(found), f"{name} is {state_of(found)}")


@click.command(short_help="Start a terminated or failed task again.")
@task_argument
@remote
async def start(session: Session, task_name: str) -> None:
    """Start a terminated or failed task again, from 0, as a new attempt."""
    name = await session.client.resolve_task(task_name)
    found = await session.client.tasks.StartTask(task_service_pb2.StartTaskRequest(name=name))
    session.out.answer(message_json(found), f"{name} is {state_of(found)}, attempt {found.attempt}")


@click.command(short_help="Delete a task with its log and weights.")
@task_argument
@remote
async def delete(session: Session, task_name: str) -> None:
    """Delete a task with its log, checkpoints and weights. Not a released one, nor one that runs."""
    name = await session.client.resolve_task(task_name)
    await session.client.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=name))
    session.out.answer({"deleted": name}, f"deleted {name}")


@click.command(short_help="Release a completed task as a version.")
@task_argument
@remote
async def release(session: Session, task_name: str) -> None:
    """Release a completed training task as the next version of its model (R1, R2).

    \b
    Example:
      loupe release 0197 && loupe models panel-adc
    """
    released = await release_task(session, await session.client.resolve_task(task_name))
    version = names.short(released.model_version) if released.model_version else "its number follows"
    session.out.answer(message_json(released), f"released {released.name} as {version}")
    session.out.hint(f"next: loupe predict {version} --dataset …")


async def release_task(session: Session, name: str) -> task_pb2.Task:
    """Release, and wait a moment for the number if the registry is away."""
    released: task_pb2.Task = await session.client.tasks.ReleaseTask(
        task_service_pb2.ReleaseTaskRequest(name=name), timeout=30
    )
    deadline = asyncio.get_running_loop().time() + _NUMBERING_S
    while not released.model_version and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.25)
        released = await session.client.tasks.GetTask(task_service_pb2.GetTaskRequest(name=name))
    return released
