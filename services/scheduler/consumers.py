"""What the scheduler hears of the registry: the numbers of releases (R1)."""

import asyncio
import logging

from loupe.errors import NotFound
from loupe.events.v1 import events_pb2
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import Sessions
from services.kit.messaging import Consumer, Message, Messaging
from services.scheduler.domain.task import TaskNotFound
from services.scheduler.storage.tasks import Tasks
from services.scheduler.wire.values import id_of

_log = logging.getLogger(__name__)

_DAY_S = 86_400.0
_POLL_S = 1.0


async def ensure_streams(messaging: Messaging, *, loss_bytes: int, replicas: int) -> None:
    """Make the streams that the scheduler publishes to. MODELS is the registry's."""
    # A year: whoever was away asks again for everything since N (I2). Transitions are few and small.
    await messaging.ensure_stream(
        "TASKS",
        ("loupe.tasks.*.state", "loupe.tasks.*.stage"),
        max_age_s=365 * _DAY_S,
        replicas=replicas,
    )
    # Points stay in PostgreSQL; the stream is for who follows live or was away over a weekend.
    await messaging.ensure_stream(
        "LOSS",
        ("loupe.tasks.*.loss.*",),
        max_age_s=7 * _DAY_S,
        max_bytes=loss_bytes,
        replicas=replicas,
    )


async def released(session: AsyncSession, message: Message) -> None:
    """Write the version's name onto the task that made it."""
    event = message.parse(events_pb2.ModelVersionReleased)
    task_id = id_of(event.version.task, "tasks", "version.task")
    try:
        before = await Tasks(session).lock(task_id)
    except TaskNotFound:
        # Of another installation's history, or restored from a backup: nobody waits for this number.
        _log.warning("released, but not ours", extra={"task": event.version.task})
        return
    task = before.numbered(event.version.name)
    if task is not before:
        await Tasks(session).save(before, task)


class ReleasedConsumer:
    """Hears of numbered releases, should the direct call's answer have been lost."""

    def __init__(self, messaging: Messaging, sessions: Sessions) -> None:
        self._consumer = Consumer(
            messaging,
            sessions,
            stream="MODELS",
            durable="scheduler-releases",
            filter_subject="loupe.models.*.released",
            handler=released,
        )

    async def run(self) -> None:
        """Consume for ever. The stream is the registry's to make; until then there is nothing to hear."""
        while True:
            try:
                await self._consumer.run()
            except NotFound as error:
                if error.reason != "STREAM_NOT_FOUND":
                    raise
                await asyncio.sleep(_POLL_S)
