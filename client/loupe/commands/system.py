"""`loupe system`: what runs, who works, what waits, and what should be looked at."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
import urllib3
from loupe import names
from loupe.attention import Attention, Gateway, attentions
from loupe.client import AsyncLoupe
from loupe.commands.session import Session, remote
from loupe.commands.workers import ago, read_workers, worker_table
from loupe.errors import LoupeError
from loupe.language import pick, translated
from loupe.rendering import amounts, local_time, message_json, table
from loupe.scheduler.v1 import queue_pb2, queue_service_pb2
from loupe.server.v1 import server_pb2, server_service_pb2
from loupe.text import human_bytes
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_GATEWAY_S = 5.0


@dataclass(frozen=True, slots=True)
class _Lost:
    """A server, or the gateway, that did not answer; the others are shown all the same."""

    name: str
    reason: str
    message: str


@click.command(short_help="Show servers, workers, what waits, disks, and the last backup.")
@remote
async def system(session: Session) -> None:
    """Show every replica of every server with its version, the workers, the queue (T4), and what is stored.

    At the end stands what should be looked at: several versions at once, certificates that expire, a disk
    that is almost full, events that are not published or handled, an old backup.

    \b
    Examples:
      loupe system
      loupe system --json | jq '.attention[].reason'
      loupe system --json | jq '.queue.resources[] | {computeResource, waitingCount}'
    """
    client = session.client
    answers, queue, workers, gateway = await asyncio.gather(
        asyncio.gather(*(_server(client, name) for name in client.servers)),
        client.queue.GetQueue(queue_service_pb2.GetQueueRequest()),
        read_workers(session),
        asyncio.to_thread(_gateway, client),
    )
    now = datetime.now(UTC)
    servers = [one for one in answers if isinstance(one, server_pb2.Server)]
    told = gateway if isinstance(gateway, Gateway) else None
    found = attentions(servers, told, now)
    session.out.answer(
        {
            "servers": [_server_json(one) for one in answers],
            "gateway": _gateway_json(gateway),
            "workers": [message_json(worker) for worker in workers],
            "queue": message_json(queue),
            "attention": [
                {"reason": one.reason, "message": one.sentence.english, "messageZh": one.sentence.chinese}
                for one in found
            ],
        },
        Group(
            *_spaced(
                _server_table([*answers, *([gateway] if gateway is not None else [])], now),
                worker_table(workers, now) if workers else translated("no worker was heard of for a day"),
                _queue_table(queue, now)
                if queue.resources
                else translated("nothing waits, and nobody works"),
                _disk_table(servers),
                _certificate_table(servers, told),
                _event_table(servers, now),
                _backup_line(servers),
                _attention(found),
            )
        ),
    )


async def _server(client: AsyncLoupe, name: str) -> server_pb2.Server | _Lost:
    request = server_service_pb2.GetServerRequest(name=f"servers/{name}")
    try:
        answer: server_pb2.Server = await client.servers[name].GetServer(request)
    except LoupeError as error:
        return _Lost(request.name, error.reason, error.message)
    return answer


def _gateway(client: AsyncLoupe) -> Gateway | _Lost | None:
    """What the gateway tells of itself, also if no service serves; None if the profile knows no gateway."""
    url = client.profile.gateway_url
    if not url:
        return None
    http = urllib3.PoolManager(ca_certs=client.profile.authority or None, retries=False)
    try:
        answer = http.request("GET", f"{url.rstrip('/')}/readyz", timeout=_GATEWAY_S)
        told = json.loads(answer.data)
        return Gateway(
            str(told["version"]),
            {name: datetime.fromisoformat(expiry) for name, expiry in told.get("certificates", {}).items()},
        )
    except (urllib3.exceptions.HTTPError, OSError, ValueError, KeyError, TypeError) as error:
        return _Lost("servers/gateway", "UNAVAILABLE", str(error))
    finally:
        http.clear()


def _server_json(one: server_pb2.Server | _Lost) -> Any:  # noqa: ANN401 -- JSON
    if isinstance(one, _Lost):
        return {"name": one.name, "reason": one.reason, "message": one.message}
    return message_json(one)


def _gateway_json(gateway: Gateway | _Lost | None) -> Any:  # noqa: ANN401 -- JSON
    if gateway is None or isinstance(gateway, _Lost):
        return gateway and _server_json(gateway)
    certificates = {name: expiry.isoformat() for name, expiry in gateway.certificates.items()}
    return {"name": "servers/gateway", "version": gateway.version, "certificates": certificates}


def _spaced(*parts: RenderableType | None) -> Iterator[RenderableType]:
    """The parts that there are, with an empty line between."""
    for number, part in enumerate(part for part in parts if part is not None):
        if number:
            yield ""
        yield part


def _server_table(servers: Iterable[server_pb2.Server | _Lost | Gateway], now: datetime) -> Table:
    rows: list[tuple[RenderableType, ...]] = []
    for one in servers:
        if isinstance(one, _Lost):
            rows.append((names.short(one.name), "", Text(one.message, style="red"), "", "", "", ""))
        elif isinstance(one, Gateway):
            rows.append(("gateway", "", Text("READY", style="green"), one.version, "", "", ""))
        else:
            rows += [
                (
                    names.short(one.name),
                    replica.address,
                    _readiness(replica),
                    replica.version,
                    replica.schema_revision,
                    local_time(replica.start_time),
                    ago(replica.heard_time, now) if replica.HasField("heard_time") else "",
                )
                # A server of an older release tells of itself alone.
                for replica in one.replicas or [_only(one)]
            ]
    columns = ("SERVER", "ADDRESS", "STATE", "VERSION", "TABLES", "STARTED", "HEARD OF")
    return table(*columns, rows=rows)


def _only(server: server_pb2.Server) -> server_pb2.Replica:
    return server_pb2.Replica(
        version=server.version,
        schema_revision=server.schema_revision,
        start_time=server.start_time,
        ready=True,
    )


def _readiness(replica: server_pb2.Replica) -> Text:
    if replica.ready:
        return Text("READY", style="green")
    lacking = (f"{need.name}: {need.state}" for need in replica.needs if need.state != "READY")
    return Text("\n".join(lacking) or "NOT READY", style="red")


def _disk_table(servers: Iterable[server_pb2.Server]) -> Table | None:
    rows = [
        (
            f"{names.short(server.name)} {replica.address}",
            disk.name,
            human_bytes(disk.free_bytes),
            human_bytes(disk.size_bytes),
            f"{disk.free_bytes / max(1, disk.size_bytes):.0%}",
        )
        for server in servers
        for replica in server.replicas
        for disk in replica.disks
    ]
    columns = ("DISK OF", "FOLDER", "FREE", "SIZE", "FREE %")
    return table(*columns, rows=rows, right=columns[2:]) if rows else None


def _certificate_table(servers: Iterable[server_pb2.Server], gateway: Gateway | None) -> Table | None:
    rows = [
        (f"{names.short(server.name)} {replica.address}", one.name, local_time(one.expire_time))
        for server in servers
        for replica in server.replicas
        for one in replica.certificates
    ]
    if gateway is not None:
        rows += [
            ("gateway", name, f"{expiry.astimezone():%Y-%m-%d %H:%M:%S}")
            for name, expiry in gateway.certificates.items()
        ]
    return table("CERTIFICATE OF", "NAME", "EXPIRES", rows=rows) if rows else None


def _event_table(servers: Iterable[server_pb2.Server], now: datetime) -> Table | None:
    rows: list[tuple[str, ...]] = []
    for server in servers:
        name = names.short(server.name)
        if server.HasField("backlog"):
            backlog = server.backlog
            oldest = ago(backlog.oldest_outbox_time, now) if backlog.HasField("oldest_outbox_time") else ""
            rows += [(name, "outbox", str(backlog.outbox_count), "", oldest)]
            rows += [(name, "dead letters", str(backlog.dead_letter_count), "", "")]
        rows += [
            (name, f"stream {one.name}", str(one.message_count), human_bytes(one.size_bytes), "")
            for one in server.streams
        ]
        rows += [
            (name, f"consumer {one.name} of {one.stream}", str(one.pending_count), "", "")
            for one in server.consumers
        ]
    columns = ("EVENTS OF", "WHAT", "COUNT", "SIZE", "OLDEST")
    return table(*columns, rows=rows, right=("COUNT", "SIZE")) if rows else None


def _backup_line(servers: Iterable[server_pb2.Server]) -> str | None:
    for server in servers:
        backup = server.last_backup
        if not backup.HasField("create_time"):
            continue
        if backup.HasField("verify_time"):
            verified = translated("verified {time}", time=local_time(backup.verify_time))
        else:
            verified = translated("not verified yet; `loupe backup --verify {place}`", place=backup.place)
        return translated(
            "last backup: {time}, {place}, {objects} objects, {size}; {verified}",
            time=local_time(backup.create_time),
            place=backup.place,
            objects=backup.object_count,
            size=human_bytes(backup.size_bytes),
            verified=verified,
        )
    return None


def _attention(found: Iterable[Attention]) -> RenderableType:
    lines = [f"{one.reason}: {pick(*one.sentence)}" for one in found]
    return Text("\n".join(lines), style="yellow") if lines else translated("nothing needs attention")


def _queue_table(queue: queue_pb2.Queue, now: datetime) -> Table:
    rows = [
        (
            names.short(one.compute_resource),
            str(one.waiting_count),
            "\n".join(f"{why.count} {why.reason}" for why in one.wait_reasons),
            ago(one.oldest_wait_time, now) if one.HasField("oldest_wait_time") else "",
            str(one.running_count),
            f"{amounts(one.taken)} of {amounts(one.capacity)}",
            str(one.worker_count),
        )
        for one in queue.resources
    ]
    columns = ("RESOURCE", "WAITING", "WHY", "OLDEST", "RUNNING", "TAKEN", "WORKERS")
    return table(*columns, rows=rows, right=("WAITING", "RUNNING", "WORKERS"))
