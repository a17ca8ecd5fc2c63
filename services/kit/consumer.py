"""Durable consumers of JetStream.

A consumer handles each message in one transaction: inbox, handler, commit, then ack. After a transient
failure the message is delivered again with a growing delay; one that can never succeed is stored in
`dead_letter` and terminated. A consumer handles one message after another. Later messages overtake a delayed
one, so handlers compare revisions instead of relying on the order.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import nats.errors
from loupe.errors import LoupeError, Unavailable
from nats.js import api
from opentelemetry import trace
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit import inbox, telemetry
from services.kit.clock import SystemClock
from services.kit.database import DatabaseSessions, translated
from services.kit.messaging import Message, Messaging, message_of, named_errors
from services.kit.metrics import SECONDS, Counter, Histogram
from services.kit.retry import Backoff

_log = logging.getLogger(__name__)
_tracer = telemetry.tracer(__name__)

_HANDLED = Counter(
    "loupe_consumer_messages_total",
    "messages",
    "Messages that a consumer took: `handled`, `delayed` after a failure, or `buried` as dead letters",
    "consumer",
    "result",
)
_DELAY = Histogram(
    "loupe_consumer_delay_seconds",
    "seconds",
    "The inbox's lag: how old messages are when they have been handled",
    "consumer",
    bounds=(*SECONDS, 60.0, 300.0, 3600.0),
)

Handler = Callable[[AsyncSession, Message], Awaitable[None]]


class Consumer:
    """Handles the messages of a durable consumer, each once in its own transaction."""

    _HEARTBEAT_S = 1.0
    _EXPIRES_S = 20.0
    _FORGET_EVERY_S = 600.0

    def __init__(  # noqa: PLR0913 -- what a consumer is; all named by its caller
        self,
        messaging: Messaging,
        sessions: DatabaseSessions,
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

    @property
    def identity(self) -> tuple[str, str]:
        """Stream and durable consumer."""
        return self._stream, self._durable

    async def run(self) -> None:
        """Consume until cancelled; for `background`.

        It waits while PostgreSQL or NATS is unavailable, and until another service has made the stream.
        """
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
                if not error.transient and error.reason != "STREAM_NOT_FOUND":
                    raise
                failures += 1
                if failures == 1:
                    _log.warning(
                        "consumer waits",
                        extra={"durable": self._durable, "reason": error.reason, "error": error.message},
                    )
                await asyncio.sleep(min(2.0, self._backoff.delay_s(failures)))

    async def _ensure(self) -> None:
        await self._messaging.answers()
        with named_errors(f"consumer {self._durable}"):
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
        # nats-py's `fetch(n)` returns nothing until n messages have arrived or the time is up. So we use the
        # pull protocol directly: request n, take each as it arrives, request again when the server ends the
        # request.
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
        with named_errors(f"pulling {self._durable}"):
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
                # Without a heartbeat the request was lost with the server or the connection.
                await self._messaging.answers()
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
        message = message_of(delivered)
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
                _HANDLED.add(consumer=self._durable, result="handled")
                if message.published_at is not None:
                    age = SystemClock().now() - message.published_at
                    _DELAY.record(max(0.0, age.total_seconds()), consumer=self._durable)

    async def _failed(self, delivered: Any, message: Message, error: Exception) -> None:  # noqa: ANN401 -- nats-py has no types
        known_error = error if isinstance(error, LoupeError) else translated(error)
        expected = known_error is not None
        if known_error is not None and not known_error.transient:
            permanent = True
        else:
            permanent = not expected and message.deliveries >= self._max_unexpected
        reason = known_error.reason if known_error is not None else "UNEXPECTED"
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
            _HANDLED.add(consumer=self._durable, result="delayed")
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
        _HANDLED.add(consumer=self._durable, result="buried")
