"""Handlers of the events of other services."""

import asyncio
import logging

from loupe.errors import NotFound
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

_TASKS_STREAM = "TASKS"
_POLL_S = 1.0

_log = logging.getLogger(__name__)


async def ensure_streams(messaging: Messaging, settings: StreamSettings) -> None:
    """Create the streams that the registry publishes to."""
    await ensure_stream(
        messaging, MODELS_STREAM, MODELS_SUBJECTS, max_age_s=MODELS_MAX_AGE_S, replicas=settings.replicas
    )
    await ensure_mirrors(messaging, settings, (MODELS_STREAM,))


class ReleaseConsumer:
    """Numbers released tasks whose direct call from the scheduler failed (R2)."""

    def __init__(self, messaging: Messaging, sessions: DatabaseSessions) -> None:
        self._consumer = Consumer(
            messaging,
            sessions,
            stream=_TASKS_STREAM,
            durable="registry-releases",
            filter_subject=TASK_STATE_SUBJECTS,
            handler=self._handle,
        )

    async def run(self) -> None:
        """Consume until cancelled. The scheduler creates the stream; until then this waits."""
        waiting = False
        while True:
            try:
                await self._consumer.run()
            except NotFound as error:
                if error.reason != "STREAM_NOT_FOUND":
                    raise
                if not waiting:
                    _log.info("waiting for a stream", extra={"stream": _TASKS_STREAM})
                waiting = True
                await asyncio.sleep(_POLL_S)

    async def _handle(self, session: AsyncSession, message: Message) -> None:
        release = release_ordered(message.parse(events_pb2.TaskStateChanged))
        if release is not None:
            await number_release(session, release)
