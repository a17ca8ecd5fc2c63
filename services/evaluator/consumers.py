"""What the evaluator does when something happened elsewhere."""

import asyncio

from loupe.errors import NotFound
from loupe.events.v1 import events_pb2
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.application import ReportLibrary
from services.kit.database import Sessions
from services.kit.messaging import Consumer, Message, Messaging

DURABLE = "evaluator-deleted-tasks"
_STREAM_POLL_S = 1.0


class DeletedTasks:
    """Reports go with their task (T7)."""

    def __init__(self, library: ReportLibrary) -> None:
        self._library = library

    async def __call__(self, session: AsyncSession, message: Message) -> None:
        """One change of a task's state."""
        event = message.parse(events_pb2.TaskStateChanged)
        if event.deleted:
            await self._library.forget_task(session, event.transition.task)


async def follow_deleted_tasks(messaging: Messaging, sessions: Sessions, library: ReportLibrary) -> None:
    """Consume for ever; give it to `background`."""
    consumer = Consumer(
        messaging,
        sessions,
        stream="TASKS",
        durable=DURABLE,
        filter_subject="loupe.tasks.*.state",
        handler=DeletedTasks(library),
    )
    while True:
        try:
            await consumer.run()
        except NotFound:
            # The stream is the scheduler's, which may start after us.
            await asyncio.sleep(_STREAM_POLL_S)
