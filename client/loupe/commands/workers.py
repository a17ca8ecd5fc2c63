"""`loupe workers`: who does the work, and taking a worker out of service (T9)."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

import click
from google.protobuf.timestamp_pb2 import Timestamp
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, remote
from loupe.language import translated
from loupe.rendering import amounts, enum_word, human_duration, local_time, message_json, table
from loupe.scheduler.v1 import job_pb2, queue_pb2, queue_service_pb2
from rich.table import Table
from rich.text import Text

_STATE_STYLE = {"IDLE": "green", "BUSY": "cyan", "GONE": "red", "DRAINING": "yellow", "DRAINED": "yellow"}
_LOOK_S = 1.0


@click.group(short_help="List, drain and undrain workers.")
def workers() -> None:
    """Who does the work; take a worker's machine out of service without loss, and back."""


@workers.command(name="list", short_help="List workers.")
@remote
async def list_(session: Session) -> None:
    """List every worker that was heard of within a day, or is drained, with what it holds and has left."""
    found = await read_workers(session)
    session.out.answer(
        [message_json(worker) for worker in found],
        worker_table(found, datetime.now(UTC)) if found else translated("no worker was heard of for a day"),
    )


@workers.command(short_help="Give a worker no more jobs, and take back the one it holds.")
@click.argument("name")
@click.option("--wait", is_flag=True, help="Return when it holds nothing any more.")
@remote
async def drain(session: Session, *, name: str, wait: bool) -> None:
    """Give a worker no more jobs. What it holds goes on elsewhere, from its last checkpoint.

    Its process stays, and may then be stopped. The drain has the worker's name: it holds after restarts of
    worker and scheduler, until `loupe workers undrain`.

    \b
    Examples:
      loupe workers drain trainer-1 --wait
      loupe workers undrain trainer-1
    """
    request = queue_service_pb2.DrainWorkerRequest(name=names.resource("workers", name))
    worker = await session.client.queue.DrainWorker(request)
    while wait and worker.leases:
        await asyncio.sleep(_LOOK_S)
        worker = next(one for one in await read_workers(session) if one.name == request.name)
        if not worker.HasField("drain_time"):
            session.out.fail(translated("{worker} was undrained meanwhile", worker=names.short(worker.name)))
    if worker.leases:
        told = translated(
            "{worker} drains: it gives back what it holds, {tasks}",
            worker=names.short(worker.name),
            tasks=", ".join(names.short(lease.task) for lease in worker.leases),
        )
    else:
        told = translated("{worker} is drained", worker=names.short(worker.name))
    session.out.answer(message_json(worker), told)


@workers.command(short_help="Give a drained worker jobs again.")
@click.argument("name")
@remote
async def undrain(session: Session, *, name: str) -> None:
    """Give a drained worker jobs again."""
    request = queue_service_pb2.UndrainWorkerRequest(name=names.resource("workers", name))
    worker = await session.client.queue.UndrainWorker(request)
    session.out.answer(
        message_json(worker), translated("{worker} gets jobs again", worker=names.short(worker.name))
    )


async def read_workers(session: Session) -> list[queue_pb2.Worker]:
    """All workers, by name."""
    request = queue_service_pb2.ListWorkersRequest(page_size=1000)
    return [one async for one in pages(session.client.queue.ListWorkers, request, "workers")]


def worker_state(worker: queue_pb2.Worker) -> str:
    """`IDLE`, `BUSY`, `GONE`; of one that is drained `DRAINING` while it holds leases, then `DRAINED`."""
    if worker.HasField("drain_time"):
        return "DRAINING" if worker.leases else "DRAINED"
    return enum_word(queue_pb2.WorkerPresence, worker.presence)


def worker_table(workers: Iterable[queue_pb2.Worker], now: datetime) -> Table:
    """Workers, with what they hold."""
    rows = [
        (
            names.short(worker.name),
            Text(_state(worker), style=_STATE_STYLE[worker_state(worker)]),
            ", ".join(names.short(one) for one in worker.compute_resources),
            "\n".join(
                f"{enum_word(job_pb2.JobKind, one.kind).lower()} {names.short(one.task)}"
                for one in worker.leases
            ),
            f"{amounts(worker.free)} of {amounts(worker.capacity)}",
            ago(worker.heard_time, now),
            " ".join(
                part
                for part in (worker.version, worker.torch_version and f"torch {worker.torch_version}")
                if part
            ),
            worker.device,
        )
        for worker in workers
    ]
    columns = ("WORKER", "STATE", "RESOURCES", "HOLDS", "FREE", "HEARD OF", "VERSION", "DEVICE")
    return table(*columns, rows=rows)


def _state(worker: queue_pb2.Worker) -> str:
    word = worker_state(worker)
    if not worker.HasField("drain_time"):
        return word
    gone = ", GONE" if worker.presence == queue_pb2.WORKER_PRESENCE_GONE else ""
    return f"{word}{gone}\n{local_time(worker.drain_time)} {names.short(worker.drainer)}"


def ago(time: Timestamp, now: datetime) -> str:
    """How long ago that was."""
    return human_duration(max(0.0, (now - time.ToDatetime(UTC)).total_seconds())) + " ago"
