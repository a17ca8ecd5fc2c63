"""NATS JetStream: streams, acknowledged publishing, durable consumers with an inbox, and following.

A consumer handles each message in one transaction of its own: inbox, then handler, then commit, then ack. A
transient failure is delivered again after a growing delay; one that can never succeed is buried in
`dead_letter` and terminated. Messages of one consumer are handled one after another; a delayed one is
overtaken, so handlers compare revisions rather than trust order.
"""

import asyncio
import contextlib
import json
import logging
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

import nats
import nats.errors
import nats.js.errors
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtobufMessage
from loupe.errors import (
    InvalidArgument,
    LoupeError,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from loupe.settings import setting
from nats.js import api
from opentelemetry import trace
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit import inbox, telemetry
from services.kit.backoff import Backoff
from services.kit.database import Sessions, translated

_log = logging.getLogger(__name__)
_tracer = telemetry.tracer(__name__)

M = TypeVar("M", bound=ProtobufMessage)

MESSAGE_ID = "Nats-Msg-Id"
_PUBLISH_TIMEOUT_S = 2.0
_API_TIMEOUT_S = 2.0
_MAX_REPLICAS = 5
"""What JetStream allows."""

_STREAM_DEFAULTS = (
    "retention",
    "storage",
    "discard",
    "max_age",
    "max_bytes",
    "duplicate_window",
    "num_replicas",
    "allow_direct",
)
"""What a stream is given when it is made; afterwards the operator may change it."""

_OUT_OF_STORAGE = frozenset({10023, 10047})
"""Error codes of JetStream: insufficient resources, insufficient storage resources."""


@dataclass(frozen=True, slots=True)
class Message:
    """A delivered message. `message_id` is the publisher's, or stream and sequence where it gave none."""

    subject: str
    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    message_id: str = ""
    sequence: int = 0
    deliveries: int = 1
    published_at: datetime | None = None

    def parse(self, message_type: type[M]) -> M:
        """The payload as a protobuf message; InvalidArgument if it is none of that type."""
        try:
            return message_type.FromString(self.payload)
        except DecodeError as error:
            raise InvalidArgument(
                f"the message on {self.subject} is no {message_type.DESCRIPTOR.full_name}: {error}",
                reason="MESSAGE_UNREADABLE",
            ) from error


Handler = Callable[[AsyncSession, Message], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """How a service makes its streams. Later changes are made in NATS, for example by `nats stream edit`."""

    replicas: int = setting(
        "LOUPE_STREAM_REPLICAS",
        default=1,
        doc="Servers of a NATS cluster that keep a copy of each stream. Counts when a stream is made.",
    )

    def __post_init__(self) -> None:
        if not 1 <= self.replicas <= _MAX_REPLICAS:
            raise ValueError(f"LOUPE_STREAM_REPLICAS must be 1 to {_MAX_REPLICAS}, not {self.replicas}")


class Messaging:
    """One connection to NATS, reconnected for ever."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 -- nats-py has no types
        self._client = client
        self._jetstream = client.jetstream(timeout=_PUBLISH_TIMEOUT_S)
        self._told: set[str] = set()

    @classmethod
    async def connect(cls, url: str, *, name: str = "loupe", timeout_s: float = 30.0) -> Self:
        """Connect to `nats://user:password@host:port[,…]`; Unavailable if none answers in `timeout_s`."""
        servers = [server.strip() for server in url.split(",")]
        backoff = Backoff(first_s=0.02, ceiling_s=0.5)
        try:
            async with asyncio.timeout(timeout_s):
                failures = 0
                # nats-py pays two seconds for a port that does not listen yet: look before.
                while not any([await _says_info(server) for server in servers]):
                    failures += 1
                    await asyncio.sleep(backoff.delay_s(failures))
                client = await nats.connect(
                    servers=servers,
                    name=name,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.2,
                    connect_timeout=5,
                    ping_interval=10,
                    max_outstanding_pings=2,
                    error_cb=_on_error,
                    disconnected_cb=_on_disconnected,
                    reconnected_cb=_on_reconnected,
                )
        except (TimeoutError, OSError, nats.errors.Error) as error:
            raise Unavailable(
                f"NATS does not answer at {_without_credentials(servers)}: {error!r}",
                reason="MESSAGING_UNAVAILABLE",
            ) from error
        return cls(client)

    async def close(self) -> None:
        """Close the connection; what was published before has been sent."""
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            await self._client.flush(timeout=1)
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """Whether the server is there now."""
        return bool(self._client.is_connected)

    @property
    def client(self) -> Any:  # noqa: ANN401 -- nats-py has no types
        """The nats-py client, for what this class does not offer."""
        return self._client

    @property
    def jetstream(self) -> Any:  # noqa: ANN401 -- nats-py has no types
        """The nats-py JetStream context, for what this class does not offer."""
        return self._jetstream

    async def ensure_stream(  # noqa: PLR0913 -- what a stream is; all named by its caller
        self,
        name: str,
        subjects: tuple[str, ...],
        *,
        max_age_s: float,
        duplicate_window_s: float = 120.0,
        max_bytes: int = -1,
        replicas: int = 1,
    ) -> None:
        """Create the stream if there is none. File storage; when full the oldest go.

        An existing one is its operator's: it gets the subjects that it lacks, and keeps its other settings.
        """
        wanted = api.StreamConfig(
            name=name,
            subjects=list(subjects),
            retention=api.RetentionPolicy.LIMITS,
            storage=api.StorageType.FILE,
            discard=api.DiscardPolicy.OLD,
            max_age=max_age_s,
            max_bytes=max_bytes,
            duplicate_window=duplicate_window_s,
            num_replicas=replicas,
            allow_direct=True,
        )
        with _named(f"stream {name}"):
            # Look first: NATS counts the reservation of a stream that is created again twice, and refuses.
            existing = await self._stream_settings(name)
            if existing is None:
                try:
                    await self._jetstream.add_stream(wanted)
                except nats.js.errors.APIError:
                    # Another replica may have made it since; then its settings are good enough.
                    existing = await self._stream_settings(name)
                    if existing is None:
                        raise
                else:
                    return
            complete = _with_subjects(existing.get("subjects") or (), subjects)
            if complete is not None:
                await self._ask_jetstream(f"STREAM.UPDATE.{name}", {**existing, "subjects": complete})
                _log.info("subjects added to a stream", extra={"stream": name, "subjects": complete})
        self._tell_differences(name, existing, wanted.as_dict())

    async def _stream_settings(self, name: str) -> dict[str, Any] | None:
        """The settings of a stream as NATS has them; None if there is no such stream."""
        try:
            settings: dict[str, Any] = (await self._ask_jetstream(f"STREAM.INFO.{name}"))["config"]
        except nats.js.errors.NotFoundError:
            return None
        return settings

    async def _ask_jetstream(self, what: str, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        # Not by nats-py's StreamConfig, which drops the settings that it does not know: an update would
        # then reset them.
        payload = b"" if request is None else json.dumps(request).encode()
        delivered = await self._client.request(f"$JS.API.{what}", payload, timeout=_API_TIMEOUT_S)
        answer: dict[str, Any] = json.loads(delivered.data)
        if "error" in answer:
            raise nats.js.errors.APIError.from_error(answer["error"])
        return answer

    def _tell_differences(self, name: str, existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        differs = {
            setting: {"here": existing.get(setting), "default": wanted[setting]}
            for setting in _STREAM_DEFAULTS
            if existing.get(setting) != wanted[setting]
        }
        if differs and name not in self._told:
            self._told.add(name)
            _log.info("a stream keeps its own settings", extra={"stream": name, "differs": differs})

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Return when a stream has stored it (once per `message_id`); Unavailable when it did not say so."""
        if not self.connected:
            # The client would buffer it and lose the order that the caller keeps.
            raise Unavailable("NATS is away; try again", reason="MESSAGING_UNAVAILABLE")
        with _named(f"publishing on {subject}"):
            await self._jetstream.publish(
                subject,
                payload,
                timeout=_PUBLISH_TIMEOUT_S,
                headers={**(headers or {}), MESSAGE_ID: message_id},
            )

    async def follow(self, subject: str, *, replay: bool = False) -> AsyncIterator[Message]:
        """Every message on `subject` in order, from now on; with `replay` from the oldest still kept.

        Remembers nothing on the server: for watchers. Where all must be handled once, use a Consumer.
        """
        policy = api.DeliverPolicy.ALL if replay else api.DeliverPolicy.NEW
        with _named(f"following {subject}"):
            subscription = await self._jetstream.subscribe(
                subject,
                ordered_consumer=True,
                config=api.ConsumerConfig(deliver_policy=policy),
            )
        try:
            async for delivered in subscription.messages:
                yield _message(delivered)
        finally:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()


class Consumer:
    """Handles the messages of a durable consumer, each once, each in its own transaction."""

    _HEARTBEAT_S = 1.0
    _EXPIRES_S = 20.0
    _FORGET_EVERY_S = 600.0

    def __init__(  # noqa: PLR0913 -- what a consumer is; all named by its caller
        self,
        messaging: Messaging,
        sessions: Sessions,
        *,
        stream: str,
        durable: str,
        filter_subject: str,
        handler: Handler,
        batch: int = 64,
        ack_wait_s: float = 30.0,
        max_unexpected: int = 10,
        remember: timedelta = timedelta(days=30),
        backoff: Backoff = Backoff(first_s=0.25, ceiling_s=30.0),  # noqa: B008 -- frozen
    ) -> None:
        """`max_unexpected`: after so many deliveries an exception that is no LoupeError counts as permanent.

        `remember` must be longer than the stream keeps messages.
        """
        self._messaging = messaging
        self._sessions = sessions
        self._stream = stream
        self._durable = durable
        self._filter_subject = filter_subject
        self._handler = handler
        self._batch = batch
        self._ack_wait_s = ack_wait_s
        self._max_unexpected = max_unexpected
        self._remember = remember
        self._backoff = backoff

    async def run(self) -> None:
        """Consume for ever; give it to `background`. PostgreSQL or NATS being away only makes it wait."""
        failures = 0
        forget_at_s = 0.0
        while True:
            try:
                await self._ensure()
                failures = 0
                now_s = asyncio.get_running_loop().time()
                if now_s >= forget_at_s:
                    async with self._sessions.begin() as session:
                        await inbox.forget(session, self._durable, self._remember)
                    forget_at_s = now_s + self._FORGET_EVERY_S
                await self._consume(until_s=forget_at_s)
            except LoupeError as error:
                if not error.transient:
                    raise
                failures += 1
                if failures == 1:
                    _log.warning(
                        "consumer waits",
                        extra={"durable": self._durable, "reason": error.reason, "error": error.message},
                    )
                await asyncio.sleep(min(2.0, self._backoff.delay_s(failures)))

    async def _ensure(self) -> None:
        if not self._messaging.connected:
            raise Unavailable("NATS is away", reason="MESSAGING_UNAVAILABLE")
        with _named(f"consumer {self._durable}"):
            await self._messaging.jetstream.add_consumer(
                self._stream,
                api.ConsumerConfig(
                    durable_name=self._durable,
                    filter_subject=self._filter_subject,
                    ack_policy=api.AckPolicy.EXPLICIT,
                    ack_wait=self._ack_wait_s,
                    deliver_policy=api.DeliverPolicy.ALL,
                    max_ack_pending=self._batch * 4,
                ),
            )

    async def _consume(self, *, until_s: float) -> None:
        # nats-py's `fetch(n)` holds the first message back until n are there or time is up. So this speaks
        # the pull protocol itself: ask for n, take each as it comes, ask again when the server says that
        # the request is over.
        client = self._messaging.client
        loop = asyncio.get_running_loop()
        reply = client.new_inbox()
        request = json.dumps(
            {
                "batch": self._batch,
                "expires": int(self._EXPIRES_S * 1e9),
                "idle_heartbeat": int(self._HEARTBEAT_S * 1e9),
            }
        ).encode()
        with _named(f"pulling {self._durable}"):
            subscription = await client.subscribe(reply)
            try:
                while loop.time() < until_s:
                    await client.publish(
                        f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._durable}", request, reply=reply
                    )
                    await self._take(subscription)
            finally:
                with contextlib.suppress(nats.errors.Error):
                    await subscription.unsubscribe()

    async def _take(self, subscription: Any) -> None:  # noqa: ANN401 -- nats-py has no types
        taken = 0
        while taken < self._batch:
            try:
                delivered = await subscription.next_msg(timeout=self._HEARTBEAT_S * 2.5)
            except nats.errors.TimeoutError:
                # No heartbeat: the request was lost with a server or a connection.
                if not self._messaging.connected:
                    raise Unavailable("NATS is away", reason="MESSAGING_UNAVAILABLE") from None
                return
            status = (delivered.headers or {}).get("Status")
            if status == "100":
                continue
            if status in {"404", "408"}:
                return
            if status is not None:
                raise Unavailable(
                    f"the pull was refused with {status}: {(delivered.headers or {}).get('Description')}",
                    reason="MESSAGING_UNAVAILABLE",
                )
            taken += 1
            await self._handle(delivered)

    async def _handle(self, delivered: Any) -> None:  # noqa: ANN401 -- nats-py has no types
        message = _message(delivered)
        with _tracer.start_as_current_span(
            f"{self._durable} consume",
            context=telemetry.extract(message.headers),
            kind=trace.SpanKind.CONSUMER,
            attributes={"messaging.system": "nats", "messaging.destination.name": message.subject},
        ):
            try:
                async with self._sessions.begin() as session:
                    if not await inbox.already_handled(session, self._durable, message.message_id):
                        await self._handler(session, message)
            except Exception as error:  # noqa: BLE001 -- the boundary: one bad message must not end the consumer
                await self._failed(delivered, message, error)
            else:
                await delivered.ack()

    async def _failed(self, delivered: Any, message: Message, error: Exception) -> None:  # noqa: ANN401 -- nats-py has no types
        named = error if isinstance(error, LoupeError) else translated(error)
        expected = named is not None
        if named is not None and not named.transient:
            permanent = True
        else:
            permanent = not expected and message.deliveries >= self._max_unexpected
        reason = named.reason if named is not None else "UNEXPECTED"
        extra = {
            "durable": self._durable,
            "subject": message.subject,
            "message_id": message.message_id,
            "deliveries": message.deliveries,
            "reason": reason,
            "error": str(error) or repr(error),
        }
        if not permanent:
            delay_s = self._backoff.delay_s(message.deliveries)
            _log.warning("handling failed; again later", extra=extra, exc_info=None if expected else error)
            await delivered.nak(delay=delay_s)
            return
        _log.error("handling failed for good", extra=extra, exc_info=None if expected else error)
        async with self._sessions.begin() as session:
            await inbox.bury(
                session,
                consumer=self._durable,
                message_id=message.message_id,
                subject=message.subject,
                headers=message.headers,
                payload=message.payload,
                reason=reason,
                detail=str(error) or repr(error),
            )
        # After the commit: a message that is terminated and not recorded is lost.
        await delivered.term()


def _message(delivered: Any) -> Message:  # noqa: ANN401 -- nats-py has no types
    headers = dict(delivered.headers or {})
    metadata = delivered.metadata
    return Message(
        subject=delivered.subject,
        payload=delivered.data,
        headers=headers,
        message_id=headers.get(MESSAGE_ID) or f"{metadata.stream}:{metadata.sequence.stream}",
        sequence=metadata.sequence.stream,
        deliveries=metadata.num_delivered,
        published_at=metadata.timestamp.astimezone(UTC),
    )


@contextlib.contextmanager
def _named(what: str) -> Any:  # noqa: ANN401 -- a generator that contextmanager wraps
    """Failures of nats-py as named errors."""
    try:
        yield
    except nats.errors.MaxPayloadError as error:
        raise ResourceExhausted(
            f"{what}: the message is larger than the server takes", reason="MESSAGE_TOO_LARGE"
        ) from error
    except nats.js.errors.NotFoundError as error:
        raise NotFound(f"{what}: {error.description}", reason="STREAM_NOT_FOUND") from error
    except nats.js.errors.APIError as error:
        raise Unavailable(f"{what}: {_refusal(error)}", reason="MESSAGING_UNAVAILABLE") from error
    except (nats.errors.Error, TimeoutError, ConnectionError) as error:
        raise Unavailable(f"{what}: {str(error) or repr(error)}", reason="MESSAGING_UNAVAILABLE") from error


def _refusal(error: nats.js.errors.APIError) -> str:
    if error.description is None:
        return "JetStream does not answer; NATS must run with JetStream enabled"
    remedy = ""
    if error.err_code in _OUT_OF_STORAGE:
        remedy = "; raise max_file_store of NATS, free its disk, or let streams reserve less (max_bytes)"
    return f"NATS refuses: {error.description} (error {error.err_code or error.code}){remedy}"


def _with_subjects(present: Sequence[str], needed: Sequence[str]) -> list[str] | None:
    """The subjects of a stream with those that it lacks; None if it lacks none.

    NATS refuses a stream whose subjects overlap: one that a wider one covers is left out.
    """
    lacking = [subject for subject in needed if not any(_covers(other, subject) for other in present)]
    if not lacking:
        return None
    return [*(s for s in present if not any(_covers(wider, s) for wider in lacking)), *lacking]


def _covers(pattern: str, subject: str) -> bool:
    """Whether `pattern` matches everything that `subject`, a pattern too, matches."""
    ours, theirs = pattern.split("."), subject.split(".")
    if ours[-1] == ">":
        ours = ours[:-1]
        if len(theirs) <= len(ours):
            return False
        theirs = theirs[: len(ours)]
    return len(ours) == len(theirs) and all(
        one == other or (one == "*" and other != ">") for one, other in zip(ours, theirs, strict=True)
    )


async def _says_info(server: str) -> bool:
    parsed = urllib.parse.urlsplit(server if "//" in server else f"//{server}")
    try:
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection(parsed.hostname, parsed.port or 4222)
            try:
                return (await reader.read(4)) == b"INFO"
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def _without_credentials(servers: list[str]) -> str:
    return ", ".join(server.rpartition("@")[2] for server in servers)


async def _on_error(error: Exception) -> None:
    _log.debug("nats", extra={"error": repr(error)})


async def _on_disconnected() -> None:
    _log.warning("NATS is away; reconnecting")


async def _on_reconnected() -> None:
    _log.info("NATS is back")
