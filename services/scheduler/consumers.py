"""Events that the scheduler consumes (numbered releases, R1), and the streams that it publishes to."""

import logging

from loupe.events.v1 import events_pb2
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.consumer import Consumer
from services.kit.database import DatabaseSessions
from services.kit.messaging import Message, Messaging
from services.kit.streams import StreamSettings, ensure_mirrors, ensure_stream
from services.scheduler.domain.spec import BankRunDue
from services.scheduler.domain.task import TaskNotFound
from services.scheduler.storage.bank_runs import BankRuns
from services.scheduler.storage.tasks import Tasks
from services.scheduler.wire.values import id_of

_log = logging.getLogger(__name__)

STREAMS = ("TASKS", "LOSS")
"""Those of our events. The registry creates MODELS."""
_DAY_S = 86_400.0


async def ensure_streams(messaging: Messaging, settings: StreamSettings, *, loss_bytes: int) -> None:
    """Create the streams that the scheduler publishes to."""
    # A year: subscribers that were away replay everything since a sequence number (I2). Transitions are few
    # and small.
    await ensure_stream(
        messaging,
        "TASKS",
        ("loupe.tasks.*.state", "loupe.tasks.*.stage"),
        max_age_s=365 * _DAY_S,
        replicas=settings.replicas,
    )
    # Points stay in PostgreSQL; the stream is for subscribers that follow live or were away for some days.
    await ensure_stream(
        messaging,
        "LOSS",
        ("loupe.tasks.*.loss.*",),
        max_age_s=7 * _DAY_S,
        max_bytes=loss_bytes,
        replicas=settings.replicas,
    )
    await ensure_mirrors(messaging, settings, STREAMS)


async def released(session: AsyncSession, message: Message) -> None:
    """Store the version's name in its training task, and that the version is to be tested with banks (P8)."""
    event = message.parse(events_pb2.ModelVersionReleased)
    task_id = id_of(event.version.task, "tasks", "version.task")
    try:
        before = await Tasks(session).lock(task_id)
    except TaskNotFound:
        # The event is of another installation, or the database was restored from a backup.
        _log.warning("release of an unknown task", extra={"task": event.version.task})
        return
    task = before.numbered(event.version.name)
    if task is not before:
        await Tasks(session).save(before, task)
    version = event.version
    await BankRuns(session).add(
        BankRunDue(version.name, version.task, version.production_environment, version.releaser)
    )


def released_consumer(messaging: Messaging, sessions: DatabaseSessions) -> Consumer:
    """Consumes numbered releases, in case the answer of the direct call was lost."""
    return Consumer(
        messaging,
        sessions,
        stream="MODELS",
        durable="scheduler-releases",
        filter_subject="loupe.models.*.released",
        handler=released,
    )
