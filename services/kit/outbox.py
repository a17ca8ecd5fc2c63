"""The outbox: a message is a row of the transaction that made it true, and a relay publishes it afterwards.

A service's first migration calls `create_table(op)`; a use case calls `add(session, subject, message)`; one
`Relay` runs in every replica of the service, and one of them leads.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self

import sqlalchemy as sa
from google.protobuf.message import Message as ProtobufMessage
from loupe.errors import LoupeError, ResourceExhausted, Unavailable
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.kit import telemetry
from services.kit.database import Database, translated
from services.kit.flushing import FolderFlusher
from services.kit.metrics import Counter
from services.kit.retry import Backoff
from services.kit.signals import Signals, Subscription

_log = logging.getLogger(__name__)

MESSAGE_TYPE = "Message-Type"
_PUBLISHED = Counter(
    "loupe_outbox_published_total", "messages", "Messages of the outbox that a stream stored", "schema"
)

# NATS refuses messages over 1 MiB, headers included; one that can never be published would block its subject.
MAX_PAYLOAD_BYTES = 900_000


class _Base(DeclarativeBase):
    """The kit's own tables; `search_path` decides in whose schema they are."""


class OutboxRow(_Base):
    """A message that is committed and not yet published."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    message_id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, unique=True)
    subject: Mapped[str] = mapped_column(sa.Text)
    payload: Mapped[bytes] = mapped_column(sa.LargeBinary)
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp()
    )


_CREATE = (
    """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        message_id uuid NOT NULL UNIQUE,
        subject text NOT NULL,
        payload bytea NOT NULL,
        headers jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    """
    CREATE FUNCTION outbox_announce() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('outbox:' || TG_TABLE_SCHEMA, '');
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER outbox_announce AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_announce()
    """,
)


def create_table(op: Any) -> None:  # noqa: ANN401 -- the module `alembic.op`
    """For a migration: the table, and a trigger that wakes the relay on commit. It never changes again."""
    for statement in _CREATE:
        op.execute(statement)


def channel(schema: str) -> str:
    """The channel on which a schema's outbox notifies of new rows."""
    return f"outbox:{schema}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the outbox; its id identifies repetitions."""

    message_id: uuid.UUID
    subject: str
    payload: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, subject: str, content: ProtobufMessage) -> Self:
        """`content` for `subject`, with a new id and the current trace context."""
        payload = content.SerializeToString()
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ResourceExhausted(
                f"a message for {subject} has {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES} fit",
                reason="MESSAGE_TOO_LARGE",
            )
        headers = {MESSAGE_TYPE: content.DESCRIPTOR.full_name}
        telemetry.inject(headers)
        return cls(uuid.uuid4(), subject, payload, headers)


def add(session: AsyncSession, subject: str, content: ProtobufMessage) -> uuid.UUID:
    """Publish `content` on `subject` if and only if this transaction commits; returns its id.

    It is written when the session flushes, after the rows that were changed before. The locks on those rows
    keep the order of two messages about the same resource.
    """
    message = Message.of(subject, content)
    session.add(OutboxRow(**asdict(message)))
    return message.message_id


# For a statement that changes rows and adds their messages by itself: this part, a WHERE after it, and BINDS.
INSERT = """
    INSERT INTO outbox (message_id, subject, payload, headers)
    SELECT message_id, subject, payload, CAST(headers AS jsonb)
    FROM unnest(:outbox_ids, :outbox_subjects, :outbox_payloads, :outbox_headers)
        AS messages (message_id, subject, payload, headers)
"""
BINDS = (
    sa.bindparam("outbox_ids", type_=sa.ARRAY(sa.Uuid)),
    sa.bindparam("outbox_subjects", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("outbox_payloads", type_=sa.ARRAY(sa.LargeBinary)),
    sa.bindparam("outbox_headers", type_=sa.ARRAY(sa.Text)),
)


def values(messages: Sequence[Message]) -> dict[str, object]:
    """The values of `BINDS`."""
    return {
        "outbox_ids": [one.message_id for one in messages],
        "outbox_subjects": [one.subject for one in messages],
        "outbox_payloads": [one.payload for one in messages],
        "outbox_headers": [json.dumps(one.headers) for one in messages],
    }


# Deletes the stored messages and reads the next, in one round trip; both see the table as it was before.
_NEXT = sa.text(
    """
    WITH gone AS (DELETE FROM outbox WHERE id = ANY(:stored))
    SELECT id, message_id, subject, payload, headers FROM outbox
    WHERE id <> ALL(:stored) ORDER BY id LIMIT :batch
    """
)
_NEXT_BATCH = _NEXT.bindparams(sa.bindparam("stored", type_=sa.ARRAY(sa.BigInteger))).columns(
    OutboxRow.id, OutboxRow.message_id, OutboxRow.subject, OutboxRow.payload, OutboxRow.headers
)


class Publisher(Protocol):
    """What the relay needs of `messaging.Messaging`."""

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        headers: dict[str, str],
    ) -> None:
        """Return when the stream has stored the message; Unavailable without an acknowledgement."""
        ...


class Relay:
    """Publishes the outbox of one schema, oldest first, and deletes what the stream has stored.

    One replica leads, by an advisory lock. The lock, the reads and the deletes share one connection: a
    leader that lost its lock lost its reads with it. Order holds per subject: a message is sent when its
    predecessor on the subject is stored. What was stored but not deleted is sent again under the same id,
    which the stream drops.

    A leader that hangs loses the lock: PostgreSQL ends its session when it has asked nothing for
    `_PROGRESS_S`, which a leader at work never does, because a batch ends after `_BATCH_S`.

    NATS acknowledges a message before it is on the disk. `stored_in` is its folder where nobody else flushes
    it: a row is deleted when its message is durable.
    """

    _FOLLOWER_POLL_S = 1.0
    _IDLE_POLL_S = 2.0
    # The first message is sent at once, those that follow it within this time together, which saves CPU time.
    _PAUSE_S = 0.02
    _BATCH_S = 5.0
    _PROGRESS_S = 15.0

    def __init__(  # noqa: PLR0913 -- each has a default and a name
        self,
        database: Database,
        publisher: Publisher,
        signals: Signals,
        *,
        stored_in: Path | None = None,
        batch: int = 256,
        backoff: Backoff = Backoff(ceiling_s=2.0),  # noqa: B008 -- frozen
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._signals = signals
        self._flusher = None if stored_in is None else FolderFlusher(stored_in)
        self._batch = batch
        self._backoff = backoff

    async def run(self) -> None:
        """Relay until cancelled; for `background`. It waits while PostgreSQL or NATS is unavailable."""
        failures = 0
        while True:
            try:
                await self._lead()
            except (LoupeError, sa.exc.SQLAlchemyError, OSError) as error:
                known_error = error if isinstance(error, LoupeError) else translated(error)
                if known_error is None or not known_error.transient:
                    raise
                failures += 1
                if failures == 1:
                    _log.warning(
                        "outbox relay interrupted",
                        extra={"reason": known_error.reason, "error": known_error.message},
                    )
                await asyncio.sleep(self._backoff.delay_s(1))

    async def _lead(self) -> None:
        async with self._database.engine.connect() as pooled:
            connection = await pooled.execution_options(isolation_level="AUTOCOMMIT")
            key = {"key": channel(self._database.schema)}
            async with self._signals.subscribe(channel(self._database.schema)) as signal:
                while not await connection.scalar(  # noqa: ASYNC110 -- PostgreSQL does not notify about a released lock
                    sa.text("SELECT pg_try_advisory_lock(hashtextextended(:key, 0))"), key
                ):
                    await asyncio.sleep(self._FOLLOWER_POLL_S)
                _log.info("leading the outbox", extra={"schema": self._database.schema})
                try:
                    # If a crash undoes a delete, the message is sent again and the stream drops it: a flush
                    # of the disk would delay reports for nothing.
                    await connection.execute(sa.text("SET synchronous_commit = off"))
                    await connection.execute(
                        sa.text(f"SET idle_session_timeout = {int(self._PROGRESS_S * 1000)}")
                    )
                    await self._publish_all(connection, signal)
                finally:
                    # The connection must not return to the pool with its lock.
                    await asyncio.shield(pooled.invalidate())

    async def _publish_all(self, connection: AsyncConnection, signal: Subscription) -> None:
        stored: list[int] = []
        failures = 0
        while True:
            rows = (await connection.execute(_NEXT_BATCH, {"stored": stored, "batch": self._batch})).all()
            if not rows:
                stored, failures = [], 0
                await signal.wait(self._IDLE_POLL_S)
                continue
            stored = await self._publish(rows)
            failures = failures + 1 if len(stored) < len(rows) else 0
            await asyncio.sleep(self._backoff.delay_s(failures) if failures else self._PAUSE_S)

    async def _publish(self, rows: Sequence[Any]) -> list[int]:
        """Publish the rows; returns which of them the stream has stored, and durably."""
        # Also for a process that was stopped meanwhile: another leads when it goes on.
        until_s = time.monotonic() + self._BATCH_S
        by_subject: dict[str, list[Any]] = {}
        for row in rows:
            by_subject.setdefault(row.subject, []).append(row)
        chains = await asyncio.gather(
            *(self._publish_in_order(chain, until_s) for chain in by_subject.values())
        )
        if self._flusher is not None:
            await self._flusher.flush_soon()
        published = [row_id for ids in chains for row_id in ids]
        _PUBLISHED.add(len(published), schema=self._database.schema)
        return published

    async def _publish_in_order(self, rows: Sequence[Any], until_s: float) -> list[int]:
        stored: list[int] = []
        for row in rows:
            if time.monotonic() > until_s:
                break
            try:
                await self._publisher.publish(
                    row.subject,
                    row.payload,
                    message_id=str(row.message_id),
                    headers=dict(row.headers),
                )
            except Unavailable as error:
                _log.warning("not published", extra={"subject": row.subject, "error": error.message})
                break
            stored.append(row.id)
        return stored
