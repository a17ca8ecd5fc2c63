"""Handlers of the events of other services."""

from loupe.events.v1 import events_pb2
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.consumer import Consumer
from services.kit.database import DatabaseSessions
from services.kit.messaging import Message, Messaging
from services.kit.streams import StreamSettings, ensure_mirrors, ensure_stream
from services.registry.application.models import number_release
from services.registry.wire.models import TASK_STATE_SUBJECTS, release_ordered

MODELS_STREAM = "MODELS"
MODELS_SUBJECTS = ("loupe.models.>",)
# Years: releases are rare and small, and clients replay them as long as models are used (I2).
MODELS_MAX_AGE_S = 5 * 365 * 86_400.0


async def ensure_streams(messaging: Messaging, settings: StreamSettings) -> None:
    """Create the streams that the registry publishes to."""
    await ensure_stream(
        messaging, MODELS_STREAM, MODELS_SUBJECTS, max_age_s=MODELS_MAX_AGE_S, replicas=settings.replicas
    )
    await ensure_mirrors(messaging, settings, (MODELS_STREAM,))


async def ordered(session: AsyncSession, message: Message) -> None:
    """Number the version of a released task (R2)."""
    release = release_ordered(message.parse(events_pb2.TaskStateChanged))
    if release is not None:
        await number_release(session, release)


def release_consumer(messaging: Messaging, sessions: DatabaseSessions) -> Consumer:
    """Consumes released tasks, in case the direct call of the scheduler failed."""
    return Consumer(
        messaging,
        sessions,
        stream="TASKS",
        durable="registry-releases",
        filter_subject=TASK_STATE_SUBJECTS,
        handler=ordered,
    )
