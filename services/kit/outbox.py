"""The outbox: a message is a row of the transaction that made it true, and a relay publishes it afterwards.

A service's first migration calls `create_table(op)`; a use case calls `add(session, subject, message)`; one
`Relay` runs in every replica of the service, and one of them leads.
"""

import asyncio
import logging
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from google.protobuf.message import Message as ProtobufMessage
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.kit import telemetry
from services.kit.backoff import Backoff
from services.kit.database import Database, Signals, translated
from services.kit.errors import LoupeError, ResourceExhausted, Unavailable

_log = logging.getLogger(__name__)

MESSAGE_TYPE = "Message-Type"
# NATS refuses messages over 1 MiB, headers included; one that can never be published would block its subject.
MAX_PAYLOAD_BYTES = 900_000


class _Base(DeclarativeBase):
    """The kit's own tables; `search_path` decides in whose schema they are."""


class OutboxRow(_Base):
    """A message that is true and not yet announced."""

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
    """The channel on which a schema's outbox announces new rows."""
    return f"outbox:{schema}"


def add(session: AsyncSession, subject: str, message: ProtobufMessage) -> uuid.UUID:
    """Announce `message` on `subject` if and only if this transaction commits; returns its id.

    It is written when the session flushes; so it comes after the rows that were changed before, whose locks
    keep the order of two messages about one thing. The current trace goes along.
    """
    payload = message.SerializeToString()
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ResourceExhausted(
            f"a message for {subject} has {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES} fit",
            reason="MESSAGE_TOO_LARGE",
        )
    headers = {MESSAGE_TYPE: message.DESCRIPTOR.full_name}
    telemetry.inject(headers)
    message_id = uuid.uuid4()
    session.add(OutboxRow(message_id=message_id, subject=subject, payload=payload, headers=headers))
    return message_id


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
        """Return when the stream has stored the message; Unavailable when it did not say so."""
        ...


class Relay:
    """Publishes the outbox of one schema, oldest first, and deletes what the stream has stored.

    One replica leads, by an advisory lock. The lock, the reads and the deletes share one connection: a
    leader that lost its lock lost its reads with it. Order holds per subject: a message is sent when its
    predecessor on the subject is stored. What was stored but not deleted is sent again under the same id,
    which the stream drops.
    """

    _FOLLOWER_POLL_S = 1.0
    _IDLE_POLL_S = 2.0

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        signals: Signals,
        *,
        batch: int = 256,
        backoff: Backoff = Backoff(ceiling_s=2.0),  # noqa: B008 -- frozen
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._signals = signals
        self._batch = batch
        self._backoff = backoff

    async def run(self) -> None:
        """Relay for ever; give it to `background`. PostgreSQL or NATS being away only makes it wait."""
        failures = 0
        while True:
            try:
                await self._lead()
            except (LoupeError, sa.exc.SQLAlchemyError, OSError) as error:
                named = error if isinstance(error, LoupeError) else translated(error)
                if named is None or not named.transient:
                    raise
                failures += 1
                if failures == 1:
                    _log.warning("outbox relay interrupted", extra={"reason": named.reason})
                await asyncio.sleep(self._backoff.delay_s(1))

    async def _lead(self) -> None:
        async with self._database.engine.connect() as pooled:
            connection = await pooled.execution_options(isolation_level="AUTOCOMMIT")
            key = {"key": channel(self._database.schema)}
            async with self._signals.subscribe(channel(self._database.schema)) as signal:
                while not await connection.scalar(  # noqa: ASYNC110 -- a lock that is freed tells nobody
                    sa.text("SELECT pg_try_advisory_lock(hashtextextended(:key, 0))"), key
                ):
                    await asyncio.sleep(self._FOLLOWER_POLL_S)
                _log.info("leading the outbox", extra={"schema": self._database.schema})
                try:
                    failures = 0
                    while True:
                        left = await self._publish_batch(connection)
                        if left is None:
                            failures = 0
                            await signal.wait(self._IDLE_POLL_S)
                        elif left:
                            failures += 1
                            await asyncio.sleep(self._backoff.delay_s(failures))
                        else:
                            failures = 0
                finally:
                    # The connection goes back to a pool: its lock must not.
                    await asyncio.shield(pooled.invalidate())

    async def _publish_batch(self, connection: AsyncConnection) -> int | None:
        """Publish the oldest rows; None if there were none, else how many could not be published."""
        rows = (
            await connection.execute(
                sa.select(
                    OutboxRow.id,
                    OutboxRow.message_id,
                    OutboxRow.subject,
                    OutboxRow.payload,
                    OutboxRow.headers,
                )
                .order_by(OutboxRow.id)
                .limit(self._batch)
            )
        ).all()
        if not rows:
            return None
        by_subject: dict[str, list[Any]] = {}
        for row in rows:
            by_subject.setdefault(row.subject, []).append(row)
        stored = [
            row_id
            for ids in await asyncio.gather(*(self._publish_in_order(chain) for chain in by_subject.values()))
            for row_id in ids
        ]
        if stored:
            await connection.execute(sa.delete(OutboxRow).where(OutboxRow.id.in_(stored)))
        return len(rows) - len(stored)

    async def _publish_in_order(self, rows: Sequence[Any]) -> list[int]:
        stored: list[int] = []
        for row in rows:
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
