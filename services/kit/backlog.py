"""What waits in the kit's own tables, for monitoring: the outbox, and what could never be handled."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from loupe.errors import LoupeError
from loupe.server.v1 import server_pb2

from services.kit.database import Database
from services.kit.messaging import Messaging, named_errors
from services.kit.metrics import Gauge, Reading
from services.kit.operations import Operations

_log = logging.getLogger(__name__)

_WAITING = Gauge("loupe_outbox_waiting", "messages", "Messages that are not published yet", "schema")
_OLDEST = Gauge(
    "loupe_outbox_oldest_seconds",
    "seconds",
    "The outbox's lag: how long its oldest message has waited; 0 without one",
    "schema",
)
_DEAD = Gauge(
    "loupe_dead_letters", "messages", "Messages that could never be handled, in `dead_letter`", "schema"
)

_OUTBOX = sa.text(
    "SELECT count(*) AS waiting, min(created_at) AS oldest, "
    "coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) AS oldest_s FROM outbox"
)
_DEAD_LETTERS = sa.text("SELECT count(*) FROM dead_letter")
_STREAMS_S = 10.0
_STALE_S = 60.0


class Backlog:
    """The kit's tables of one schema, as every replica sees them."""

    def __init__(self, database: Database, *, outbox: bool) -> None:
        self._database = database
        self._outbox = outbox

    async def read(self) -> server_pb2.Backlog:
        """What waits now; Unavailable while the database is away."""
        async with self._database.sessions.reading() as session:
            found = server_pb2.Backlog(dead_letter_count=(await session.execute(_DEAD_LETTERS)).scalar_one())
            if self._outbox:
                row = (await session.execute(_OUTBOX)).one()
                found.outbox_count = row.waiting
                if row.oldest is not None:
                    found.oldest_outbox_time.FromDatetime(row.oldest)
        return found


class StreamWatch:
    """How long streams are, and how far consumers are behind.

    Asked every ten seconds, so that a call never waits for NATS.
    """

    def __init__(
        self, messaging: Messaging, *, streams: Sequence[str], consumers: Sequence[tuple[str, str]]
    ) -> None:
        """`consumers` as (stream, durable)."""
        self._messaging = messaging
        self._wanted: list[str | tuple[str, str]] = [*streams, *consumers]
        self._told: dict[str | tuple[str, str], tuple[float, server_pb2.Stream | server_pb2.Consumer]] = {}

    def streams(self) -> list[server_pb2.Stream]:
        """Those that NATS told of within a minute."""
        return [told for told in self._fresh() if isinstance(told, server_pb2.Stream)]

    def consumers(self) -> list[server_pb2.Consumer]:
        """Those that NATS told of within a minute."""
        return [told for told in self._fresh() if isinstance(told, server_pb2.Consumer)]

    async def run(self) -> None:
        """Ask again and again; for `background`."""
        while True:
            for wanted in self._wanted:
                try:
                    self._told[wanted] = time.monotonic(), await self._ask(wanted)
                except LoupeError as error:
                    # Without the right to ask, NATS does not answer.
                    _log.debug("NATS says nothing of it", extra={"of": wanted, "error": error.message})
            await asyncio.sleep(_STREAMS_S)

    def _fresh(self) -> list[server_pb2.Stream | server_pb2.Consumer]:
        since_s = time.monotonic() - _STALE_S
        return [told for at_s, told in self._told.values() if at_s > since_s]

    async def _ask(self, wanted: str | tuple[str, str]) -> server_pb2.Stream | server_pb2.Consumer:
        if isinstance(wanted, str):
            with named_errors(f"stream {wanted}"):
                told = await self._messaging.ask_jetstream(f"STREAM.INFO.{wanted}")
            return server_pb2.Stream(
                name=wanted,
                message_count=told["state"]["messages"],
                size_bytes=told["state"]["bytes"],
                max_bytes=max(0, told["config"].get("max_bytes", 0)),
            )
        stream, durable = wanted
        with named_errors(f"consumer {durable}"):
            told = await self._messaging.ask_jetstream(f"CONSUMER.INFO.{stream}.{durable}")
        pending = told["num_pending"] + told["num_ack_pending"]
        return server_pb2.Consumer(name=durable, stream=stream, pending_count=pending)


def watch_stores(operations: Operations, database: Database, messaging: Messaging, *, outbox: bool) -> None:
    """Need both stores, and tell the lengths of the schema's tables; `outbox`: it has one."""
    operations.readiness.require("database", database.answers)
    operations.readiness.require("messaging", messaging.answers)
    labels = {"schema": database.schema}

    async def read() -> Mapping[Gauge, Sequence[Reading]]:
        async with database.sessions.reading() as session:
            dead = (await session.execute(_DEAD_LETTERS)).scalar_one()
            found: dict[Gauge, Sequence[Reading]] = {_DEAD: [(dead, labels)]}
            if outbox:
                row = (await session.execute(_OUTBOX)).one()
                found |= {_WAITING: [(row.waiting, labels)], _OLDEST: [(float(row.oldest_s), labels)]}
        return found

    operations.sample("backlog", (_DEAD, _WAITING, _OLDEST) if outbox else (_DEAD,), read)
