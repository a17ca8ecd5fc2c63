"""`loupe system`: what runs, who works, and what waits."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import click
from google.protobuf.timestamp_pb2 import Timestamp
from loupe import names
from loupe.client import AsyncLoupe, pages
from loupe.commands.session import Session, remote
from loupe.errors import LoupeError
from loupe.rendering import enum_word, human_bytes, human_duration, local_time, message_json, table
from loupe.scheduler.v1 import job_pb2, queue_pb2, queue_service_pb2
from loupe.server.v1 import server_pb2, server_service_pb2
from rich.console import Group
from rich.table import Table
from rich.text import Text

_PRESENCE_STYLE = {"IDLE": "green", "BUSY": "cyan", "GONE": "red"}


@click.command(short_help="Show servers and versions, workers, and what waits.")
@remote
async def system(session: Session) -> None:
    """Show every server with its version, every worker with what it holds and has left, and the queue (T4).

    \b
    Examples:
      loupe system
      loupe system --json | jq '.queue.resources[] | {computeResource, waitingCount}'
    """
    client = session.client
    servers, queue = await asyncio.gather(
        asyncio.gather(*(_server(client, name) for name in client.servers)),
        client.queue.GetQueue(queue_service_pb2.GetQueueRequest()),
    )
    request = queue_service_pb2.ListWorkersRequest(page_size=1000)
    workers = [one async for one in pages(client.queue.ListWorkers, request, "workers")]
    session.out.answer(
        {
            "servers": [message_json(one) if isinstance(one, server_pb2.Server) else one for one in servers],
            "workers": [message_json(worker) for worker in workers],
            "queue": message_json(queue),
        },
        Group(
            _server_table(servers),
            "",
            _worker_table(workers, datetime.now(UTC)) if workers else "no worker was heard of for a day",
            "",
            _queue_table(queue, datetime.now(UTC)) if queue.resources else "nothing waits, and nobody works",
        ),
    )


async def _server(client: AsyncLoupe, name: str) -> server_pb2.Server | dict[str, str]:
    """The server's own description, or the error of the call: the other servers are shown all the same."""
    request = server_service_pb2.GetServerRequest(name=f"servers/{name}")
    try:
        answer: server_pb2.Server = await client.servers[name].GetServer(request)
    except LoupeError as error:
        return {"name": request.name, "reason": error.reason, "message": error.message}
    return answer


def _server_table(servers: Iterable[server_pb2.Server | dict[str, str]]) -> Table:
    rows = [
        (names.short(one.name), one.version, one.schema_revision, local_time(one.start_time))
        if isinstance(one, server_pb2.Server)
        else (names.short(one["name"]), Text(one["message"], style="red"), "", "")
        for one in servers
    ]
    return table("SERVER", "VERSION", "TABLES", "STARTED", rows=rows)


def _worker_table(workers: Iterable[queue_pb2.Worker], now: datetime) -> Table:
    rows = [
        (
            names.short(worker.name),
            Text(word := enum_word(queue_pb2.WorkerPresence, worker.presence), style=_PRESENCE_STYLE[word]),
            ", ".join(names.short(one) for one in worker.compute_resources),
            "\n".join(
                f"{enum_word(job_pb2.JobKind, one.kind).lower()} {names.short(one.task)}"
                for one in worker.leases
            ),
            f"{amounts(worker.free)} of {amounts(worker.capacity)}",
            _ago(worker.heard_time, now),
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


def _queue_table(queue: queue_pb2.Queue, now: datetime) -> Table:
    rows = [
        (
            names.short(one.compute_resource),
            str(one.waiting_count),
            "\n".join(f"{why.count} {why.reason}" for why in one.wait_reasons),
            _ago(one.oldest_wait_time, now) if one.HasField("oldest_wait_time") else "",
            str(one.running_count),
            f"{amounts(one.taken)} of {amounts(one.capacity)}",
            str(one.worker_count),
        )
        for one in queue.resources
    ]
    columns = ("RESOURCE", "WAITING", "WHY", "OLDEST", "RUNNING", "TAKEN", "WORKERS")
    return table(*columns, rows=rows, right=("WAITING", "RUNNING", "WORKERS"))


def amounts(value: Any) -> str:  # noqa: ANN401 -- Amounts
    """`2 GPU, 8 CPU, 34.4 GB`; GPUs only where there are any."""
    gpus = f"{value.gpus} GPU, " if value.gpus else ""
    return f"{gpus}{value.cpus} CPU, {human_bytes(value.memory_bytes)}"


def _ago(time: Timestamp, now: datetime) -> str:
    return human_duration(max(0.0, (now - time.ToDatetime(UTC)).total_seconds())) + " ago"
