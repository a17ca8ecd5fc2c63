"""Use cases of QueueService: workers and queue, for operators (T4)."""

from collections.abc import Iterable
from datetime import datetime

from loupe.errors import NotFound
from loupe.translation import sentence
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import database_time
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.domain.workers import KnownWorker, Presence, ResourceFigures, figures
from services.scheduler.storage.jobs import WORKER_SILENCE_LIMIT
from services.scheduler.storage.workers import Workers


def present(workers: Iterable[KnownWorker], now: datetime) -> list[tuple[KnownWorker, Presence]]:
    """The workers, and whether each is present."""
    limit_s = WORKER_SILENCE_LIMIT.total_seconds()
    return [(worker, worker.presence(now, limit_s)) for worker in workers]


class WorkerNotFound(NotFound):
    """No worker of that name was heard of."""

    reason = "WORKER_NOT_FOUND"


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

    async def drain(self, name: str, drainer: str) -> tuple[KnownWorker, Presence]:
        """The worker gets no job, and gives back what it holds (T9); WorkerNotFound."""
        async with self._dependencies.sessions.begin() as session:
            if not await Workers(session).drain(name, drainer):
                raise _no_such_worker(name)
            return await self._worker(session, name)

    async def undrain(self, name: str) -> tuple[KnownWorker, Presence]:
        """The worker gets jobs again (T9); WorkerNotFound."""
        async with self._dependencies.sessions.begin() as session:
            if not await Workers(session).undrain(name):
                raise _no_such_worker(name)
            return await self._worker(session, name)

    async def _worker(self, session: AsyncSession, name: str) -> tuple[KnownWorker, Presence]:
        now = await database_time(session)
        found = await Workers(session).get(self._dependencies.scheduling.lease_s, name)
        if found is None:  # pragma: no cover -- its row is locked
            raise _no_such_worker(name)
        return present([found], now)[0]

    async def figures(self) -> list[ResourceFigures]:
        """Waiting and running jobs, by compute resource."""
        async with self._dependencies.sessions.reading() as session:
            now = await database_time(session)
            rows = Workers(session)
            waiting = await rows.waiting(self._dependencies.held_back)
            workers = await rows.page(self._dependencies.scheduling.lease_s)
        return figures(workers, waiting, now, WORKER_SILENCE_LIMIT.total_seconds())


def _no_such_worker(name: str) -> WorkerNotFound:
    told = sentence(
        'no worker is called "{name}"; `loupe system` lists those that were heard of', name=name[:100]
    )
    return WorkerNotFound(told.english, message_zh=told.chinese)
