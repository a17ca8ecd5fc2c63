"""The connection to NATS JetStream: publishing that waits for the acknowledgement, and following."""

import asyncio
import contextlib
import json
import logging
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import nats
import nats.errors
import nats.js.errors
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtobufMessage
from loupe.errors import (
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from nats.js import api

from services.kit.nats_access import AccessClient, NatsAccess
from services.kit.nats_names import inbox_prefix
from services.kit.retry import Backoff

_log = logging.getLogger(__name__)

M = TypeVar("M", bound=ProtobufMessage)

MESSAGE_ID = "Nats-Msg-Id"
_PUBLISH_TIMEOUT_S = 2.0
_API_TIMEOUT_S = 2.0
_OUT_OF_STORAGE = frozenset({10023, 10047})
"""Error codes of JetStream: insufficient resources, insufficient storage resources."""


@dataclass(frozen=True, slots=True)
class Message:
    """A delivered message. `message_id` is the publisher's, or stream and sequence if it set none."""

    subject: str
    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    message_id: str = ""
    sequence: int = 0
    deliveries: int = 1
    published_at: datetime | None = None

    def parse(self, message_type: type[M]) -> M:
        """The payload as a protobuf message; InvalidArgument if it is not of that type."""
        try:
            return message_type.FromString(self.payload)
        except DecodeError as error:
            raise InvalidArgument(
                f"the message on {self.subject} is no {message_type.DESCRIPTOR.full_name}: {error}",
                reason="MESSAGE_UNREADABLE",
            ) from error


class Messaging:
    """One connection to NATS that reconnects by itself."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 -- nats-py has no types
        self._client = client
        self._jetstream = client.jetstream(timeout=_PUBLISH_TIMEOUT_S)
        self.access = NatsAccess()
        """For other connections to the same servers."""
        self.logged_streams: set[str] = set()
        """Streams whose differences from our defaults are in the log."""

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        name: str = "loupe",
        timeout_s: float = 30.0,
        inbox: str | None = None,
        access: NatsAccess = NatsAccess(),  # noqa: B008 -- frozen
    ) -> Self:
        """Connect to `nats://user:password@host:port[,…]`; Unavailable if none answers in `timeout_s`.

        Answers come to subjects below `inbox`, by default `inbox_prefix(name)`: no other user need see them.
        """
        servers = [server.strip() for server in url.split(",")]
        backoff = Backoff(first_s=0.02, ceiling_s=0.5)
        told: list[Exception] = []

        async def failed(error: Exception) -> None:
            # What the server said explains more than the pipe that it closed then.
            if not told or isinstance(error, nats.errors.Error):
                told[:] = [error]
            _log.debug("nats", extra={"error": repr(error)})

        try:
            context = access.context_for(servers)
            async with asyncio.timeout(timeout_s):
                failures = 0
                # nats-py waits two seconds for a port that does not listen yet, so look first.
                while not any([await _says_info(server) for server in servers]):
                    failures += 1
                    await asyncio.sleep(backoff.delay_s(failures))
                client: Any = AccessClient(access, encrypted=context is not None)

                async def disconnected() -> None:
                    if not client.is_closed:
                        _log.warning("NATS is away; reconnecting")

                await client.connect(
                    servers=servers,
                    name=name,
                    inbox_prefix=inbox or inbox_prefix(name),
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.2,
                    connect_timeout=5,
                    ping_interval=10,
                    max_outstanding_pings=2,
                    tls=context,
                    error_cb=failed,
                    disconnected_cb=disconnected,
                    reconnected_cb=_on_reconnected,
                )
        except (TimeoutError, OSError, nats.errors.Error) as error:
            raise Unavailable(
                f"NATS does not answer at {_without_credentials(servers)}: {[error, *told][-1]!r}",
                reason="MESSAGING_UNAVAILABLE",
            ) from error
        connected = cls(client)
        connected.access = access
        return connected

    async def close(self) -> None:
        """Send what is buffered and close the connection."""
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            await self._client.flush(timeout=1)
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """Whether the server is connected now."""
        return bool(self._client.is_connected)

    async def answers(self) -> None:
        """Unavailable unless the server is connected now."""
        if not self.connected:
            raise Unavailable("NATS is away; try again", reason="MESSAGING_UNAVAILABLE")

    @property
    def client(self) -> Any:  # noqa: ANN401 -- nats-py has no types
        """The nats-py client, for what this class does not offer."""
        return self._client

    @property
    def jetstream(self) -> Any:  # noqa: ANN401 -- nats-py has no types
        """The nats-py JetStream context, for what this class does not offer."""
        return self._jetstream

    async def ask_jetstream(self, what: str, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer of JetStream's API to a request, as JSON; a refusal is nats-py's APIError."""
        # nats-py's StreamConfig drops settings that it does not know, and an update would reset them.
        payload = b"" if request is None else json.dumps(request).encode()
        delivered = await self._client.request(f"$JS.API.{what}", payload, timeout=_API_TIMEOUT_S)
        answer: dict[str, Any] = json.loads(delivered.data)
        if "error" in answer:
            raise nats.js.errors.APIError.from_error(answer["error"])
        return answer

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Return when a stream has stored it (once per `message_id`); Unavailable if it does not say so."""
        # The client would buffer it and lose the caller's order.
        await self.answers()
        with named_errors(f"publishing on {subject}"):
            await self._jetstream.publish(
                subject,
                payload,
                timeout=_PUBLISH_TIMEOUT_S,
                headers={**(headers or {}), MESSAGE_ID: message_id},
            )

    async def follow(self, subject: str, *, replay: bool = False) -> AsyncIterator[Message]:
        """Every message on `subject` in order, from now on; with `replay` from the oldest that is stored.

        The server keeps no state of it. Where each message must be handled once, use a Consumer.
        """
        policy = api.DeliverPolicy.ALL if replay else api.DeliverPolicy.NEW
        with named_errors(f"following {subject}"):
            subscription = await self._jetstream.subscribe(
                subject,
                ordered_consumer=True,
                config=api.ConsumerConfig(deliver_policy=policy),
            )
        try:
            async for delivered in subscription.messages:
                yield message_of(delivered)
        finally:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()


def message_of(delivered: Any) -> Message:  # noqa: ANN401 -- nats-py has no types
    """A message of nats-py as ours."""
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
def named_errors(what: str) -> Any:  # noqa: ANN401 -- a generator that contextmanager wraps
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


async def _on_reconnected() -> None:
    _log.info("NATS is back")
