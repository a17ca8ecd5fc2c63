"""Consumers of the events of other services."""

import asyncio

from loupe.errors import NotFound
from loupe.events.v1 import events_pb2
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.application.reports import Reports
from services.kit.consumer import Consumer
from services.kit.database import DatabaseSessions
from services.kit.messaging import Message, Messaging

DURABLE = "evaluator-deleted-tasks"
RELEASES_DURABLE = "evaluator-releases"
_STREAM_POLL_S = 1.0


class DeletedTasks:
    """Deletes the reports of a deleted task (T7)."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    async def __call__(self, session: AsyncSession, message: Message) -> None:
        """Handle one change of the state of a task."""
        event = message.parse(events_pb2.TaskStateChanged)
        if event.deleted:
            await self._reports.delete_of_task(session, event.transition.task)


class Releases:
    """Has the reports of a training that is released be its version's (P8)."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    async def __call__(self, session: AsyncSession, message: Message) -> None:
        """Handle one release."""
        version = message.parse(events_pb2.ModelVersionReleased).version
        await self._reports.release(session, version.task, version.name)


async def follow_deleted_tasks(messaging: Messaging, sessions: DatabaseSessions, reports: Reports) -> None:
    """Consume until cancelled; run it with `Process.background`."""
    await _follow(
        Consumer(
            messaging,
            sessions,
            stream="TASKS",
            durable=DURABLE,
            filter_subject="loupe.tasks.*.state",
            handler=DeletedTasks(reports),
        )
    )


async def follow_releases(messaging: Messaging, sessions: DatabaseSessions, reports: Reports) -> None:
    """Consume until cancelled; run it with `Process.background`."""
    await _follow(
        Consumer(
            messaging,
            sessions,
            stream="MODELS",
            durable=RELEASES_DURABLE,
            filter_subject="loupe.models.*.released",
            handler=Releases(reports),
        )
    )


async def _follow(consumer: Consumer) -> None:
    while True:
        try:
            await consumer.run()
        except NotFound:
            # Another service makes the stream, and may start after this one.
            await asyncio.sleep(_STREAM_POLL_S)
