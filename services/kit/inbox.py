"""The inbox: which messages a consumer has handled, recorded in the transaction that handled them.

A consuming service's first migration calls `create_tables(op)`.
"""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

_metadata = sa.MetaData()

_inbox = sa.Table(
    "inbox",
    _metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("handled_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

_dead_letter = sa.Table(
    "dead_letter",
    _metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("consumer", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("headers", JSONB, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("died_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

_CREATE = (
    """
    CREATE TABLE inbox (
        consumer text NOT NULL,
        message_id text NOT NULL,
        handled_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (consumer, message_id)
    )
    """,
    "CREATE INDEX inbox_handled_at ON inbox (handled_at)",
    """
    CREATE TABLE dead_letter (
        id uuid PRIMARY KEY,
        consumer text NOT NULL,
        message_id text NOT NULL,
        subject text NOT NULL,
        headers jsonb NOT NULL,
        payload bytea NOT NULL,
        reason text NOT NULL,
        detail text NOT NULL,
        died_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (consumer, message_id)
    )
    """,
)


def create_tables(op: Any) -> None:  # noqa: ANN401 -- the module `alembic.op`
    """For a migration: `inbox` and `dead_letter`. These statements never change again."""
    for statement in _CREATE:
        op.execute(statement)


async def already_handled(session: AsyncSession, consumer: str, message_id: str) -> bool:
    """Whether `consumer` handled the message before; if not, it has once this transaction commits.

    A second delivery at the same time waits here until the first commits or rolls back.
    """
    inserted = await session.scalar(
        insert(_inbox)
        .values(consumer=consumer, message_id=message_id)
        .on_conflict_do_nothing()
        .returning(_inbox.c.message_id)
    )
    return inserted is None


async def forget(session: AsyncSession, consumer: str, older_than: timedelta) -> int:
    """Delete the records that are older than any redelivery; returns how many."""
    result = await session.execute(
        sa.delete(_inbox)
        .where(_inbox.c.consumer == consumer, _inbox.c.handled_at < sa.func.now() - older_than)
        .returning(_inbox.c.message_id)
    )
    return len(result.all())


async def bury(  # noqa: PLR0913 -- the columns of the row, all named by the caller
    session: AsyncSession,
    *,
    consumer: str,
    message_id: str,
    subject: str,
    headers: Mapping[str, str],
    payload: bytes,
    reason: str,
    detail: str,
) -> None:
    """Store a message that can never be handled, with the reason, for an operator."""
    await session.execute(
        insert(_dead_letter)
        .values(
            id=uuid.uuid4(),
            consumer=consumer,
            message_id=message_id,
            subject=subject,
            headers=dict(headers),
            payload=payload,
            reason=reason,
            detail=detail,
        )
        .on_conflict_do_nothing()
    )
