"""`loupe check`: whether everything that rows name is there."""

import asyncio
from collections.abc import Iterable

import click
from loupe.client import AsyncLoupe
from loupe.commands.session import Session, remote
from loupe.language import pick
from loupe.rendering import enum_word, message_json, table
from loupe.server.v1 import server_pb2, server_service_pb2
from rich.console import Group, RenderableType
from rich.table import Table


@click.command(short_help="Compare what rows name with what is stored.")
@click.option("--read", is_flag=True, help="Read every object and compare its hash; takes as long as a copy.")
@remote
async def check(session: Session, *, read: bool) -> None:
    """Compare rows with objects and event streams, and say what to do about each difference.

    Looks whether every object that a row names is there in its size, whether its bytes can be read, whether
    every event was published, and which objects no row names. Exit code 1 if something is lost.

    \b
    Examples:
      loupe check
      loupe check --read --json | jq '.findings[] | select(.kind == "KIND_CORRUPT")'
    """
    found = await asyncio.gather(
        *(_check(session.client, name, read=read) for name in session.client.servers)
    )
    findings = [finding for _, of_server in found for finding in of_server]
    counts = {name: message_json(last) for name, (last, _) in zip(session.client.servers, found, strict=True)}
    lost = sum(last.lost_count for last, _ in found)
    session.out.answer(
        {"lostCount": lost, "servers": counts, "findings": [message_json(finding) for finding in findings]},
        _rendered([last for last, _ in found], findings),
    )
    if lost:
        session.out.fail(f"{lost} lost")


async def _check(
    client: AsyncLoupe, server: str, *, read: bool
) -> tuple[server_service_pb2.CheckStorageResponse, list[server_pb2.StorageFinding]]:
    """The last counts of a server, and all that it found."""
    request = server_service_pb2.CheckStorageRequest(name=f"servers/{server}", read=read)
    last = server_service_pb2.CheckStorageResponse()
    findings: list[server_pb2.StorageFinding] = []
    async for last in client.servers[server].CheckStorage(request):
        findings += last.findings
    last.ClearField("findings")
    return last, findings


def _rendered(
    counts: Iterable[server_service_pb2.CheckStorageResponse], findings: list[server_pb2.StorageFinding]
) -> RenderableType:
    objects, events, lost, orphans = (
        sum(getattr(one, f"{what}_count") for one in counts) for what in ("object", "event", "lost", "orphan")
    )
    summary = f"{objects} objects and {events} events: {lost} lost; {orphans} objects that no row names"
    return Group(summary, "", _finding_table(findings)) if findings else summary


def _finding_table(findings: list[server_pb2.StorageFinding]) -> Table:
    rows = [
        (
            enum_word(server_pb2.StorageFinding.Kind, finding.kind),
            finding.subject,
            finding.resource,
            pick(finding.cure, finding.cure_zh),
        )
        for finding in findings
    ]
    return table("WHAT", "OBJECT OR SUBJECT", "OF", "CURE", rows=rows)
