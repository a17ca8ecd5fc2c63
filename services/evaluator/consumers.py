"""Consumers of the events of other services."""

from collections.abc import Mapping

from loupe.events.v1 import events_pb2
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.application.reports import Reports
from services.kit.consumer import Consumer
from services.kit.database import DatabaseSessions
from services.kit.messaging import Message, Messaging


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


def consumers(messaging: Messaging, sessions: DatabaseSessions, reports: Reports) -> Mapping[str, Consumer]:
    """What the evaluator follows, each by its name; `run` them in the background."""
    return {
        name: Consumer(
            messaging, sessions, stream=stream, durable=durable, filter_subject=subject, handler=handler
        )
        for name, stream, durable, subject, handler in (
            (
                "deleted tasks",
                "TASKS",
                "evaluator-deleted-tasks",
                "loupe.tasks.*.state",
                DeletedTasks(reports),
            ),
            ("releases", "MODELS", "evaluator-releases", "loupe.models.*.released", Releases(reports)),
        )
    }
