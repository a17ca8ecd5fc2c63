"""What waits in the kit's own tables, for monitoring: the outbox, and what could never be handled."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from services.kit.database import Database
from services.kit.messaging import Messaging
from services.kit.metrics import Gauge, Reading
from services.kit.operations import Operations

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
    "SELECT count(*) AS waiting, "
    "coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) AS oldest_s FROM outbox"
)
_DEAD_LETTERS = sa.text("SELECT count(*) FROM dead_letter")


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
