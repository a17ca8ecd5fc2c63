"""Use cases of QueueService: workers and queue, for operators (T4)."""

from collections.abc import Iterable
from datetime import datetime

from services.kit.database import database_time
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.domain.workers import KnownWorker, Presence, ResourceFigures, figures
from services.scheduler.storage.jobs import WORKER_SILENCE_LIMIT
from services.scheduler.storage.workers import Workers


def present(workers: Iterable[KnownWorker], now: datetime) -> list[tuple[KnownWorker, Presence]]:
    """The workers, and whether each is present."""
    limit_s = WORKER_SILENCE_LIMIT.total_seconds()
    return [(worker, worker.presence(now, limit_s)) for worker in workers]


class QueueOverview:
    """Reads the rows at each call: the only caller is a page that polls every few seconds."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies

    async def workers(self, *, after: str, limit: int) -> list[tuple[KnownWorker, Presence]]:
        """Workers by name, from the one after `after` on, and whether each is present."""
        async with self._dependencies.sessions.reading() as session:
            now = await database_time(session)
            found = await Workers(session).page(
                self._dependencies.scheduling.lease_s, after=after, limit=limit
            )
        return present(found, now)

    async def figures(self) -> list[ResourceFigures]:
        """Waiting and running jobs, by compute resource."""
        async with self._dependencies.sessions.reading() as session:
            now = await database_time(session)
            rows = Workers(session)
            waiting = await rows.waiting(self._dependencies.held_back)
            workers = await rows.page(self._dependencies.scheduling.lease_s)
        return figures(workers, waiting, now, WORKER_SILENCE_LIMIT.total_seconds())
