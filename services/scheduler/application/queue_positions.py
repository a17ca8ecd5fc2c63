"""Where waiting tasks stand (T4).

To tell one task's position the whole queue is ranked: so it is ranked for all at once, not for every call.
"""

import asyncio
import time
from collections.abc import Sequence

from services.scheduler.application.dependencies import Parts
from services.scheduler.domain.queue import QueuePlace
from services.scheduler.storage.admissions import Turns
from services.scheduler.storage.jobs import Jobs

# Ranking takes at most so much of the time, ...
_SHARE = 0.05
# ... is of no use after so long, ...
_MAX_AGE_S = 5.0


class Places:
    """Positions in the queue, as they were a moment ago: the longer the queue, the longer the moment."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ranking: dict[str, int] = {}
        self._ranked_at_s = -_MAX_AGE_S
        self._took_s = 0.0
        self._ranked: asyncio.Task[None] | None = None

    async def of(self, task_ids: Sequence[str]) -> dict[str, QueuePlace]:
        """Where the queued ones among these tasks stand."""
        if not task_ids:
            return {}
        age_s = time.monotonic() - self._ranked_at_s
        known = all(task_id in self._ranking for task_id in task_ids)
        if age_s >= self._took_s / _SHARE or not known:
            ranked = self._rank_again()
            # ... and nobody waits for a new one who can be told the last.
            if not known or age_s >= _MAX_AGE_S or self._took_s < 0.005:
                await asyncio.shield(ranked)
        async with self._parts.sessions.reading() as session:
            return await Jobs(session).places(task_ids, self._ranking, self._parts.clock.now())

    def _rank_again(self) -> "asyncio.Task[None]":
        if self._ranked is None or self._ranked.done():
            self._ranked = asyncio.create_task(self._rank())
        return self._ranked

    async def _rank(self) -> None:
        started_s = time.monotonic()
        async with self._parts.sessions.begin() as session:
            ranking = await Turns(session).ranking(self._parts.clock.now(), self._parts.queue.aging_s)
        self._ranking, self._ranked_at_s = ranking, time.monotonic()
        self._took_s = self._ranked_at_s - started_s
