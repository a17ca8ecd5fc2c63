"""`loupe events`: what happened, and what happens, from NATS JetStream (I2)."""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import nats
import nats.errors
import nats.js.errors
from google.protobuf.message import DecodeError, Message
from loupe.commands.session import Output, local
from loupe.events.v1 import events_pb2
from loupe.profile import NotConfigured, load_profile
from loupe.rendering import enum_word, json_text, message_json
from loupe.scheduler.v1 import task_pb2
from nats.js import api

from services.kit.errors import Unavailable

STREAMS = ("TASKS", "LOSS", "MODELS")
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """A message of a stream, decoded."""

    stream: str
    sequence: int
    subject: str
    time: datetime
    payload: Message | None

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "stream": self.stream,
            "sequence": self.sequence,
            "subject": self.subject,
            "time": self.time.isoformat(),
            "type": self.payload.DESCRIPTOR.full_name if self.payload is not None else None,
            "event": message_json(self.payload) if self.payload is not None else None,
        }

    def line(self) -> str:
        """One line for a person."""
        stamp = self.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        return f"{stamp} {self.stream}#{self.sequence} {self.subject}: {_told(self.payload)}"


@click.command(short_help="Show what happened, from NATS JetStream.")
@click.option("--follow", is_flag=True, help="Go on with what happens; JSON comes as a line per event.")
@click.option(
    "--since", type=click.IntRange(1), help="Begin with this number of each stream; 1 is the first ever kept."
)
@click.option(
    "--subject",
    "subjects",
    multiple=True,
    help="As loupe.tasks.*.state; * is one word, > all that follow. Repeatable.",
)
@click.option("--limit", type=click.IntRange(1), help="End after so many.")
@local
def events(  # noqa: PLR0913 -- the options of the command
    out: Output,
    data_dir: Path | None,
    subjects: tuple[str, ...],
    since: int | None,
    limit: int | None,
    *,
    follow: bool,
) -> None:
    """Show events: task states, stages, loss points, released versions. All can always be asked again.

    Without --follow everything that is kept, from --since on; with --follow what happens from now on, or from
    --since on.

    \b
    Examples:
      loupe events --subject 'loupe.tasks.*.state'
      loupe events --follow --since 1 --json | jq -c .event
    """
    url = load_profile(data_dir).nats_url
    if not url:
        raise NotConfigured("nothing says where NATS is; set LOUPE_NATS_URL (nats://user:password@host:port)")
    try:
        asyncio.run(_show(out, url, subjects or ("loupe.>",), since, limit, follow=follow))
    except KeyboardInterrupt:
        raise click.Abort from None


async def _show(  # noqa: PLR0913 -- as above
    out: Output, url: str, subjects: tuple[str, ...], since: int | None, limit: int | None, *, follow: bool
) -> None:
    found: list[Event] = []
    count = 0
    async with contextlib.aclosing(_events(url, subjects, since, follow=follow)) as stream:
        async for event in stream:
            count += 1
            if follow:
                click.echo(json_text(event.as_json()).encode() if out.as_json else event.line())
            else:
                found.append(event)
            if follow and count == limit:
                return
    if not follow:
        # The streams were read one after another.
        found.sort(key=lambda event: event.time)
        found = found[:limit]
        told = "\n".join(event.line() for event in found) or "no event"
        if out.as_json:
            out.answer([event.as_json() for event in found], "")
        else:
            click.echo(told)


async def _events(
    url: str, subjects: tuple[str, ...], since: int | None, *, follow: bool
) -> AsyncGenerator[Event]:
    client = await _connect(url)
    waiting: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
    readers = [
        asyncio.create_task(_read(client, stream, subject, since, waiting, follow=follow))
        for stream in STREAMS
        for subject in subjects
        if any(collide(subject, own) for own in _SUBJECTS[stream])
    ]
    try:
        remaining = len(readers)
        while remaining:
            item = await waiting.get()
            if item is None:
                remaining -= 1
            elif isinstance(item, BaseException):
                raise Unavailable(f"NATS: {item!r}") from item
            else:
                yield item
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await client.close()


async def _connect(url: str) -> Any:  # noqa: ANN401 -- nats-py has no types
    async def quiet(_: Exception) -> None:
        """Reconnecting is nats-py's business; it would print a traceback otherwise."""

    try:
        async with asyncio.timeout(_CONNECT_S):
            # allow_reconnect only once connected: a server that is not there must be told at once.
            return await nats.connect(
                url, name="loupe events", connect_timeout=2, max_reconnect_attempts=-1, error_cb=quiet
            )
    except (TimeoutError, OSError, nats.errors.Error) as error:
        raise Unavailable(f"NATS does not answer at {url.rpartition('@')[2]}: {error!r}") from error


async def _read(  # noqa: PLR0913 -- one reader's place
    client: Any,  # noqa: ANN401 -- nats-py has no types
    stream: str,
    subject: str,
    since: int | None,
    into: asyncio.Queue[Event | BaseException | None],
    *,
    follow: bool,
) -> None:
    """Every message of a stream on a subject, in order, into the queue; None at the end."""
    if since is not None:
        config = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=since)
    else:
        config = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.NEW if follow else api.DeliverPolicy.ALL)
    try:
        # Ordered: nats-py begins a new consumer where a gap shows, so nothing is missed after a reconnect.
        subscription = await client.jetstream().subscribe(
            subject, stream=stream, ordered_consumer=True, config=config
        )
        if not follow and await _has_nothing(subscription):
            into.put_nowait(None)
            return
        async for message in subscription.messages:
            metadata = message.metadata
            into.put_nowait(
                Event(
                    stream=metadata.stream,
                    sequence=metadata.sequence.stream,
                    subject=message.subject,
                    time=metadata.timestamp.astimezone(UTC),
                    payload=decode(message.subject, message.data),
                )
            )
            if not follow and metadata.num_pending == 0:
                break
    except nats.js.errors.NotFoundError:
        # The stream is made with its first event.
        pass
    except Exception as error:  # noqa: BLE001 -- the boundary of a reader; whoever waits on the queue tells it
        into.put_nowait(error)
        return
    into.put_nowait(None)


async def _has_nothing(subscription: Any) -> bool:  # noqa: ANN401 -- nats-py has no types
    """Whether the consumer has delivered nothing and has nothing to deliver."""
    info = await subscription.consumer_info()
    return bool(info.num_pending == 0 and info.delivered.consumer_seq == 0)


_SUBJECTS = {
    "TASKS": ("loupe.tasks.*.state", "loupe.tasks.*.stage"),
    "LOSS": ("loupe.tasks.*.loss.*",),
    "MODELS": ("loupe.models.*.released", "loupe.models.*.packaged"),
}


def collide(one: str, other: str) -> bool:
    """Whether a subject can match both patterns."""
    left, right = one.split("."), other.split(".")
    for a, b in zip(left, right, strict=False):
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
    return len(left) == len(right)


def decode(subject: str, data: bytes) -> Message | None:
    """The event that a subject carries; None if this client is too old to know it."""
    words = subject.split(".")
    kind: type[Message] | None = {
        ("tasks", "state"): events_pb2.TaskStateChanged,
        ("tasks", "stage"): events_pb2.TaskStageChanged,
        ("tasks", "loss"): events_pb2.LossPointsRecorded,
        ("models", "released"): events_pb2.ModelVersionReleased,
        ("models", "packaged"): events_pb2.ModelVersionPackaged,
    }.get((words[1], words[3]) if len(words) > 3 else ("", ""))
    if kind is None:
        return None
    try:
        return kind.FromString(data)
    except DecodeError:
        return None


def _told(payload: Message | None) -> str:  # noqa: PLR0911 -- one per kind
    match payload:
        case events_pb2.TaskStateChanged():
            step = payload.transition
            if payload.deleted:
                return f"{payload.model_name} deleted by {step.cause}"
            before, after = (
                enum_word(task_pb2.TaskState, state) for state in (getattr(step, "from"), step.to)
            )
            came = f"{before} → " if before != "UNSPECIFIED" else ""
            return f"{payload.model_name} {came}{after}, by {step.cause}"
        case events_pb2.TaskStageChanged():
            if payload.HasField("stage"):
                stage = enum_word(task_pb2.StageName, payload.stage.name).lower().replace("_", " ")
                return f"{stage} {enum_word(task_pb2.StageState, payload.stage.state).lower()}"
            return f"phase {enum_word(task_pb2.Phase, payload.phase).lower()}"
        case events_pb2.LossPointsRecorded():
            last = payload.first_iteration + len(payload.losses) - 1
            loss = payload.losses[-1] if payload.losses else math.nan
            return f"iterations {payload.first_iteration} to {last}, last loss {loss:.4f}"
        case events_pb2.ModelVersionReleased():
            return payload.version.name
        case events_pb2.ModelVersionPackaged():
            return f"{payload.model_version}, sha256 {payload.package.sha256}"
        case _:
            return "an event that this client does not know"
