"""Who works and what waits: use cases of QueueService."""

from services.scheduler.application.dependencies import Parts
from services.scheduler.domain.workers import KnownWorker, Presence, ResourceFigures, figures
from services.scheduler.storage.jobs import WORKER_SEEN
from services.scheduler.storage.workers import Fleet


class FleetView:
    """Asks the rows each time: a page that looks every few seconds is all who ask."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def workers(self, *, after: str, limit: int) -> list[tuple[KnownWorker, Presence]]:
        """By name, from the one behind `after` on, and whether each is there."""
        now = self._parts.clock.now()
        async with self._parts.sessions.reading() as session:
            found = await Fleet(session).workers(self._parts.queue.lease_s, after=after, limit=limit)
        return [(worker, worker.presence(now, WORKER_SEEN.total_seconds())) for worker in found]

    async def queue(self) -> list[ResourceFigures]:
        """What waits and what runs, by resource."""
        now = self._parts.clock.now()
        async with self._parts.sessions.reading() as session:
            fleet = Fleet(session)
            waiting = await fleet.waiting(now)
            workers = await fleet.workers(self._parts.queue.lease_s)
        return figures(workers, waiting, now, WORKER_SEEN.total_seconds())
