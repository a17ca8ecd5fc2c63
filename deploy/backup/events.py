"""The events in JetStream: as far as the rows of a backup go, and back into a new server.

LOSS is left out: its points are rows, and it keeps days.
"""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import IO, Any

import asyncpg
import nats.js.errors
from loupe.errors import NotFound

from deploy.backup.manifest import StreamPart
from deploy.embedded.nats import EVENT_RIGHTS
from services.kit.messaging import MESSAGE_ID, Messaging, named_errors

STREAMS = ("TASKS", "MODELS")
_FOR_OPERATORS = "_nats."


@dataclass(frozen=True)
class Position:
    """How far a stream goes."""

    last: int
    part: StreamPart


async def positions(messaging: Messaging) -> dict[str, Position]:
    """How far each stream goes now, and each of our consumers in it."""
    found = {}
    for stream in STREAMS:
        try:
            with named_errors(f"stream {stream}"):
                told = await messaging.ask_jetstream(f"STREAM.INFO.{stream}")
                handled = await _handled(messaging, stream)
        except NotFound:
            continue
        found[stream] = Position(
            told["state"]["last_seq"], StreamPart(settings=_own(told["config"]), messages=0, handled=handled)
        )
    return found


async def _handled(messaging: Messaging, stream: str) -> dict[str, int]:
    found = {}
    for durable in _durables(stream):
        try:
            told = await messaging.ask_jetstream(f"CONSUMER.INFO.{stream}.{durable}")
        except nats.js.errors.NotFoundError:
            continue
        found[durable] = told["ack_floor"]["stream_seq"]
    return found


def _durables(stream: str) -> dict[str, str]:
    """The schema of each durable consumer of a stream."""
    return {
        durable: service
        for service, rights in EVENT_RIGHTS.items()
        for of_stream, durable in rights.consumers
        if of_stream == stream
    }


def _own(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without what the server notes of itself."""
    notes = settings.get("metadata") or {}
    kept = {name: value for name, value in notes.items() if not name.startswith(_FOR_OPERATORS)}
    return {**settings, "metadata": kept}


async def write(messaging: Messaging, at: Mapping[str, Position], out: IO[bytes]) -> dict[str, StreamPart]:
    """Write all messages up to the positions, a line of JSON each."""
    parts = {}
    for stream, position in at.items():
        count = 0
        async for message in _messages(messaging, stream, position.last):
            out.write(json.dumps({"stream": stream, **message}).encode() + b"\n")
            count += 1
        parts[stream] = replace(position.part, messages=count)
    return parts


async def _messages(messaging: Messaging, stream: str, last: int) -> AsyncIterator[dict[str, Any]]:
    number = 1
    while number <= last:
        try:
            with named_errors(f"stream {stream}"):
                told = await messaging.ask_jetstream(
                    f"STREAM.MSG.GET.{stream}", {"seq": number, "next_by_subj": ">"}
                )
        except NotFound:
            return
        message = told["message"]
        if message["seq"] > last:
            return
        yield {name: message[name] for name in ("seq", "subject", "time")} | {
            "headers": message.get("hdrs", ""),
            "data": message.get("data", ""),
        }
        number = message["seq"] + 1


async def restore(messaging: Messaging, parts: Mapping[str, StreamPart], lines: IO[bytes]) -> int:
    """Make the streams as they were, with these messages under new times and numbers; returns how many."""
    for stream, part in parts.items():
        with named_errors(f"stream {stream}"):
            await messaging.ask_jetstream(f"STREAM.CREATE.{stream}", {**part.settings, "num_replicas": 1})
    count = 0
    for line in lines:
        message = json.loads(line)
        headers = _headers(message["headers"])
        await messaging.publish(
            message["subject"],
            base64.b64decode(message["data"]),
            message_id=headers.pop(MESSAGE_ID, f"{message['stream']}:{message['seq']}"),
            headers=headers,
        )
        count += 1
    return count


def _headers(encoded: str) -> dict[str, str]:
    """The headers of a message as NATS stores them: a line of version, then `name: value`."""
    lines = base64.b64decode(encoded).decode().split("\r\n")[1:]
    return {name.strip(): value.strip() for name, _, value in (one.partition(":") for one in lines if one)}


async def mark_handled(
    connection: asyncpg.Connection, parts: Mapping[str, StreamPart], lines: IO[bytes]
) -> None:
    """Have each consumer leave out what it had handled: a new server would deliver all of it again."""
    handled: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        message = json.loads(line)
        stream, seq = message["stream"], message["seq"]
        message_id = _headers(message["headers"]).get(MESSAGE_ID, f"{stream}:{seq}")
        for durable, service in _durables(stream).items():
            if seq <= parts[stream].handled.get(durable, 0):
                handled.setdefault((service, durable), []).append(message_id)
    for (service, durable), message_ids in handled.items():
        await connection.execute(
            f'INSERT INTO "{service}".inbox (consumer, message_id) '
            "SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING",
            durable,
            message_ids,
        )
