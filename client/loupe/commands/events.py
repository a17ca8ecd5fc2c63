"""`loupe events`: past and new events, from NATS JetStream (I2)."""

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
from loupe.errors import LoupeError, Unavailable
from loupe.events.v1 import events_pb2
from loupe.profile import NotConfigured, load_profile
from loupe.rendering import enum_word, json_text, message_json
from loupe.scheduler.v1 import task_pb2
from loupe.watching import Contact
from nats.js import api

STREAMS = ("TASKS", "LOSS", "MODELS")
_CONNECT_S = 5.0
_NO_STREAM = 10059
"""NATS' code of a stream that does not exist."""
_CANCEL_AGAIN_S = 0.1
_PAUSE_S = 0.5
_LOOK_S = 2.0
"""Without a message for so long, the server is asked whether there was one."""
_FORGOTTEN_S = 30.0
"""After so long without its reader the server removes a consumer."""


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
        return f"{stamp} {self.stream}#{self.sequence} {self.subject}: {_described(self.payload)}"


@click.command(short_help="Show what happened, from NATS JetStream.")
@click.option("--follow", is_flag=True, help="Go on with what happens; JSON comes as a line per event.")
@click.option(
    "--since",
    type=click.IntRange(1, 2**64 - 1),
    help="Begin with this number of each stream; 1 is the first ever kept.",
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
    async with contextlib.aclosing(events_of(out, url, subjects, since, follow=follow)) as stream:
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
        lines = "\n".join(event.line() for event in found) or "no event"
        if out.as_json:
            out.answer([event.as_json() for event in found], "")
        else:
            click.echo(lines)


async def events_of(
    out: Output, url: str, subjects: tuple[str, ...], since: int | None, *, follow: bool
) -> AsyncGenerator[Event]:
    """The events of all streams on the subjects, those of a stream in order.

    A lost connection is made again; Unavailable if that fails for long.
    """

    def connection(lost: bool) -> None:  # noqa: FBT001 -- a callback of one fact
        out.say("NATS does not answer, trying again …" if lost else "NATS answers again")

    client = await _connect(url)
    contact = Contact(connection, "NATS")
    waiting: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
    readers = [
        asyncio.create_task(_Reader(client, stream, subject, contact, waiting).run(since, follow=follow))
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
            elif isinstance(item, LoupeError):
                raise item
            elif isinstance(item, BaseException):
                raise Unavailable(f"NATS: {item!r}") from item
            else:
                yield item
    finally:
        # Again: asyncio.wait_for of Python 3.11 swallows a cancellation when a message comes meanwhile.
        while running := [reader for reader in readers if not reader.done()]:
            for reader in running:
                reader.cancel()
            await asyncio.wait(running, timeout=_CANCEL_AGAIN_S)
        await client.close()


async def _connect(url: str) -> Any:  # noqa: ANN401 -- nats-py has no types
    async def quiet(_: Exception) -> None:
        """Reconnecting is nats-py's business; it would print a traceback otherwise."""

    try:
        async with asyncio.timeout(_CONNECT_S):
            # allow_reconnect only once connected: a server that is not there must be reported at once.
            return await nats.connect(
                url,
                name="loupe events",
                connect_timeout=2,
                max_reconnect_attempts=-1,
                ping_interval=10,
                error_cb=quiet,
            )
    except (TimeoutError, OSError, nats.errors.Error) as error:
        raise Unavailable(f"NATS does not answer at {url.rpartition('@')[2]}: {error!r}") from error


class _Reader:
    """Puts every message of a stream on a subject into a queue, in order; None at the end.

    It keeps its own place in the stream, because a consumer is lost with its server. nats-py's ordered
    consumer does not serve here: if it loses its server before its first message, it begins again with the
    first message of the stream, and if the server is away for more than about 10 s, it stops silently.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 -- nats-py has no types
        stream: str,
        subject: str,
        contact: Contact,
        into: asyncio.Queue[Event | BaseException | None],
    ) -> None:
        self._jetstream = client.jetstream()
        self._stream = stream
        self._subject = subject
        self._contact = contact
        self._into = into
        self._place: int | None = None
        """Sequence of the next message; None while it is not known."""

    async def run(self, since: int | None, *, follow: bool) -> None:
        """Read from `since`, to the end or for ever; without it from the first, or if for ever from now."""
        self._place = since if since is not None or follow else 1
        try:
            while not await self._read(follow=follow):  # noqa: ASYNC110 -- a pause between attempts, no polling
                await asyncio.sleep(_PAUSE_S)
        except Exception as error:  # noqa: BLE001 -- the boundary of a reader; whoever waits on the queue tells it
            self._into.put_nowait(error)
            return
        self._into.put_nowait(None)

    async def _read(self, *, follow: bool) -> bool:
        """Read until the end (True), or until the connection or the consumer is lost."""
        try:
            if self._place is None:
                self._place = (await self._jetstream.stream_info(self._stream)).state.last_seq + 1
            return await self._consume(self._place, follow=follow)
        except nats.js.errors.NotFoundError as error:
            self._contact.made()
            if error.err_code != _NO_STREAM:  # the consumer went with its server
                return False
            # The stream is made with its first event.
            self._place = self._place or 1
            return not follow
        except (nats.errors.Error, TimeoutError, OSError) as error:
            self._contact.lost(Unavailable(f"NATS: {error!r}"))
            return False

    async def _consume(self, place: int, *, follow: bool) -> bool:
        """Take the messages of one consumer: True at the end, False if one of them was lost on its way."""
        subscription = await self._jetstream.subscribe(
            self._subject,
            stream=self._stream,
            config=api.ConsumerConfig(
                deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=place,
                ack_policy=api.AckPolicy.NONE,
                mem_storage=True,
                num_replicas=1,
                inactive_threshold=_FORGOTTEN_S,
            ),
        )
        taken = 0
        try:
            info = await subscription.consumer_info()
            is_at_end = not info.num_pending and not info.delivered.consumer_seq
            while follow or not is_at_end:
                self._contact.made()
                try:
                    message = await subscription.next_msg(timeout=_LOOK_S)
                except nats.errors.TimeoutError:
                    info = await subscription.consumer_info()
                    if info.delivered.consumer_seq != taken:
                        return False
                    is_at_end = not info.num_pending
                    continue
                if message.metadata.sequence.consumer != taken + 1:
                    return False
                taken += 1
                self._take(message)
                is_at_end = not message.metadata.num_pending
            return True
        finally:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def _take(self, message: Any) -> None:  # noqa: ANN401 -- nats-py has no types
        metadata = message.metadata
        self._place = metadata.sequence.stream + 1
        self._into.put_nowait(
            Event(
                stream=metadata.stream,
                sequence=metadata.sequence.stream,
                subject=message.subject,
                time=metadata.timestamp.astimezone(UTC),
                payload=decode(message.subject, message.data),
            )
        )


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


def _described(payload: Message | None) -> str:  # noqa: PLR0911 -- one per kind
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
